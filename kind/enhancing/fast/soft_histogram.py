"""What `kind.nn.exposure_layers.SoftHistogram` measures, on arrays."""

from __future__ import annotations

import functools

import numpy as np

from kind.constants import BT601


def soft_histogram(thumbnail: np.ndarray, bins: int) -> np.ndarray:
    """Measures an image, float32 [H, W, 3] in [0, 1]: float32 [2·bins + 6]."""
    luma = thumbnail @ np.float32(BT601)
    largest = functools.reduce(np.maximum, np.moveaxis(thumbnail, -1, 0))
    shares = np.stack([_shares(values, bins) for values in (luma, largest)], axis=-1).ravel()
    # NumPy is ten times faster along one axis after another than along both.
    means, maxima = thumbnail.mean(0).mean(0), thumbnail.max(0).max(0)
    return np.concatenate([np.sqrt(shares + 1e-6), means, maxima]).astype(np.float32)


def _shares(values: np.ndarray, bins: int) -> np.ndarray:
    """Each value's square root goes to the two bins beside it, by their distances: [bins], the sum is 1."""
    position = np.sqrt(values).ravel() * np.float32(bins - 1)
    below = position.astype(np.intp)
    beyond = position - below
    counts = np.bincount(below, 1.0 - beyond, bins + 1) + np.bincount(below + 1, beyond, bins + 1)
    return counts[:bins] / values.size
