"""The sRGB curve and its inverse on arrays (IEC 61966-2-1); `kind.ops.light` has them for tensors."""

from __future__ import annotations

import numpy as np


def to_linear(shown: np.ndarray) -> np.ndarray:
    """From sRGB in [0, 1] to linear light in [0, 1], any shape of floats."""
    return np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)


def to_srgb(light: np.ndarray) -> np.ndarray:
    """From linear light in [0, 1] to sRGB in [0, 1], any shape of floats."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
