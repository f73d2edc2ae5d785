"""How cleaned reflectance and adjusted illumination become an image in the original's evaluation script."""

from __future__ import annotations

import tensorflow as tf

from kind.ops.colour import PUBLISHED_BT709, gray
from kind.ops.gaussian import gaussian_blur

_MASK_SIGMA = 3.0
MASK_REACH = 12
"""How many pixels beside a pixel have an influence on its mask: where `gaussian_blur` ends."""


def published_fusion(
    image: tf.Tensor,
    reflectance: tf.Tensor,
    illumination: tf.Tensor,
    restored: tf.Tensor,
    adjusted: tf.Tensor,
) -> tf.Tensor:
    """The fusion of KinD's evaluation script, which the paper does not mention.

    The restored reflectance is damped where the reflectance around it is dark (there it is mostly
    noise), relit, and then blended with the input where the input was bright already:
    F = L ∘ S + (1 - L) ∘ (R̂ ∘ m ∘ L̂) with m = min(√(2·G₃(gray(R))), 1).

    Args:
        image: the stretched input S, float32 [N, H, W, 3].
        reflectance: R of the dark image, float32 [N, H, W, 3].
        illumination: L of the dark image, float32 [N, H, W, 1].
        restored: R̂, float32 [N, H, W, 3].
        adjusted: L̂, float32 [N, H, W, 1].

    Returns:
        float32 [N, H, W, 3] in [0, 1].
    """
    brightness = gaussian_blur(gray(reflectance, PUBLISHED_BT709), _MASK_SIGMA)
    mask = tf.minimum(tf.sqrt(2.0 * brightness), 1.0)
    return illumination * image + (1.0 - illumination) * (restored * mask * adjusted)
