"""What an Enhancer hands back: printed, saved, shown."""

import io

import numpy as np
import pytest
from PIL import Image

from kind.enhancing.alpha_text import alpha_text
from kind.enhancing.enhanced import Enhanced
from kind.enhancing.enhancer import Enhancer
from kind.errors import UserError
from kind.images.photo import read_photo

RELIT = np.random.default_rng(0).random((2, 12, 20, 3), np.float32)
BATCH = Enhanced(relit=RELIT, illumination=RELIT[..., :1], alpha=np.float32([1.5, 1000]))
SINGLE = BATCH.mapped(lambda part: part[0])


def test_it_prints_in_one_line():
    assert repr(BATCH) == "Enhanced(relit 2 images of 12×20, α 1.5 to 1000; with illumination)"
    assert repr(SINGLE) == "Enhanced(relit 12×20, α 1.5; with illumination)"
    assert repr(Enhanced(adjusted=RELIT[0])) == "Enhanced(adjusted 12×20)"


def test_it_is_saved_in_the_format_of_the_name_and_refuses_others(tmp_path):
    BATCH.save(tmp_path / "new" / "relit.png", 1)
    assert np.abs(read_photo(tmp_path / "new" / "relit.png").pixels - RELIT[1]).max() <= 0.501 / 255
    with pytest.raises(UserError, match="expects one of the suffixes"):
        SINGLE.save(tmp_path / "relit.xcf")
    with pytest.raises(IndexError):
        SINGLE.save(tmp_path / "relit.png", 1)


def test_pillow_gets_it_in_8_bits_under_the_earlier_name_too():
    for image, pixels in ((BATCH.relit_image(1), RELIT[1]), (SINGLE.relit_image(), RELIT[0])):
        assert image.mode == "RGB" and image.size == (20, 12)
        assert np.array_equal(np.asarray(image), np.rint(pixels * 255).astype(np.uint8))
    with pytest.raises(IndexError):
        SINGLE.relit_image(1)
    with pytest.raises(ValueError, match="relit"):
        Enhanced(adjusted=RELIT).relit_image()


def test_notebooks_and_viewers_show_it(monkeypatch):
    with Image.open(io.BytesIO(BATCH._repr_png_())) as image:
        assert image.size == (40, 12)  # both, side by side
    with Image.open(io.BytesIO(Enhanced(relit=np.zeros((2, 3000, 3)))._repr_png_())) as image:
        assert image.size == (1024, 1)
    assert Enhanced(adjusted=RELIT)._repr_png_() is None
    shown = []
    monkeypatch.setattr(Image.Image, "show", lambda image: shown.append(image.size))
    SINGLE.show()
    assert shown == [(20, 12)]


def test_an_enhancer_gives_arrays_and_refuses_images_of_no_pixels(untrained_weights):
    enhancer = Enhancer.load(untrained_weights)
    enhanced = enhancer(np.uint8(255 * RELIT[0]))
    assert all(isinstance(part, np.ndarray) for part in enhanced) and enhanced.alpha.shape == ()
    assert "\n" not in repr(enhanced) and repr(enhanced).startswith("Enhanced(relit 12×20, α ")
    for empty in ((0, 5, 3), (5, 0, 3), (0, 5, 5, 3)):
        for dtype in (np.float32, np.float64, np.uint8):
            with pytest.raises(UserError, match="one pixel at least, received none"):
                enhancer(np.zeros(empty, dtype))


@pytest.mark.parametrize(
    "alpha, text", [(0.0, "0"), (1.256, "1.26"), (99.9, "99.9"), (1000.4, "1000"), (123456.0, "123456")]
)
def test_alpha_has_no_exponent(alpha, text):
    assert alpha_text(alpha) == text
