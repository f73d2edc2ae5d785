"""The terms that make early features carry the reflectance; functions of tensors.

Du et al., "Boosting Object Detection with Zero-Shot Day-Night Domain Adaptation" (DAI-Net), CVPR 2024.
All take batches of which the first half is dark and the second half bright, in the same order.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from kind.losses.divergence import tempered_divergence
from kind.losses.edges import sobel
from kind.losses.features import texture
from kind.losses.ssim_loss import ssim_loss

TEMPERATURE = 4.0


class Twins(NamedTuple):
    """Two halves of a batch."""

    dark: tf.Tensor
    bright: tf.Tensor

    @classmethod
    def of(cls, both: tf.Tensor) -> Twins:
        """Cuts a batch in its halves."""
        return cls(*tf.split(both, 2))


def reference_term(decoded: Twins, reference: tf.Tensor, span: float = 1.0) -> tf.Tensor:
    """L1 + (1 - SSIM) of the dark and of the bright decoding to the reference, added.

    Args:
        decoded: float32 [N, H, W, C] each.
        reference: float32 [N, H, W, C].
        span: range of values that SSIM takes for 1.

    Returns:
        float32 scalar; 0 where both are the reference.
    """
    # The reference is what is learned, never what adapts to the learner.
    reference = tf.stop_gradient(reference)
    return tf.add_n(
        [tf.reduce_mean(tf.abs(one - reference)) + ssim_loss(one / span, reference / span) for one in decoded]
    )


def agreement_term(decoded: Twins) -> tf.Tensor:
    """Mean square of the difference of the decodings."""
    # The bright one is the better of the two: the dark one is drawn to it, and not it to the dark one.
    return _mean_square(decoded.dark, tf.stop_gradient(decoded.bright))


def reconstruction_term(decoded: Twins, illumination: Twins, images: Twins) -> tf.Tensor:
    """Mean square + (1 - SSIM) of R∘I to the image, dark and bright added.

    Args:
        decoded: R, float32 [N, H, W, 3] each.
        illumination: I, float32 [N, H, W, 1] each.
        images: float32 [N, H, W, 3] each.

    Returns:
        float32 scalar.
    """
    pairs = zip(decoded, illumination, images)
    # The illumination comes from a frozen network: only the reflectance can mend the product.
    products = [(one * tf.stop_gradient(light), image) for one, light, image in pairs]
    return tf.add_n([_mean_square(product, image) + ssim_loss(product, image) for product, image in products])


def interchanged(decoded: Twins, illumination: Twins) -> tf.Tensor:
    """I_dark∘R_bright and I_bright∘R_dark, to be decomposed again: float32 [2N, H, W, 3]."""
    product = tf.concat([illumination.dark * decoded.bright, illumination.bright * decoded.dark], axis=0)
    # An image, from here on: otherwise the decoder learns products that are easy to decompose, such as grey.
    return tf.stop_gradient(product)


def interchange_term(decoded: Twins, again: Twins) -> tf.Tensor:
    """Mean squares of what is decoded of the interchanged images to what went into them.

    Args:
        decoded: of the twins.
        again: of `interchanged`, in its order: the first half holds the bright reflectance.

    Returns:
        float32 scalar.
    """
    # The first decodings are the targets; without this both could agree on anything, such as black.
    first = Twins(tf.stop_gradient(decoded.dark), tf.stop_gradient(decoded.bright))
    return _mean_square(again.dark, first.bright) + _mean_square(again.bright, first.dark)


def alignment_term(features: Twins) -> tf.Tensor:
    """Symmetric KL divergence of the spatially averaged features, softmax over the channels, T = 4.

    Nothing is detached: both sides move towards one another.

    Args:
        features: float [N, H, W, C] each.

    Returns:
        float32 scalar; 0 for equal features.
    """
    dark, bright = (tf.reduce_mean(tf.cast(one, tf.float32), axis=[1, 2]) for one in features)
    ways = [(dark, bright), (bright, dark)]
    return tf.add_n([tempered_divergence(one, other, temperature=TEMPERATURE) for one, other in ways])


def gram_term(features: Twins) -> tf.Tensor:
    """Squared error of the Gram matrices of the early features."""
    # The dark features shall get the bright ones' texture, and these keep it.
    return texture([features.dark], [tf.stop_gradient(features.bright)])


def sobel_term(decoded: Twins, reference: tf.Tensor) -> tf.Tensor:
    """L1 of the Sobel gradients of both decodings to the reference's, added."""
    # As in `reference_term`.
    reference = tf.stop_gradient(reference)
    return tf.add_n([sobel(one, reference) for one in decoded])


def _mean_square(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.square(one - other))
