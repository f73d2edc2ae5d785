"""The one path from a dark image to an enhanced one."""

import numpy as np
import pytest
from tensorflow import constant as tf_constant

from kind.enhancing import computation
from kind.enhancing import enhancer as pipeline
from kind.enhancing.enhancer import Enhancer
from kind.enhancing.three_networks import STAGES
from kind.enhancing.tiling import plan as windows
from kind.errors import UserError
from kind.nn.saving import SHIPPED_WEIGHTS
from kind.nn.weights_folder import find_weights

CONSTANTS = (0.0, 0.5, 1.0)


@pytest.fixture(scope="module")
def enhancer(untrained_weights):
    return Enhancer.load(untrained_weights, variant="kind")


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


@pytest.mark.parametrize("value", CONSTANTS)
def test_constant_images_come_back_as_they_are(enhancer, value):
    image = np.full((9, 13, 3), value, np.float32)
    np.testing.assert_array_equal(enhancer(image).relit, image)


def test_only_what_is_asked_for_is_made(enhancer):
    image = photograph(20, 30)
    everything = enhancer(image)
    some = enhancer(image, parts=("illumination", "relit"))
    for name in pipeline.PARTS:
        part = getattr(some, name)
        if name in ("illumination", "relit"):
            np.testing.assert_allclose(part, getattr(everything, name), atol=1e-6)
        else:
            assert part is None
    for wrong in ((), ("brightness",)):
        with pytest.raises(ValueError, match="parts expects some of stretched, reflectance"):
            enhancer(image, parts=wrong)


def test_a_graph_of_the_callers_takes_the_pipeline_in(enhancer):
    import tensorflow as tf

    images = photograph(12, 20)[np.newaxis]
    relight = tf.function(
        lambda images: enhancer(images, 2.0).relit, input_signature=[tf.TensorSpec([None, None, None, 3])]
    )
    np.testing.assert_allclose(relight(images), enhancer(images, 2.0).relit, atol=1e-6)
    data = tf.data.Dataset.from_tensors(images[0]).map(lambda image: enhancer(image, 2.0).relit)
    np.testing.assert_allclose(next(iter(data)), enhancer(images, 2.0).relit[0], atol=1e-6)


def test_batches_too_large_for_one_pass_give_the_same(enhancer, monkeypatch):
    images = np.stack([photograph(40, 50, seed) for seed in range(3)])
    whole = enhancer(images, alpha=np.float32([1, 3, 5]))
    monkeypatch.setattr(windows, "WORKING_MEMORY", enhancer.windows._bytes_per_pixel * 40 * 50 * 2.5)
    pieces = enhancer(tf_constant(images), alpha=np.float32([1, 3, 5]))
    for one, other in zip(whole, pieces):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("size", [(48, 470), (470, 48)])
def test_tiles_give_what_the_whole_image_gives(enhancer, monkeypatch, size):
    image = photograph(*size)
    whole = enhancer(image, fusion="published", strength=0.7)
    monkeypatch.setattr(windows, "WORKING_MEMORY", enhancer.windows._bytes_per_pixel * 48 * 400)
    counts = []
    tiled = enhancer(image, fusion="published", progress=lambda *count: counts.append(count), strength=0.7)
    assert len(counts) > 1 and counts[-1] == (len(counts), len(counts))
    for one, other in zip(whole, tiled):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    ("images", "received"),
    [
        (np.zeros((4, 4, 3), np.int64), "int64"),
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
        find_weights(STAGES, tmp_path / "missing")
    with pytest.raises(UserError, match="expected any of decom.keras"):
        find_weights(STAGES, tmp_path)
    (tmp_path / "decom").mkdir()
    (tmp_path / "decom" / "best.keras").touch()
    (tmp_path / "illumination.keras").touch()
    assert find_weights(STAGES, tmp_path) == {
        "decom": tmp_path / "decom" / "best.keras",
        "restoration": SHIPPED_WEIGHTS / "restoration.keras",
        "illumination": tmp_path / "illumination.keras",
    }


@pytest.mark.parametrize("strength", [0.0, 0.3])
def test_strength_blends_the_relit_image_with_the_input(enhancer, strength):
    image = photograph(40, 64)
    full, some = enhancer(image), enhancer(image, strength=strength)
    expected = strength * full.relit + (1 - strength) * image
    np.testing.assert_allclose(some.relit, expected, atol=1e-6)
    np.testing.assert_array_equal(some.restored, full.restored)
    in_graph = enhancer.in_graph(tf_constant(image[np.newaxis]), strength=tf_constant(strength))
    np.testing.assert_allclose(in_graph.relit[0], expected, atol=1e-5)


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan")])
def test_other_strengths_are_refused(enhancer, strength):
    with pytest.raises(ValueError, match="strength expects a number from 0 to 1"):
        enhancer(photograph(4, 4), strength=strength)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_levels_go_in_and_come_out_tile_by_tile(enhancer, monkeypatch, dtype):
    most = np.iinfo(dtype).max
    levels = (photograph(48, 470) * most).astype(dtype)
    expected = enhancer(levels / np.float32(most))
    whole = enhancer(levels, levels=True)
    monkeypatch.setattr(windows, "WORKING_MEMORY", enhancer.windows._bytes_per_pixel * 48 * 400)
    seen, part = [], computation.mirrored_part

    def spied(images, *place):
        seen.append(images.dtype)
        return part(images, *place)

    monkeypatch.setattr(computation, "mirrored_part", spied)
    tiled = enhancer(levels, levels=True)
    assert set(seen) == {np.dtype(dtype)}
    for name in pipeline.PARTS:
        rounded = np.clip(getattr(expected, name), 0, 1) * 255
        for found in (whole, tiled):
            found = np.asarray(getattr(found, name))
            assert found.dtype == np.uint8 and np.abs(found - rounded).max() < 0.51
