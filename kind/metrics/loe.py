"""Lightness order error: how much an enhancement changes which of two places is the lighter one."""

from __future__ import annotations

import numpy as np
from PIL import Image

from kind.metrics.image_arrays import checked_pair

SHORTER_SIDE = 50
_LEVELS = 256


def loe(output: np.ndarray, dark: np.ndarray) -> float:
    """LOE of an enhanced image against the dark image it was made from; lower is better.

    Wang et al., IEEE TIP 2013 ("Naturalness preserved enhancement algorithm for non-uniform illumination
    images"). Lightness is max(R, G, B) in 8 bits. Both lightness images are shrunk until the shorter side
    has 50 pixels (bicubic with antialiasing, rounded to 8 bits; smaller images stay as they are). With
    U(a, b) = [a ≥ b],
    LOE = 1/m · Σᵢ Σⱼ U(Lᵢ, Lⱼ) ⊕ U(L′ᵢ, L′ⱼ), the mean over the m pixels of the number of pixels whose
    order flipped. Public versions differ in the shrinking (some sample every k-th pixel after a local
    maximum), so figures compare within one implementation only.

    Args:
        output: float [H, W, 3], RGB in [0, 1].
        dark: the image before enhancement, the same shape.

    Returns:
        0 when the order is kept everywhere, at most m.

    Raises:
        ValueError: when the shapes differ, or see `checked_image`.
    """
    output, dark = checked_pair("LOE", output, dark)
    return order_flips(small_lightness(dark), small_lightness(output))


def small_lightness(image: np.ndarray) -> np.ndarray:
    """max(R, G, B) in 8 bits, shrunk to a shorter side of 50: uint8 [h, w] from float [H, W, 3] in [0, 1]."""
    lightness = image.max(axis=2) if image.ndim == 3 else image
    lightness = np.rint(np.clip(lightness, 0, 1) * (_LEVELS - 1)).astype(np.float32)
    height, width = lightness.shape
    scale = SHORTER_SIDE / min(height, width)
    if scale < 1:
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        lightness = np.asarray(Image.fromarray(lightness).resize(size, Image.Resampling.BICUBIC))
    return np.rint(np.clip(lightness, 0, _LEVELS - 1)).astype(np.uint8)


def order_flips(first: np.ndarray, second: np.ndarray) -> float:
    """Mean over pixels of the number of pixels whose order in `first` is not their order in `second`.

    Exact and without pairs: a pixel with the levels (a, b) flips against those with (≤ a, > b) or
    (> a, ≤ b), which the running sums of the joint histogram count.

    Args:
        first: uint8 [h, w].
        second: uint8, the same shape.

    Returns:
        The sum of the flips over ordered pairs, divided by the number of pixels.
    """
    joint = np.zeros((_LEVELS, _LEVELS), np.int64)
    np.add.at(joint, (first.ravel(), second.ravel()), 1)
    up_to = joint.cumsum(0).cumsum(1)  # [a, b]: pixels at or below both levels
    flips = up_to[:, -1:] + up_to[-1:, :] - 2 * up_to
    return float((joint * flips).sum() / first.size)
