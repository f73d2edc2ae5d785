"""Feature similarity: where features are, by phase congruency, and how strong, by the gradient."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from kind.constants import BT601
from kind.metrics.image_arrays import checked_pair

SMALLEST_SIDE = 16
"""Pixels; below it the longest waves of the filters do not fit."""

_T1, _T2 = 0.85, 160.0  # equations 4 and 5
_SHORTER_SIDE = 256  # larger images are averaged down to about this
_SCALES, _ORIENTATIONS = 4, 4
_SHORTEST_WAVE, _WAVE_FACTOR = 6, 2
_BANDWIDTH = 0.55  # of the log-Gabor filters
_ANGULAR_SIGMA = math.pi / _ORIENTATIONS / 1.2
_CUTOFF, _SHARPNESS = 0.45, 15  # of the low pass that removes the corners of the spectrum
_NOISE_DEVIATIONS, _NOISE_DIVISOR = 2.0, 1.7
_EPSILON = 1e-4


def fsim(output: np.ndarray, target: np.ndarray) -> float:
    """FSIM of luma: similarity of phase congruency times that of gradients, weighted by phase congruency.

    Zhang et al., "FSIM: A Feature Similarity Index for Image Quality Assessment", IEEE TIP 2011, with the
    published parameters.

    Args:
        output: float [H, W, 3] (or [H, W]) in [0, 1], both sides at least 16.
        target: the same shape.

    Returns:
        Up to 1, which identical images reach.

    Raises:
        ValueError: when a side is below 16, the shapes differ, or see `checked_image`.
    """
    output, target = checked_pair("FSIM", output, target)
    if min(output.shape[:2]) < SMALLEST_SIDE:
        raise ValueError(
            f"FSIM expects at least {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels; "
            f"received {output.shape[0]}x{output.shape[1]}"
        )
    images = [_averaged_down(255 * (i @ np.array(BT601) if i.ndim == 3 else i)) for i in (output, target)]
    first, second = map(phase_congruency, images)
    steep, true_steep = map(_gradient, images)
    similarity = _similarity(first, second, _T1) * _similarity(steep, true_steep, _T2)
    weights = np.maximum(first, second)
    return float((similarity * weights).sum() / weights.sum()) if weights.any() else float(similarity.mean())


def phase_congruency(image: np.ndarray) -> np.ndarray:
    """How far the waves of an image are in phase at each place: 1 at an edge or line, whatever its contrast.

    Kovesi, "Image Features from Phase Congruency", Videre 1999, by log-Gabor filters of four scales and four
    orientations, less the noise that the finest scale tells.

    Args:
        image: float [H, W].

    Returns:
        float64 [H, W], from 0 to 1.
    """
    spectrum = np.fft.fft2(image)
    radius, angle = _frequencies(image.shape)
    waves = _log_gabor(radius)
    energy_of_all, amplitude_of_all = np.zeros(image.shape), np.zeros(image.shape)
    for number in range(_ORIENTATIONS):
        difference = angle - number * math.pi / _ORIENTATIONS
        difference = np.abs(np.arctan2(np.sin(difference), np.cos(difference)))
        filters = [wave * np.exp(-0.5 * (difference / _ANGULAR_SIGMA) ** 2) for wave in waves]
        responses = np.array([np.fft.ifft2(spectrum * each) for each in filters])
        energy = _energy(responses) - _noise(responses[0], filters)
        energy_of_all += np.maximum(energy, 0)
        amplitude_of_all += np.abs(responses).sum(axis=0)
    return energy_of_all / np.maximum(amplitude_of_all, np.finfo(float).tiny)


def _energy(responses: np.ndarray) -> np.ndarray:
    """Responses along their mean phase, less those across it."""
    total = responses.sum(axis=0)
    direction = total / (np.abs(total) + _EPSILON)
    turned = responses * direction.conj()
    return (turned.real - np.abs(turned.imag)).sum(axis=0)


def _noise(finest: np.ndarray, filters: list[np.ndarray]) -> float:
    """The energy that noise has, by the median of the finest scale (Rayleigh distributed)."""
    power = np.median(np.abs(finest) ** 2) / math.log(2) / (filters[0] ** 2).sum()
    kernels = [np.fft.ifft2(each).real * math.sqrt(each.size) for each in filters]
    # Σ of squares and twice the Σ of products of different scales is the square of the sum.
    squares = sum((kernel**2).sum() for kernel in kernels)
    products = (sum(kernels) ** 2).sum() - squares
    tau = math.sqrt(max(2 * power * squares + 2 * power * products, 0) / 2)
    threshold = tau * math.sqrt(math.pi / 2) + _NOISE_DEVIATIONS * tau * math.sqrt(2 - math.pi / 2)
    return threshold / _NOISE_DIVISOR


def _frequencies(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Radius in cycles a pixel and angle of each place of a spectrum, its zero at the top left."""
    axes = [(np.arange(side) - side // 2) / (side if side % 2 == 0 else side - 1) for side in shape]
    y, x = (np.fft.ifftshift(part) for part in np.meshgrid(*axes, indexing="ij"))
    return np.hypot(x, y), np.arctan2(-y, x)


def _log_gabor(radius: np.ndarray) -> list[np.ndarray]:
    """The radial part of the filters, from the shortest waves to the longest."""
    low_pass = 1 / (1 + (radius / _CUTOFF) ** (2 * _SHARPNESS))
    nonzero = radius.copy()
    nonzero[0, 0] = 1
    waves = []
    for scale in range(_SCALES):
        length = _SHORTEST_WAVE * _WAVE_FACTOR**scale
        wave = np.exp(-(np.log(nonzero * length) ** 2) / (2 * math.log(_BANDWIDTH) ** 2)) * low_pass
        wave[0, 0] = 0
        waves.append(wave)
    return waves


def _gradient(image: np.ndarray) -> np.ndarray:
    """Magnitude of Scharr's gradient, with zeros beyond the border."""
    kernel = np.array([[3, 0, -3], [10, 0, -10], [3, 0, -3]]) / 16
    return np.hypot(*(ndimage.convolve(image, k, mode="constant") for k in (kernel, kernel.T)))


def _similarity(first: np.ndarray, second: np.ndarray, constant: float) -> np.ndarray:
    return (2 * first * second + constant) / (first**2 + second**2 + constant)


def _averaged_down(image: np.ndarray) -> np.ndarray:
    factor = int(min(image.shape) / _SHORTER_SIDE + 0.5)
    if factor <= 1:
        return image
    # MATLAB's mean of an even number of pixels begins at the pixel itself, SciPy's one before it.
    origin = -1 if factor % 2 == 0 else 0
    return ndimage.uniform_filter(image, factor, mode="constant", origin=origin)[::factor, ::factor]
