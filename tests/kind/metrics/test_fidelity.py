import math

import numpy as np
import pytest

from kind.metrics.fidelity import blown_share, border_error, chroma_ratio, hue_shift


def photograph(seed=0):
    return np.random.default_rng(seed).random((30, 40, 3)) * 0.6 + 0.2


def test_equal_images_keep_everything():
    image = photograph()
    assert blown_share(image, image) == 0
    assert chroma_ratio(image, image) == pytest.approx(1)
    assert hue_shift(image, image) == pytest.approx(0, abs=1e-6)
    assert math.isnan(border_error(image, image))


def test_only_newly_clipped_pixels_are_blown():
    image = photograph()
    image[:3] = 1.0
    output = image.copy()
    output[3:6, :, 1] = 1.0
    assert blown_share(output, image) == pytest.approx(3 / 30)


def test_grey_has_no_chroma_and_no_hue():
    image = photograph()
    grey = np.repeat(image.mean(axis=-1, keepdims=True), 3, axis=-1)
    assert chroma_ratio(grey, image) == pytest.approx(0, abs=1e-3)
    assert math.isnan(hue_shift(grey, image))


def test_exchanged_channels_shift_the_hue():
    red = np.zeros((12, 12, 3))
    red[..., 0] = 0.8
    assert hue_shift(red[..., ::-1], red) > 90


@pytest.mark.parametrize("inner, outer, expected", [(0.1, 0.1, 1.0), (0.1, 0.3, 3.0), (0.2, 0.1, 0.5)])
def test_the_border_is_compared_with_the_rest(inner, outer, expected):
    image = np.zeros((30, 40, 3))
    output = np.full_like(image, outer)
    output[8:-8, 8:-8] = inner
    assert border_error(output, image) == pytest.approx(expected)
