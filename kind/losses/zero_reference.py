"""Zero-DCE's four losses, which need no bright image (Guo et al., CVPR 2020, section 3.3)."""

from __future__ import annotations

import tensorflow as tf

from kind.losses.reduction import averaged
from kind.ops.gradient import forward_difference

_SPATIAL_REGION = 4
_EXPOSURE_REGION = 16


def spatial_consistency(output: tf.Tensor, source: tf.Tensor, *, per_image: bool = False) -> tf.Tensor:
    """1/K · Σ_i Σ_{j ∈ Ω(i)} (|Y_i - Y_j| - |I_i - I_j|)²: neighbouring regions keep their contrast.

    Y and I are the mean intensities of K regions of 4×4 pixels, Ω(i) the regions beside, above and below i.

    Source: Guo et al., "Zero-Reference Deep Curve Estimation", CVPR 2020, equation 8. Public code: signed
    differences. Here: the paper's.

    Args:
        output: the enhanced image, float32 [N, H, W, 3] in [0, 1].
        source: the dark image, the same shape.
        per_image: keep the loss of each image instead of averaging over the batch.

    Returns:
        float32 scalar, or [N]; from 0, which identical images give.
    """
    ours, theirs = (_regions(image, _SPATIAL_REGION) for image in (output, source))
    total = 0.0
    for axis in ("x", "y"):
        contrast = tf.abs(forward_difference(ours, axis)) - tf.abs(forward_difference(theirs, axis))
        total += 2.0 * tf.square(contrast)  # each pair of neighbours is met from both sides
    return averaged(total, per_image)


def exposure_control(output: tf.Tensor, *, level: float = 0.6, per_image: bool = False) -> tf.Tensor:
    """1/M · Σ_k |Y_k - E|: the mean intensity of each region of 16×16 pixels should be E.

    Source: Guo et al., "Zero-Reference Deep Curve Estimation", CVPR 2020, equation 9.

    Args:
        output: the enhanced image, float32 [N, H, W, 3] in [0, 1].
        level: E, in [0, 1].
        per_image: keep the loss of each image instead of averaging over the batch.

    Returns:
        float32 scalar, or [N]; from 0, which an image of the constant value E gives.
    """
    return averaged(tf.abs(_regions(output, _EXPOSURE_REGION) - level), per_image)


def colour_constancy(output: tf.Tensor, *, per_image: bool = False) -> tf.Tensor:
    """Σ (J_p - J_q)² over the pairs (R, G), (R, B), (G, B) of the channels' means J: a grey-world prior.

    Source: Guo et al., "Zero-Reference Deep Curve Estimation", CVPR 2020, equation 10; Buchsbaum, "A Spatial
    Processor Model for Object Colour Perception", 1980.

    Args:
        output: the enhanced image, float32 [N, H, W, 3] in [0, 1].
        per_image: keep the loss of each image instead of averaging over the batch.

    Returns:
        float32 scalar, or [N]; from 0, which grey images give.
    """
    means = tf.reduce_mean(output, axis=[1, 2])  # [N, 3]
    pairs = means - tf.roll(means, 1, axis=1)
    return averaged(tf.reduce_sum(tf.square(pairs), axis=1), per_image)


def illumination_tv(illumination: tf.Tensor, *, per_image: bool = False) -> tf.Tensor:
    """Mean over pixels of Σ_c (|∇x L_c| + |∇y L_c|)²: illumination changes slowly.

    Source: Guo et al., "Zero-Reference Deep Curve Estimation", CVPR 2020, equation 11, there of the curves'
    parameter maps.

    Args:
        illumination: L, float32 [N, H, W, C].
        per_image: keep the loss of each image instead of averaging over the batch.

    Returns:
        float32 scalar, or [N]; from 0, which constant illumination gives.
    """
    slope = tf.abs(forward_difference(illumination, "x")) + tf.abs(forward_difference(illumination, "y"))
    return averaged(tf.reduce_sum(tf.square(slope), axis=-1), per_image)


def _regions(image: tf.Tensor, size: int) -> tf.Tensor:
    """Mean intensity of square regions, those at the end as far as there are pixels: [N, h, w, 1]."""
    intensity = tf.reduce_mean(image, axis=-1, keepdims=True)
    return tf.nn.avg_pool2d(intensity, size, size, "SAME")
