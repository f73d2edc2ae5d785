"""The one path from a dark image to an enhanced one."""

import numpy as np
import pytest

from kind import pipeline
from kind.errors import UserError
from kind.pipeline import Enhancer, find_weights

CONSTANTS = (0.0, 0.5, 1.0)


@pytest.fixture(scope="module")
def enhancer(untrained_weights):
    return Enhancer.load(untrained_weights)


def photograph(height, width, seed=0):
    return np.random.default_rng(seed).random((height, width, 3), dtype=np.float32) ** 3


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (17, 23), (40, 64)])
@pytest.mark.parametrize("fusion", pipeline.FUSIONS)
def test_parts_have_the_size_of_the_image_and_multiply(enhancer, size, fusion):
    enhanced = enhancer(photograph(*size), fusion=fusion)
    for name in ("stretched", "reflectance", "restored", "relit"):
        assert getattr(enhanced, name).shape == (*size, 3)
    assert enhanced.illumination.shape == enhanced.adjusted.shape == (*size, 1)
    if fusion == "plain":
        np.testing.assert_allclose(enhanced.relit, enhanced.restored * enhanced.adjusted, atol=1e-6)


def test_one_image_is_a_batch_of_one(enhancer):
    image = photograph(20, 30)
    alone, batch = enhancer(image), enhancer(image[np.newaxis])
    for single, whole in zip(alone, batch):
        np.testing.assert_array_equal(single, whole[0])


def test_each_image_of_a_batch_has_its_own_alpha(enhancer):
    images = np.stack([photograph(12, 16), photograph(12, 16, seed=1)])
    both = enhancer(images, alpha=np.float32([0.5, 5])).relit
    for index, alpha in enumerate((0.5, 5)):
        np.testing.assert_allclose(both[index], enhancer(images[index], alpha=alpha).relit, atol=1e-5)


@pytest.mark.parametrize("value", CONSTANTS)
@pytest.mark.parametrize("fusion", pipeline.FUSIONS)
def test_constant_images_give_finite_parts(enhancer, value, fusion):
    for part in enhancer(np.full((9, 13, 3), value, np.float32), fusion=fusion):
        assert np.isfinite(part).all()


@pytest.mark.parametrize("size", [(48, 470), (470, 48)])
def test_tiles_give_what_the_whole_image_gives(enhancer, monkeypatch, size):
    image = photograph(*size)
    whole = enhancer(image, fusion="published")
    monkeypatch.setattr(pipeline, "_TILE", 64)
    tiled = enhancer(image, fusion="published")
    for one, other in zip(whole, tiled):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    ("images", "received"),
    [
        (np.zeros((4, 4, 3)), "float64"),
        (np.zeros((4, 4, 1), np.float32), r"\[4, 4, 1\]"),
        (np.zeros((4, 3), np.float32), r"\[4, 3\]"),
    ],
)
def test_other_shapes_and_types_are_refused(enhancer, images, received):
    with pytest.raises(ValueError, match=f"expects float32.*received.*{received}"):
        enhancer(images)
    with pytest.raises(ValueError, match="fusion expects one of plain, published"):
        enhancer(np.zeros((4, 4, 3), np.float32), fusion="best")


def test_weights_are_found_in_files_and_run_folders_and_the_rest_ships(tmp_path):
    with pytest.raises(UserError, match="no such folder of weights"):
        find_weights(tmp_path / "missing")
    with pytest.raises(UserError, match="expected any of decom.keras"):
        find_weights(tmp_path)
    (tmp_path / "decom").mkdir()
    (tmp_path / "decom" / "best.keras").touch()
    (tmp_path / "illumination.keras").touch()
    assert find_weights(tmp_path) == {
        "decom": tmp_path / "decom" / "best.keras",
        "restoration": pipeline.SHIPPED_WEIGHTS / "restoration.keras",
        "illumination": tmp_path / "illumination.keras",
    }
