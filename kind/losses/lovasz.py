"""Surrogates of the Jaccard index (intersection over union) by its Lovász extension.

Source: Berman et al., "The Lovász-Softmax Loss", CVPR 2018.
"""

from __future__ import annotations

import tensorflow as tf

from kind.losses.reduction import averaged


def lovasz_hinge(logits: tf.Tensor, labels: tf.Tensor, *, per_image: bool = False) -> tf.Tensor:
    """Lovász extension of 1 - IoU at the hinge errors max(0, 1 - (2y - 1)·logit), image by image.

    Source: Berman et al., "The Lovász-Softmax Loss", CVPR 2018, section 2.2.

    Args:
        logits: float32 [N, ...].
        labels: y, float32, 0 or 1, the same shape.
        per_image: keep the loss of each image instead of averaging over the batch.

    Returns:
        float32 scalar, or [N]; from 0, which right logits of at least ±1 give.
    """
    shape = [tf.shape(logits)[0], -1]
    truth = tf.reshape(labels, shape)
    errors = tf.nn.relu(1.0 - tf.reshape(logits, shape) * (2.0 * truth - 1.0))
    return averaged(_extension(errors, truth), per_image)


def lovasz_softmax(logits: tf.Tensor, labels: tf.Tensor, *, per_image: bool = False) -> tf.Tensor:
    """Lovász extension of 1 - IoU at the errors |y_c - p_c| of softmax probabilities, class by class.

    The mean over the classes that an image has, image by image.

    Source: Berman et al., "The Lovász-Softmax Loss", CVPR 2018, equations 11 and 12.

    Args:
        logits: float32 [N, ..., K].
        labels: class numbers from 0 to K - 1, integers [N, ...].
        per_image: keep the loss of each image instead of averaging over the batch.

    Returns:
        float32 scalar, or [N]; from 0, which certain and right logits approach, to 1.
    """
    classes = logits.shape[-1]
    shape = [tf.shape(logits)[0], -1, classes]
    probabilities = tf.reshape(tf.nn.softmax(logits), shape)
    truth = tf.one_hot(tf.reshape(labels, shape[:2]), classes)
    truth, probabilities = (tf.transpose(part, [0, 2, 1]) for part in (truth, probabilities))  # [N, K, P]
    of_each = _extension(tf.abs(truth - probabilities), truth)  # [N, K]
    present = tf.reduce_max(truth, axis=-1)
    return averaged(tf.reduce_sum(of_each * present, axis=-1) / tf.reduce_sum(present, axis=-1), per_image)


def _extension(errors: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
    """Σ of sorted errors times the growth of the Jaccard loss with each of them: [..., P] → [...]."""
    order = tf.argsort(errors, axis=-1, direction="DESCENDING", stable=True)
    axes = errors.shape.rank - 1
    errors, truth = (tf.gather(part, order, axis=-1, batch_dims=axes) for part in (errors, truth))
    total = tf.reduce_sum(truth, axis=-1, keepdims=True)
    jaccard = 1.0 - (total - tf.cumsum(truth, axis=-1)) / (total + tf.cumsum(1.0 - truth, axis=-1))
    growth = tf.concat([jaccard[..., :1], jaccard[..., 1:] - jaccard[..., :-1]], axis=-1)
    return tf.reduce_sum(errors * tf.stop_gradient(growth), axis=-1)
