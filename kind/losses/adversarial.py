"""What a generator G and a discriminator D are trained for, as functions of D's scores (logits).

The two losses of a pair go together, but for the non-saturating generator, which plays against the minimax
discriminator.
"""

from __future__ import annotations

import tensorflow as tf


def minimax_discriminator(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """-E log σ(D(real)) - E log(1 - σ(D(fake))): cross-entropy of true and generated.

    Source: Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, equation 1.

    Args:
        real: scores of true images, float32, any shape.
        fake: scores of generated ones, the same shape.

    Returns:
        float32 scalar; from 0, which certain and right scores approach; 2·log 2 for scores of 0.
    """
    return tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(fake))


def minimax_generator(fake: tf.Tensor) -> tf.Tensor:
    """E log(1 - σ(D(fake))): its gradient vanishes while D is sure, which is early in training.

    Source: Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, equation 1.

    Args:
        fake: scores of generated images, float32, any shape.

    Returns:
        float32 scalar, at most 0, falling without end as scores grow; -log 2 for scores of 0.
    """
    return -tf.reduce_mean(tf.nn.softplus(fake))


def non_saturating_generator(fake: tf.Tensor) -> tf.Tensor:
    """-E log σ(D(fake)): the same aim as minimax with a gradient that is largest while D is sure.

    Source: Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, section 3.

    Args:
        fake: scores of generated images, float32, any shape.

    Returns:
        float32 scalar; from 0, which high scores approach; log 2 for scores of 0.
    """
    return tf.reduce_mean(tf.nn.softplus(-fake))


def least_squares_discriminator(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """½·E (D(real) - 1)² + ½·E D(fake)²: scores of 1 for true and 0 for generated images.

    Source: Mao et al., "Least Squares Generative Adversarial Networks", ICCV 2017, equation 9.

    Args:
        real: scores of true images, float32, any shape.
        fake: scores of generated ones, the same shape.

    Returns:
        float32 scalar; from 0, for scores of 1 and 0.
    """
    return 0.5 * (tf.reduce_mean(tf.square(real - 1.0)) + tf.reduce_mean(tf.square(fake)))


def least_squares_generator(fake: tf.Tensor) -> tf.Tensor:
    """½·E (D(fake) - 1)²: pulls the scores of generated images to 1.

    Source: Mao et al., "Least Squares Generative Adversarial Networks", ICCV 2017, equation 9.

    Args:
        fake: scores of generated images, float32, any shape.

    Returns:
        float32 scalar; from 0, for scores of 1.
    """
    return 0.5 * tf.reduce_mean(tf.square(fake - 1.0))


def hinge_discriminator(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """E max(0, 1 - D(real)) + E max(0, 1 + D(fake)): scores beyond ±1 teach nothing more.

    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018,
    equation 16.

    Args:
        real: scores of true images, float32, any shape.
        fake: scores of generated ones, the same shape.

    Returns:
        float32 scalar; from 0, for scores of at least 1 and at most -1.
    """
    return tf.reduce_mean(tf.nn.relu(1.0 - real)) + tf.reduce_mean(tf.nn.relu(1.0 + fake))


def hinge_generator(fake: tf.Tensor) -> tf.Tensor:
    """-E D(fake): raises the scores of generated images without end.

    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018,
    equation 17.

    Args:
        fake: scores of generated images, float32, any shape.

    Returns:
        float32 scalar, unbounded; 0 for scores of 0.
    """
    return -tf.reduce_mean(fake)
