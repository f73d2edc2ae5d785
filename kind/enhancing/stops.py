"""Maps of stops: what α means where the light that is missing differs from place to place."""

from __future__ import annotations

import math

import tensorflow as tf

_SMALLEST = 1e-4
_FEWEST_STOPS = -30.0  # α = 0


def stops_for(alpha: tf.Tensor, log_suggested: tf.Tensor, stops: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The map of stops that an α asks for.

    α is how many times the light; the suggested one is 2^mean(E). From α = 1 (no stops) to the suggested one
    E' is E · log α / log α_suggested; above and below that range, the rest of log₂ α is the same everywhere.

    Args:
        alpha: float32 [N].
        log_suggested: log of the suggested α, float32 [N, 1], 0 or more.
        stops: E, float32 [N, H, W, 1].

    Returns:
        E', float32 [N, H, W, 1], and how many of its stops are above the suggested α, float32 [N, 1, 1, 1].
    """
    wanted = tf.maximum(tf.math.log(alpha) / math.log(2.0), _FEWEST_STOPS)[:, tf.newaxis]
    suggested = log_suggested / math.log(2.0)
    share = tf.clip_by_value(wanted / tf.maximum(suggested, _SMALLEST), 0.0, 1.0)
    more = tf.maximum(wanted - suggested, 0.0)
    rest = more + tf.minimum(wanted, 0.0)
    share, more, rest = (values[:, tf.newaxis, tf.newaxis] for values in (share, more, rest))
    return share * stops + rest, more


def image_sizes(shape) -> tf.Tensor:
    """Height and width of each of N images of a shape [N, H, W, C], float32 [N, 2]."""
    return tf.ones([shape[0], 1]) * tf.cast(shape[1:3], tf.float32)


def tile_place(size: tf.Tensor, origin: tf.Tensor) -> tf.Tensor:
    """Where a tile lies, for `kind.nn.exposure_layers.SlicedStops`.

    Args:
        size: of the whole images, float32 [N, 2].
        origin: row and column of the tile's first pixel, int32 [2].

    Returns:
        float32 [N, 4].
    """
    corner = tf.zeros_like(size) + tf.cast(origin, tf.float32)
    return tf.concat([corner, size], axis=1)
