"""How much noise a photograph holds, in linear light."""

from __future__ import annotations

import numpy as np

from kind.images.pixels import in_unit_range
from kind.images.srgb import to_linear

_STEP = 2  # pixels: neighbours of a demosaiced picture share values of the sensor
_TILE = 16  # squares along each side
_DEVIATIONS = 1.4826  # standard deviations of a normal distribution in a median of absolute values
_FLATTEST = 25  # per cent of the tiles, by noise: the others hold detail
_MOST_PIXELS = 4_000_000
_LEAST_LIGHT = 1e-6


def shot_noise(samples: np.ndarray) -> float:
    """The variance of the noise divided by the light, mean of R, G and B, of which 1 is white.

    Of squares of 2×2 pixels, two pixels apart, (a - b - c + d) / 2 is free of slopes; its median absolute
    value over a tile is that of the noise where the tile is flat. Of the ratios of all tiles that are not
    black the first quartile is taken. Light of single photons gives the same ratio for every brightness.

    Args:
        samples: [H, W, 3], sRGB: unsigned integers at full scale, or floats in [0, 1].

    Returns:
        0 where the photograph has no tile of 64×64 pixels that is not black.
    """
    step = _STEP * max(1, int(np.sqrt(samples.shape[0] * samples.shape[1] / _MOST_PIXELS)))
    height, width = (max(0, length - _STEP) // (step * _TILE) * _TILE for length in samples.shape[:2])
    if not height or not width:
        return 0.0
    corners = [
        _linear(samples[down::step, across::step][:height, :width])
        for down in (0, _STEP)
        for across in (0, _STEP)
    ]
    noise = np.abs(corners[0] - corners[1] - corners[2] + corners[3]) / 2
    tiles = (height // _TILE, _TILE, width // _TILE, _TILE, 3)
    deviations = _DEVIATIONS * np.median(noise.reshape(tiles), axis=(1, 3))
    light = np.mean(corners[0].reshape(tiles), axis=(1, 3, 4))
    is_lit = light > _LEAST_LIGHT
    if not is_lit.any():
        return 0.0
    return float(np.percentile(np.mean(deviations**2, axis=-1)[is_lit] / light[is_lit], _FLATTEST))


def _linear(samples: np.ndarray) -> np.ndarray:
    """SRGB samples in linear light, float32."""
    return to_linear(in_unit_range(np.ascontiguousarray(samples)))
