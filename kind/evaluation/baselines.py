"""Baselines: simple methods that an enhancer should be better than."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from skimage.color import hsv2rgb, rgb2hsv
from skimage.exposure import equalize_adapthist

from kind.evaluation.methods import Method, Output, Sample

GAMMA = 2.2
CLAHE_CLIP = 0.01


def unchanged(image: np.ndarray) -> np.ndarray:
    """The dark image itself, float32 [H, W, 3]."""
    return image


def gamma(image: np.ndarray) -> np.ndarray:
    """x^(1/2.2) on every channel, float32 [H, W, 3] in [0, 1]."""
    return (image ** (1 / GAMMA)).astype(np.float32)


def clahe(image: np.ndarray) -> np.ndarray:
    """Contrast-limited adaptive histogram equalisation of HSV's value (Zuiderveld, 1994).

    scikit-image's `equalize_adapthist` with its defaults: tiles of 1/8 of each side, clip limit 0.01.

    Args:
        image: float32 [H, W, 3], RGB in [0, 1].

    Returns:
        float32, the same shape; constant images come back unchanged.
    """
    if image.max() == image.min():
        return image
    hsv = rgb2hsv(image)
    if hsv[..., 2].max() > hsv[..., 2].min():
        hsv[..., 2] = equalize_adapthist(hsv[..., 2], clip_limit=CLAHE_CLIP)
    return np.clip(hsv2rgb(hsv), 0, 1).astype(np.float32)


BASELINES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "input": unchanged,
    f"gamma {GAMMA}": gamma,
    "CLAHE": clahe,
}
"""The functions above, by the name in tables."""


class Baseline(Method):
    """One of the functions above as a method."""

    is_baseline = True

    def __init__(self, name: str, function: Callable[[np.ndarray], np.ndarray]) -> None:
        """Names a function float32 [H, W, 3] → float32 [H, W, 3]."""
        self.name = name
        self._function = function

    def identity(self, sample: Sample) -> str:
        """The name and the constants above."""
        return f"baseline {self.name} {GAMMA} {CLAHE_CLIP}"

    def enhance(self, sample: Sample, dark: np.ndarray) -> Output:
        """Applies the function."""
        start = time.perf_counter()
        image = self._function(dark)
        return Output(image, time.perf_counter() - start)


def all_baselines() -> list[Baseline]:
    """Input, gamma and CLAHE."""
    return [Baseline(name, function) for name, function in BASELINES.items()]
