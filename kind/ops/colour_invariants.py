"""Edges that depend on the scene's colours and not on its illumination: the invariants of CIConv.

Lengyel et al., "Zero-Shot Day-Night Domain Adaptation with a Physics Prior", ICCV 2021, after Geusebroek et
al., "Color Invariance", PAMI 2001: an image is smoothed in the Gaussian opponent colour model, E, Eλ and Eλλ,
and combinations of its derivatives are formed in which parts of the illumination cancel.
"""

from __future__ import annotations

import math

import tensorflow as tf

INVARIANTS = ("E", "W", "C", "N", "H")
"""Edges of intensity; free of intensity; of shading; of shading and the light's colour; and of highlights."""

LARGEST_SCALE = 2.5
"""Scales s, of which σ = 2^s pixels, are from -2.5 to 2.5."""

_OPPONENT = ((0.06, 0.63, 0.27), (0.30, 0.04, -0.35), (0.34, -0.60, 0.17))  # E, Eλ, Eλλ from R, G, B
_TINY = 1e-5
_REACH = 3.0  # standard deviations
_LARGEST_RADIUS = math.ceil(_REACH * 2.0**LARGEST_SCALE + 0.5)  # 18 pixels

Derivatives = list[tf.Tensor]
"""Of E, Eλ and Eλλ, each float32 [N, H, W]."""


def invariant_edges(
    image: tf.Tensor, invariant: str, scale: float | tf.Tensor, *, repeat_border: bool = False
) -> tf.Tensor:
    """The logarithm of a colour invariant, with mean 0 and variance 1 in each image.

    Args:
        image: float [N, H, W, 3], RGB, finite; published for values in [0, 1].
        invariant: one of `INVARIANTS`.
        scale: s, scalar; σ = 2^s pixels, clipped to ±`LARGEST_SCALE`. Gradients reach it through the
            Gaussians, not through their support.
        repeat_border: what lies outside the image is its border. Published: it is black, which draws a
            frame around each image.

    Returns:
        float32 [N, H, W, 1], finite; 0 of an image without edges.

    Raises:
        ValueError: on another invariant.
    """
    if invariant not in INVARIANTS:
        raise ValueError(f"invariant expects one of {', '.join(INVARIANTS)}; received {invariant!r}")
    scale = tf.clip_by_value(tf.cast(scale, tf.float32), -LARGEST_SCALE, LARGEST_SCALE)
    # Written in operations that exports may hold, see `kind.export.operations`.
    matrix = tf.transpose(tf.constant(_OPPONENT))[tf.newaxis, tf.newaxis]
    opponent = tf.nn.conv2d(tf.cast(image, tf.float32), matrix, 1, "VALID")  # [N, H, W, 3]
    smooth, down, across = _derivatives(opponent, tf.pow(2.0, scale), repeat_border)
    strength = _FORMULAS[invariant](smooth, down) + _FORMULAS[invariant](smooth, across)
    logarithm = tf.math.log(strength + _TINY)[..., tf.newaxis]  # [N, H, W, 1]
    centred = logarithm - tf.reduce_mean(logarithm, [1, 2], keepdims=True)
    return centred / tf.sqrt(tf.reduce_mean(tf.square(centred), [1, 2], keepdims=True) + _TINY)


def as_detector_input(edges: tf.Tensor) -> tf.Tensor:
    """A map of `invariant_edges` as an image: grey without edges, four standard deviations to either end.

    Args:
        edges: float32 [N, H, W, 1].

    Returns:
        float32 [N, H, W, 3] in [0, 1], three equal channels.
    """
    return tf.repeat(tf.clip_by_value(0.5 + edges / 8.0, 0.0, 1.0), 3, axis=-1)


def _derivatives(
    opponent: tf.Tensor, sigma: tf.Tensor, repeat_border: bool
) -> tuple[Derivatives, Derivatives, Derivatives]:
    """Smoothed values, and derivatives along the height and along the width.

    Published: three filters in two dimensions, of a size that depends on σ. Here: all are products of filters
    along one axis, always as long as the largest; what the published size leaves out is masked to 0.
    """
    positions = tf.range(-_LARGEST_RADIUS, _LARGEST_RADIUS + 1, dtype=tf.float32)
    inside = tf.cast(tf.abs(positions) < _REACH * sigma + 1.5, tf.float32)  # up to ⌈3σ + 0.5⌉
    bell = tf.exp(-0.5 * (positions / sigma) ** 2) * inside
    slope = -positions * bell
    pair = tf.stack([bell / tf.reduce_sum(bell), slope / tf.reduce_sum(tf.abs(slope))], axis=-1)  # [K, 2]
    padded = _padded(opponent, repeat_border)
    columns = tf.tile(pair[:, tf.newaxis, tf.newaxis], [1, 1, 3, 1])  # [K, 1, 3, 2]
    by_height = tf.nn.depthwise_conv2d(padded, columns, [1, 1, 1, 1], "VALID")  # [N, H, W + K - 1, 6]
    smoothed, steep = by_height[..., 0::2], by_height[..., 1::2]
    rows = tf.tile(pair[tf.newaxis, :, tf.newaxis], [1, 1, 3, 1])  # [1, K, 3, 2]
    both = tf.nn.depthwise_conv2d(smoothed, rows, [1, 1, 1, 1], "VALID")  # [N, H, W, 6]
    down = tf.nn.depthwise_conv2d(steep, rows[..., :1], [1, 1, 1, 1], "VALID")  # [N, H, W, 3]
    return tuple(tf.unstack(part, axis=-1) for part in (both[..., 0::2], down, both[..., 1::2]))


def _padded(image: tf.Tensor, repeat_border: bool) -> tf.Tensor:
    radius = _LARGEST_RADIUS
    if not repeat_border:
        return tf.pad(image, [[0, 0], [radius, radius], [radius, radius], [0, 0]])
    height, width = tf.shape(image)[1], tf.shape(image)[2]
    rows = tf.clip_by_value(tf.range(-radius, height + radius), 0, height - 1)
    columns = tf.clip_by_value(tf.range(-radius, width + radius), 0, width - 1)
    return tf.gather(tf.gather(image, rows, axis=1), columns, axis=2)


def _intensity(smooth: Derivatives, along: Derivatives) -> tf.Tensor:
    return along[0] ** 2


def _free_of_intensity(smooth: Derivatives, along: Derivatives) -> tf.Tensor:
    intensity = _intensity_below(smooth) + _TINY
    return sum((derivative / intensity) ** 2 for derivative in along)


def _free_of_shading(smooth: Derivatives, along: Derivatives) -> tf.Tensor:
    squared = _intensity_below(smooth) ** 2 + _TINY
    first, second = (_of_ratio(smooth, along, number) / squared for number in (1, 2))
    return first**2 + second**2


def _free_of_light_colour(smooth: Derivatives, along: Derivatives) -> tf.Tensor:
    intensity, first, second = smooth
    below = _intensity_below(smooth)
    slope = _of_ratio(smooth, along, 1) / (below**2 + _TINY)
    curve = (
        along[2] * intensity**2
        - second * along[0] * intensity
        - 2.0 * along[1] * first * intensity
        + 2.0 * first**2 * along[0]
    )
    return slope**2 + (curve / (below**3 + _TINY)) ** 2


def _free_of_highlights(smooth: Derivatives, along: Derivatives) -> tf.Tensor:
    _, first, second = smooth
    return ((second * along[1] - first * along[2]) / (first**2 + second**2 + _TINY)) ** 2


def _of_ratio(smooth: Derivatives, along: Derivatives, number: int) -> tf.Tensor:
    """The numerator of the derivative of Eλ / E or Eλλ / E."""
    return along[number] * smooth[0] - smooth[number] * along[0]


def _intensity_below(smooth: Derivatives) -> tf.Tensor:
    """E where it divides; below 0, which no photograph is, it could meet 1e-5 with the other sign."""
    return tf.nn.relu(smooth[0])


_FORMULAS = {
    "E": _intensity,
    "W": _free_of_intensity,
    "C": _free_of_shading,
    "N": _free_of_light_colour,
    "H": _free_of_highlights,
}
