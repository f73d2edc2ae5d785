import numpy as np
import pytest

from kind.metrics.loe import loe, order_flips, small_lightness


def _by_brute_force(first, second):
    first, second = first.ravel(), second.ravel()
    flips = 0
    for index in range(first.size):
        flips += np.sum((first[index] >= first) != (second[index] >= second))
    return flips / first.size


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 5), (50, 61)])
@pytest.mark.parametrize("levels", [2, 7, 256])
def test_order_flips_equal_brute_force(shape, levels):
    generator = np.random.default_rng(levels)
    first, second = generator.integers(0, levels, (2, *shape)).astype(np.uint8)
    assert order_flips(first, second) == pytest.approx(_by_brute_force(first, second), abs=1e-9)


@pytest.mark.parametrize("size", [(50, 50), (23, 31), (75, 120), (131, 100)])
def test_loe_equals_brute_force_on_the_small_lightness(size):
    generator = np.random.default_rng(1)
    dark, output = generator.random((2, *size, 3))
    expected = _by_brute_force(small_lightness(dark).astype(int), small_lightness(output).astype(int))
    assert loe(output, dark) == pytest.approx(expected, abs=1e-9)


def test_a_worked_case():
    # Pixels a < b < c become a < c < b: the ordered pairs (b, c) and (c, b) flip, 2 flips over 3 pixels.
    dark = np.array([[0.1, 0.2, 0.3]])[..., None].repeat(3, 2)
    output = np.array([[0.1, 0.6, 0.5]])[..., None].repeat(3, 2)
    assert loe(output, dark) == pytest.approx(2 / 3)


def test_lightness_is_the_largest_channel_in_8_bits():
    image = np.zeros((3, 4, 3))
    image[..., 1] = 0.4
    assert (small_lightness(image) == 102).all()


def test_the_shorter_side_becomes_50():
    assert small_lightness(np.zeros((400, 600, 3))).shape == (50, 75)
    assert small_lightness(np.zeros((600, 400, 3))).shape == (75, 50)
    assert small_lightness(np.zeros((20, 600, 3))).shape == (20, 600)


def test_keeping_the_order_costs_nothing():
    dark = np.arange(48, dtype=np.float64).reshape(6, 8)[..., None].repeat(3, 2) / 255
    assert loe(dark, dark) == 0
    assert loe(dark * 4, dark) == 0
    assert loe(1 - dark, dark) == 47  # every other pixel


def test_other_sizes_are_an_error():
    with pytest.raises(ValueError, match="one size"):
        loe(np.zeros((5, 5, 3)), np.zeros((5, 6, 3)))
