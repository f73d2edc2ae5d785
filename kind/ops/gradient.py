"""The image gradient of KinD's losses, shifted by one pixel and normalised as in the published code."""

from __future__ import annotations

import tensorflow as tf

_EPSILON = 1e-4


def gradient(image: tf.Tensor, axis: str) -> tf.Tensor:
    """Forward difference, as the published code's 2×2 SAME convolution computes it.

    The kernel [[0, 0], [-1, 1]] (its transpose for y) makes the difference one pixel away from where
    one would expect it, and zero padding at the bottom and right makes an edge there. Both are kept,
    because the published losses and their weights include them.

    Args:
        image: float [N, H, W, C].
        axis: "x" (along the width) or "y" (along the height).

    Returns:
        Signed differences, same shape and type: v[i+1, j+1] - v[i+1, j] for x, and
        v[i+1, j+1] - v[i, j+1] for y.

    Raises:
        ValueError: when `axis` is neither "x" nor "y".
    """
    padded = tf.pad(image, [[0, 0], [0, 1], [0, 1], [0, 0]])
    if axis == "x":
        return padded[:, 1:, 1:] - padded[:, 1:, :-1]
    if axis == "y":
        return padded[:, 1:, 1:] - padded[:, :-1, 1:]
    raise ValueError(f"axis expects 'x' or 'y', received {axis!r}")


def normalised_gradient(
    image: tf.Tensor, axis: str, *, signed: bool = False, per_image: bool = False
) -> tf.Tensor:
    """The gradient, min-max normalised to [0, 1): (g - min) / (max - min + 1e-4).

    Args:
        image: float [N, H, W, C].
        axis: "x" or "y".
        signed: KinD++'s adjustment loss keeps the sign before normalising; KinD takes |g|.
        per_image: take min and max over each image. The published code takes them over the whole
            batch, which makes the loss of one image depend on its neighbours; that is the default.

    Returns:
        float [N, H, W, C] in [0, 1); all zero where the image is constant, save for the padding's edge.
    """
    values = gradient(image, axis)
    if not signed:
        values = tf.abs(values)
    axes = [1, 2, 3] if per_image else None
    smallest = tf.reduce_min(values, axis=axes, keepdims=True)
    largest = tf.reduce_max(values, axis=axes, keepdims=True)
    return (values - smallest) / (largest - smallest + _EPSILON)


def forward_difference(image: tf.Tensor, axis: str) -> tf.Tensor:
    """v[i + 1] - v[i] along one axis, 0 at the end: without the shift and the edge of `gradient`.

    Args:
        image: float [N, H, W, C].
        axis: "x" (along the width) or "y" (along the height).

    Returns:
        Signed differences, same shape and type.

    Raises:
        ValueError: when `axis` is neither "x" nor "y".
    """
    if axis == "x":
        return tf.pad(image[:, :, 1:] - image[:, :, :-1], [[0, 0], [0, 0], [0, 1], [0, 0]])
    if axis == "y":
        return tf.pad(image[:, 1:] - image[:, :-1], [[0, 0], [0, 1], [0, 0], [0, 0]])
    raise ValueError(f"axis expects 'x' or 'y', received {axis!r}")
