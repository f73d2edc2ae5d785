"""A decomposition should not depend on how much light there was."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from kind.losses.reflectance_similarity import reflectance_similarity
from kind.ops.light import expose


def self_consistency(
    reflectance_of: Callable[[tf.Tensor], tf.Tensor], image: tf.Tensor, *, stops: float = -1.0
) -> tf.Tensor:
    """Mean |R(S) - R(S')|, S' the same image under another exposure: one scene has one reflectance.

    Source: Land and McCann, "Lightness and Retinex Theory", JOSA 1971; between two exposures of unpaired
    photographs, Fu et al., "Learning a Simple Low-Light Image Enhancer from Paired Low-Light Instances", CVPR
    2023, equation 5.

    Args:
        reflectance_of: R, from images to reflectances of the same shape.
        image: S, float32 [N, H, W, 3], sRGB in [0, 1].
        stops: exposure of S' against S; each doubles the linear light.

    Returns:
        float32 scalar; from 0, which a decomposition that ignores the exposure gives.
    """
    return reflectance_similarity(reflectance_of(image), reflectance_of(expose(image, stops)))
