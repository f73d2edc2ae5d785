"""Whether two photographs show the same scene: near-duplicates that make a held-out figure too good."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import fft
from scipy.ndimage import gaussian_filter

SIDE = 64

_FINE, _COARSE = 1.0, 4.0  # standard deviations in pixels of the small picture
_DARKEST = 8 / 255
_FLAT = 0.02
_OUTLIER = 3.0
_AT_ONCE = 256


def scene_signature(picture: np.ndarray) -> np.ndarray:
    """The layout of a scene without its brightness.

    Args:
        picture: float32 [H, W] gray in [0, 1], any size.

    Returns:
        float32 [64, 64] of length 1: band-passed logarithm of the shrunk picture over its local contrast;
        zeros when the picture is flat.
    """
    small = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX))
    logarithm = np.log(small + np.float32(_DARKEST))
    band = gaussian_filter(logarithm, _FINE) - gaussian_filter(logarithm, _COARSE)
    contrast = np.sqrt(gaussian_filter(band * band, _COARSE))
    band = np.clip(band / (contrast + _FLAT), -_OUTLIER, _OUTLIER)
    band -= band.mean()
    return band / max(float(np.linalg.norm(band)), 1e-6)


def likeness(signature: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How like one scene is to others: the correlation of their layouts, whatever the shift between them.

    Among LOL's targets everything from 0.5 on is one arrangement of objects taken again, moved a little or
    lit otherwise, and other scenes stay below.

    Args:
        signature: float32 [64, 64].
        others: float32 [N, 64, 64].

    Returns:
        float32 [N], at most 1.
    """
    spectrum = fft.rfft2(signature).conj()
    best = []
    for start in range(0, len(others), _AT_ONCE):
        products = fft.rfft2(others[start : start + _AT_ONCE]) * spectrum
        best.append(fft.irfft2(products, s=(SIDE, SIDE)).max(axis=(1, 2)))
    return np.concatenate(best) if best else np.empty(0, np.float32)
