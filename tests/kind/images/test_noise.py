"""Noise is measured in linear light, whatever the photograph shows."""

import numpy as np
import pytest

from kind.images.noise import shot_noise


def encoded(light):
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    return np.rint(np.clip(curve, 0, 1) * 65535).astype(np.uint16)


@pytest.mark.parametrize("variance", [1e-4, 1e-3])
@pytest.mark.parametrize("brightness", [0.02, 0.4])
def test_it_is_the_variance_over_the_light(variance, brightness):
    rows, columns = np.mgrid[:400, :400] / 400
    light = np.stack([brightness * (0.5 + rows), brightness * (0.5 + columns)] + [brightness + 0 * rows], -1)
    noise = np.random.default_rng(0).normal(size=light.shape) * np.sqrt(variance * light)
    assert shot_noise(encoded(light + noise)) == pytest.approx(variance, rel=0.35)
    assert shot_noise(encoded(light)) < variance / 50


def test_black_and_small_ones_have_none():
    assert (
        shot_noise(np.zeros((200, 200, 3), np.uint16)) == 0 and shot_noise(np.ones((3, 90, 3), np.uint8)) == 0
    )
