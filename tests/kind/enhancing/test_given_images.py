"""What users hand to an Enhancer, and the Pillow image that it hands back."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kind.enhancing.enhancer import Enhancer
from kind.enhancing.given_images import as_floats
from kind.errors import UserError

LEVELS = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
FLOATS = np.float32(LEVELS / 255.0)


@pytest.fixture(scope="module")
def sideways(tmp_path_factory):
    """A file of `LEVELS` lying on its side, which its EXIF orientation sets upright."""
    path = tmp_path_factory.mktemp("photographs") / "sideways.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by a quarter to see it upright
    Image.fromarray(np.rot90(LEVELS).copy()).save(path, exif=exif)
    return path


@pytest.mark.parametrize(
    "given",
    [
        LEVELS,
        FLOATS,
        FLOATS.astype(np.float64),
        tf.constant(LEVELS),
        tf.constant(FLOATS),
        Image.fromarray(LEVELS),
        Image.fromarray(LEVELS).convert("RGBA"),
        LEVELS.astype(np.uint16) * 257,
    ],
    ids=["uint8", "float32", "float64", "tensor of uint8", "tensor", "pillow", "pillow with alpha", "uint16"],
)
def test_every_form_of_an_image_is_the_same_image(given):
    found = np.asarray(as_floats(given))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, FLOATS, atol=1e-7)
    batch = np.asarray(as_floats([given, given]))
    np.testing.assert_allclose(batch, [FLOATS, FLOATS], atol=1e-7)


def test_files_and_pillow_images_are_set_upright(sideways):
    for given in (sideways, str(sideways), Image.open(sideways)):
        np.testing.assert_allclose(as_floats(given), FLOATS, atol=1e-7)


def test_gray_images_get_three_channels():
    gray = Image.fromarray(LEVELS[..., 0])
    np.testing.assert_allclose(as_floats(gray), FLOATS[..., :1].repeat(3, axis=2), atol=1e-7)
    deep = Image.fromarray(LEVELS[..., 0].astype(np.uint16) * 257)
    np.testing.assert_allclose(as_floats(deep), FLOATS[..., :1].repeat(3, axis=2), atol=1e-7)


@pytest.mark.parametrize("wrong", [255 * FLOATS, FLOATS - 0.5, np.full((4, 4, 3), np.nan, np.float32)])
@pytest.mark.parametrize("form", [np.asarray, tf.constant])
def test_values_outside_the_range_are_refused(wrong, form):
    with pytest.raises(ValueError, match=r"floats in \[0, 1\]; received values from .*divide levels by 255"):
        as_floats(form(wrong))


@pytest.mark.parametrize("alpha", [-1, np.inf, [2.0, -0.5]])
def test_alpha_is_how_many_times_the_light(alpha, bright_networks):
    with pytest.raises(ValueError, match="alpha expects 0 or more"):
        Enhancer.load(bright_networks)(np.stack([LEVELS, LEVELS]), alpha)


def test_images_of_different_sizes_are_no_batch():
    with pytest.raises(ValueError, match="single images of one size"):
        as_floats([FLOATS, FLOATS[:-1]])
    with pytest.raises(ValueError, match="8 or 16 bits; received mode 'F'"):
        as_floats(Image.fromarray(FLOATS[..., 0]))


def test_an_enhancer_takes_a_file_and_gives_a_pillow_image(sideways, untrained_weights):
    enhancer = Enhancer.load(untrained_weights)
    image = enhancer(sideways).to_pil()
    assert isinstance(image, Image.Image) and image.mode == "RGB" and image.size == (20, 12)
    expected = enhancer(FLOATS).relit
    assert np.abs(np.asarray(image) / 255.0 - expected).max() <= 0.5001 / 255
    batch = enhancer([LEVELS, LEVELS[::-1].copy()])
    upside_down = enhancer(FLOATS[::-1].copy()).relit
    assert np.abs(np.asarray(batch.to_pil(1)) / 255.0 - upside_down).max() <= 0.51 / 255
    with pytest.raises(IndexError):
        batch.to_pil(2)
    with pytest.raises(ValueError, match="expects the part 'relit'"):
        enhancer(FLOATS, parts=("illumination",)).to_pil()


def test_images_of_several_sizes_are_enhanced_one_by_one(bright_networks):
    enhancer = Enhancer.load(bright_networks, variant="kind")
    small = Image.fromarray(LEVELS[:5, :7])
    both = enhancer([FLOATS, small], alpha=[2.0, 3.0], parts=("relit",))
    assert [each.relit.shape for each in both] == [(12, 20, 3), (5, 7, 3)]
    assert [float(each.alpha) for each in both] == [2.0, 3.0]
    np.testing.assert_array_equal(both[1].relit, enhancer(small, 3.0, parts=("relit",)).relit)
    assert enhancer([LEVELS, FLOATS], parts=("relit",)).relit.shape == (2, 12, 20, 3)
    with pytest.raises(UserError, match="single images of one size"):
        enhancer([FLOATS[None], small])
