"""NIQE: distance of an image's local statistics from those of clean photographs; needs no reference image."""

from __future__ import annotations

import numpy as np

from kind.metrics.niqe_features import BLOCK, block_features
from kind.metrics.niqe_model import NiqeModel


def niqe(image: np.ndarray, model: NiqeModel) -> float:
    """NIQE of one image against a pristine model; lower is better.

    Mittal, Soundararajan, Bovik, IEEE SPL 2013. 36 features of every 96×96 block (18 at full and 18 at
    half size) are fitted with a Gaussian, whose distance from the model's is
    D = √((ν₁ - ν₂)ᵀ ((Σ₁ + Σ₂)/2)⁺ (ν₁ - ν₂)), eq. 10. Follows the authors' MATLAB release. Departures:
    (1) in flat areas, where rounding decides whether a coefficient of 0 counts as positive or negative, it
    is 0 here: implementations that leave this to chance differ by up to 2 % on photographs with clipped
    areas; (2) blocks without any positive or any negative coefficient (constant or clipped ones) are left
    out whole, where the release keeps their one defined feature; (3) fewer than two usable blocks are an
    error.

    Args:
        image: float [H, W, 3] RGB, or [H, W] gray, in [0, 1].
        model: of clean photographs, see `kind.metrics.niqe_model`. NIQE figures of different models do
            not compare.

    Returns:
        The distance, 0 or more; natural photographs score about 2 to 5 with the authors' model.

    Raises:
        ValueError: when fewer than two blocks are usable (192×96 pixels at least), or see `checked_image`.
    """
    features, _ = block_features(image)
    features = features[~np.isnan(features).any(axis=1)]
    if len(features) < 2:
        raise ValueError(
            f"NIQE expects two or more textured blocks of {BLOCK}x{BLOCK} pixels; found {len(features)} in "
            f"{image.shape[0]}x{image.shape[1]}"
        )
    difference = model.mean - features.mean(axis=0)
    covariance = (model.covariance + np.cov(features, rowvar=False)) / 2
    inverse = np.linalg.pinv(covariance, rcond=len(covariance) * np.finfo(np.float64).eps)  # MATLAB's bound
    return float(np.sqrt(max(difference @ inverse @ difference, 0.0)))
