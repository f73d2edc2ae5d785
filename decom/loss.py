"""What the decomposition network is trained for."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from kind.decom.config import DecompositionConfig
from kind.losses.illumination_smoothness import illumination_smoothness
from kind.losses.mutual_consistency import mutual_consistency
from kind.losses.reconstruction import reconstruction
from kind.losses.reflectance_similarity import reflectance_similarity

TERMS = (
    "reconstruction_low",
    "reconstruction_high",
    "reflectance_similarity",
    "mutual_consistency",
    "smoothness_low",
    "smoothness_high",
)
"""Names of the loss's terms, in the order in which they are logged."""


@dataclass(frozen=True)
class Decomposition:
    """What the network makes of one batch: R, float32 [N, H, W, 3], and L, float32 [N, H, W, 1]."""

    reflectance: tf.Tensor
    illumination: tf.Tensor


def decomposition_loss(
    image_low: tf.Tensor,
    image_high: tf.Tensor,
    low: Decomposition,
    high: Decomposition,
    *,
    similarity_weight: float = DecompositionConfig.similarity_weight,
    mutual_weight: float = DecompositionConfig.mutual_weight,
    smoothness_weight: float = DecompositionConfig.smoothness_weight,
    per_image: bool = DecompositionConfig.per_image,
) -> dict[str, tf.Tensor]:
    """The terms of KinD's decomposition loss (equation 1) and their weighted total.

    Args:
        image_low: dark images S_l, float32 [N, H, W, 3] in [0, 1].
        image_high: bright images of the same scenes S_h, the same shape.
        low: decomposition of `image_low`.
        high: decomposition of `image_high`.
        similarity_weight: of |R_low - R_high|: 0.01 in KinD, 0.009 in KinD++.
        mutual_weight: of the mutual consistency of the illuminations.
        smoothness_weight: of each illumination's smoothness.
        per_image: normalise gradients over each image; the published form takes the whole batch.

    Returns:
        float32 scalars by name: "loss", the weighted total, and the unweighted `TERMS`.
    """
    terms = (
        reconstruction(image_low, low.reflectance, low.illumination),
        reconstruction(image_high, high.reflectance, high.illumination),
        reflectance_similarity(low.reflectance, high.reflectance),
        mutual_consistency(low.illumination, high.illumination, per_image=per_image),
        illumination_smoothness(low.illumination, image_low, per_image=per_image),
        illumination_smoothness(high.illumination, image_high, per_image=per_image),
    )
    error_low, error_high, similarity, mutual, smoothness_low, smoothness_high = terms
    total = (
        error_low
        + error_high
        + similarity_weight * similarity
        + mutual_weight * mutual
        + smoothness_weight * (smoothness_low + smoothness_high)
    )
    return {"loss": total, **dict(zip(TERMS, terms))}
