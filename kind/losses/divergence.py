"""Kullback–Leibler divergences of a student's scores from a teacher's, for distillation."""

from __future__ import annotations

import tensorflow as tf

from kind.losses.reduction import averaged


def tempered_divergence(
    student: tf.Tensor, teacher: tf.Tensor, *, temperature: float = 4.0, per_image: bool = False
) -> tf.Tensor:
    """T²·KL(softmax(teacher / T) ‖ softmax(student / T)), softmax over the classes, mean over the rest.

    The factor T² keeps the gradient's size when T changes.

    Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, section 2.

    Args:
        student: logits, float32 [N, ..., K].
        teacher: the same shape.
        temperature: T, above 0; a high one shows how a teacher orders the classes that it rules out.
        per_image: average over each sample instead of the batch.

    Returns:
        float32 scalar, or [N]; from 0, which equal logits give.
    """
    return averaged(temperature**2 * _divergence(student, teacher, temperature, axis=-1), per_image)


def channelwise_divergence(
    student: tf.Tensor, teacher: tf.Tensor, *, temperature: float = 4.0, per_image: bool = False
) -> tf.Tensor:
    """T²/C · Σ over channels of KL(softmax(teacher / T) ‖ softmax(student / T)), softmax over all places.

    A channel is a distribution over places: what counts is where it is active.

    Source: Shu et al., "Channel-wise Knowledge Distillation for Dense Prediction", ICCV 2021, equation 4.

    Args:
        student: float [N, H, W, C].
        teacher: the same shape.
        temperature: T, above 0.
        per_image: keep the loss of each image instead of averaging over the batch.

    Returns:
        float32 scalar, or [N]; from 0, which equal features give.
    """
    shape = tf.shape(teacher)
    flat = [shape[0], shape[1] * shape[2], teacher.shape[-1]]
    student, teacher = (tf.reshape(part, flat) for part in (student, teacher))
    return averaged(temperature**2 * _divergence(student, teacher, temperature, axis=1), per_image)


def _divergence(student: tf.Tensor, teacher: tf.Tensor, temperature: float, axis: int) -> tf.Tensor:
    """KL of the softmax over one axis, which goes."""
    learned, known = (
        tf.nn.log_softmax(tf.cast(part, tf.float32) / temperature, axis=axis) for part in (student, teacher)
    )
    return tf.reduce_sum(tf.exp(known) * (known - learned), axis=axis)
