"""The built-in dark photographs."""

import numpy as np
import pytest

from kind.data.pairs import find_pairs
from kind.data.samples import (
    BRIGHTEST,
    DARKEST,
    FULL_WELL,
    READ_NOISE,
    builtin_samples,
    darken,
    write_dark,
    write_pairs,
)
from kind.images.photo import read_photo


def linear(srgb):
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def test_samples_are_dark_twins_of_photographs_and_always_the_same():
    first, second = builtin_samples(), builtin_samples()
    assert len(first) == 5
    for one, other in zip(first, second):
        assert one.low.dtype == one.high.dtype == np.uint8
        assert one.low.shape == one.high.shape and max(one.low.shape) <= 600
        assert one.low.mean() < 0.4 * one.high.mean()
        np.testing.assert_array_equal(one.low, other.low)
    assert any((one.low != other.low).any() for one, other in zip(first, builtin_samples(seed=1)))


@pytest.mark.parametrize("exposure", [DARKEST, BRIGHTEST, 1.0])
def test_darkening_scales_the_light_and_adds_the_stated_noise(exposure):
    high = np.full((400, 400, 3), 200, np.uint8)
    light = exposure * linear(200 / 255)
    measured = linear(darken(high, exposure, np.random.default_rng(0)) / 255)
    assert abs(measured.mean() / light - 1) < 0.02
    shot_and_read = np.sqrt(light / FULL_WELL + (READ_NOISE / FULL_WELL) ** 2)
    assert abs(measured.std() / shot_and_read - 1) < 0.1


def test_black_stays_nearly_black_and_bad_exposures_are_refused():
    assert darken(np.zeros((50, 50, 3), np.uint8), 0.1, np.random.default_rng(0)).max() < 20
    for exposure in (0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="exposure expects"):
            darken(np.zeros((2, 2, 3), np.uint8), exposure, np.random.default_rng(0))


def test_pairs_are_written_as_training_expects_them(tmp_path):
    pairs = find_pairs(write_pairs(tmp_path / "pairs", tile=200))
    assert len(pairs) > 15
    assert all(read_photo(pair.low).pixels.shape == (200, 200, 3) for pair in pairs[:3])
    dark = write_dark(tmp_path / "dark")
    for path, sample in zip(dark, builtin_samples()):
        np.testing.assert_array_equal(np.rint(read_photo(path).pixels * 255), sample.low)
