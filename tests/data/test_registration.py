import numpy as np
import pytest
from scipy.ndimage import shift as interpolated
from skimage import data
from skimage.color import rgb2gray

from kind.data.registration import estimate_shift


@pytest.fixture(scope="module")
def photograph():
    return rgb2gray(data.coffee()).astype(np.float32)  # 400×600


def darkened(picture, seed=0):
    """Fifty times less light, a gamma, and read-out noise, in 8 bits."""
    noise = np.random.default_rng(seed).normal(0, 0.004, picture.shape)
    return (np.rint(np.clip((picture / 50) ** 0.6 + noise, 0, 1) * 255) / 255).astype(np.float32)


@pytest.mark.parametrize(("down", "right"), [(0, 0), (3, -7), (-1, 1), (-20, 31), (32, -32)])
def test_a_whole_shift_is_found_in_the_dark(photograph, down, right):
    view = photograph[40:-40, 40:-40]
    moved = photograph[40 - down : 360 - down, 40 - right : 560 - right]
    shift = estimate_shift(darkened(view), moved)
    assert (shift.down, shift.right) == pytest.approx((down, right), abs=0.15)
    assert shift.agreement > 0.5
    assert shift.pixels == pytest.approx(np.hypot(shift.down, shift.right))


@pytest.mark.parametrize(("down", "right"), [(0.5, -0.25), (1.3, 0.7)])
def test_a_part_of_a_pixel_is_found(photograph, down, right):
    moved = np.clip(interpolated(photograph, (down, right), order=3, mode="nearest"), 0, 1)
    shift = estimate_shift(photograph, moved)
    assert (shift.down, shift.right) == pytest.approx((down, right), abs=0.12)


def test_a_picture_agrees_with_itself(photograph):
    shift = estimate_shift(photograph, photograph)
    assert (shift.down, shift.right, shift.agreement) == pytest.approx((0, 0, 1), abs=1e-4)


def test_brightness_and_gamma_change_nothing(photograph):
    shift = estimate_shift(photograph, np.clip(photograph**0.4 * 1.2, 0, 1))
    assert shift.pixels < 0.15 and shift.agreement > 0.9


def test_different_scenes_do_not_agree(photograph):
    other = rgb2gray(data.astronaut()).astype(np.float32)[:400, :500]
    assert estimate_shift(photograph[:, :500], other).agreement < 0.25
    noise = np.random.default_rng(0).random((400, 500), np.float32)
    assert estimate_shift(photograph[:, :500], noise * 0.02).agreement < 0.25


def test_a_grille_is_registered_at_its_nearest_bar():
    bars = (np.arange(300) % 12 < 6).astype(np.float32) * 0.5 + 0.2
    picture = np.tile(bars, (200, 1))
    shift = estimate_shift(picture, np.roll(picture, 2, axis=1))
    assert abs(shift.right) == pytest.approx(2, abs=0.2)


def test_flat_pictures_agree_with_nothing():
    flat = np.full((130, 128), 0.3, np.float32)
    assert estimate_shift(flat, flat).agreement < 0.25


def test_a_large_picture_is_judged_by_its_middle():
    picture = np.random.default_rng(1).random((1100, 1200), np.float32)
    moved = picture.copy()
    moved[38:1062, 88:1112] = np.roll(picture, 5, axis=1)[38:1062, 88:1112]
    assert estimate_shift(picture, moved).right == pytest.approx(5, abs=0.05)


@pytest.mark.parametrize("shapes", [((127, 200), (127, 200)), ((200, 200), (200, 201)), ((200, 200, 3),) * 2])
def test_other_shapes_are_errors(shapes):
    with pytest.raises(ValueError, match="128x128"):
        estimate_shift(*(np.zeros(shape, np.float32) for shape in shapes))
