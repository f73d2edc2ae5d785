"""What `kind.nn.exposure_layers.SoftHistogram` measures, on arrays."""

from __future__ import annotations

import numpy as np

from kind.constants import BT601


def soft_histogram(thumbnail: np.ndarray, bins: int) -> np.ndarray:
    """Measures an image, float32 [H, W, 3] in [0, 1]: float32 [2·bins + 6]."""
    luma = thumbnail @ np.float32(BT601)
    values = np.sqrt(np.stack([luma, thumbnail.max(-1)]))  # [2, H, W]
    shares = [
        np.maximum(1.0 - np.abs(values * (bins - 1) - number), 0.0).mean((1, 2)) for number in range(bins)
    ]
    shares = np.sqrt(np.concatenate(shares) + 1e-6)
    return np.concatenate([shares, thumbnail.mean((0, 1)), thumbnail.max((0, 1))]).astype(np.float32)
