"""Keras layers of the light network that measure and change exposure; all compute in float32.

Positions and sums over images have no room in the 8 significant bits of bfloat16, so these layers ignore
the precision policy.
"""

from __future__ import annotations

import math

import tensorflow as tf
from tensorflow import keras

from kind.constants import BT601
from kind.nn.file_schema import real, several, whole
from kind.nn.known_layers import saved_function, saved_layer
from kind.nn.spatial import Pointwise
from kind.ops.area import area_resized
from kind.ops.light import expose_trainably, linear_to_srgb, srgb_to_linear

_FLOOR = 0.02  # 5 of 255
_LINEAR_SHARE, _LARGEST_SHARE = 0.125, 0.25  # of the headroom
_PARTS = 16
_NO_CONTRAST, _CONTRAST = 2.0 / 255.0, 4.0 / 255.0
_NO_STOPS = 16.0  # below the largest of a grid's logits, after which the softplus is 0


class _Float32Layer(keras.layers.Layer):
    """A layer that computes in float32 under any policy."""

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})


@saved_layer("kind", side=whole(1, 1024))
class Thumbnail(_Float32Layer):
    """Area-averaged to a square of fixed size, so that size, tiles and JPEG quality hardly matter.

    Input: float [N, H, W, C]. Output: float32 [N, side, side, C].
    """

    def __init__(self, side: int, **kwargs):
        """Takes the side in pixels; kwargs as for `Layer`."""
        super().__init__(**kwargs)
        self.side = side

    def call(self, inputs):
        """Shrinks `inputs`."""
        return area_resized(inputs, self.side, self.side)

    def compute_output_shape(self, input_shape):
        """[N, side, side, C]."""
        return (input_shape[0], self.side, self.side, input_shape[-1])

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "side": self.side}


@saved_layer("kind", gains=several(real, 1, 8))
class BrighterViews(_Float32Layer):
    """An image and brighter versions of it: linear light times each of `gains`, clipped.

    Input: float [N, H, W, 3], sRGB in [0, 1]. Output: float32 [N, H, W, 3·(1 + number of gains)].
    """

    def __init__(self, gains, **kwargs):
        """Takes the gains; kwargs as for `Layer`."""
        super().__init__(**kwargs)
        self.gains = list(gains)

    def call(self, inputs):
        """Joins the versions as channels."""
        light = srgb_to_linear(inputs)
        views = [linear_to_srgb(tf.minimum(light * gain, 1.0)) for gain in self.gains]
        return tf.concat([inputs, *views], axis=-1)

    def compute_output_shape(self, input_shape):
        """[N, H, W, 3·(1 + number of gains)]."""
        return (*input_shape[:3], input_shape[3] * (1 + len(self.gains)))

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "gains": self.gains}


@saved_layer("kind", bins=whole(2, 256))
class SoftHistogram(_Float32Layer):
    """Histograms with triangular bins of √luma and √max(R, G, B), and each channel's mean and maximum.

    Where the brightest values end is the strongest clue to how many stops a photograph is under.

    Input: float [N, H, W, 3], sRGB in [0, 1]. Output: float32 [N, 2·bins + 6].
    """

    def __init__(self, bins: int, **kwargs):
        """Takes the number of bins; kwargs as for `Layer`."""
        super().__init__(**kwargs)
        self.bins = bins

    def call(self, inputs):
        """Measures each image."""
        luma = tf.reduce_sum(inputs * tf.constant(BT601), axis=-1)
        values = tf.sqrt(tf.stack([luma, tf.reduce_max(inputs, axis=-1)], axis=-1))[..., tf.newaxis, :]
        numbers = tf.range(float(self.bins))[:, tf.newaxis]
        hats = tf.nn.relu(1.0 - tf.abs(values * (self.bins - 1) - numbers))  # [N, H, W, bins, 2]
        shares = tf.reshape(tf.reduce_mean(hats, axis=[1, 2]), [-1, 2 * self.bins])
        shares = tf.sqrt(shares + 1e-6)  # rare values count as well
        return tf.concat(
            [shares, tf.reduce_mean(inputs, axis=[1, 2]), tf.reduce_max(inputs, axis=[1, 2])], axis=-1
        )

    def compute_output_shape(self, input_shape):
        """[N, 2·bins + 6]."""
        return (input_shape[0], 2 * self.bins + 6)

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "bins": self.bins}


def seen_contrast(thumbnails: tf.Tensor) -> tf.Tensor:
    """How much of images is more than one colour with noise, by the means of 16×16 parts of a thumbnail.

    0 where they differ by at most 2 of 255, 1 from 4 of 255 on: the darkest of LOL's photographs has 7.6.

    Args:
        thumbnails: float [N, S, S, 3] in [0, 1].

    Returns:
        float32 [N, 1, 1, 1] in [0, 1].
    """
    side = max(thumbnails.shape[1] // _PARTS, 1)
    parts = tf.nn.avg_pool2d(tf.cast(thumbnails, tf.float32), side, side, "VALID")
    spread = tf.reduce_max(parts, axis=[1, 2]) - tf.reduce_min(parts, axis=[1, 2])  # [N, 3]
    largest = tf.reduce_max(spread, axis=-1)[:, tf.newaxis, tf.newaxis, tf.newaxis]
    return tf.clip_by_value((largest - _NO_CONTRAST) / (_CONTRAST - _NO_CONTRAST), 0.0, 1.0)


@saved_layer("kind")
class SeenContrast(_Float32Layer):
    """Takes all stops out of a grid where an image holds nothing but one colour, or noise.

    How many stops such an image is under cannot be told; see `seen_contrast`.

    Input: [thumbnail float [N, S, S, 3] in [0, 1], grid float [N, G, G, bins]].
    Output: float32 [N, G, G, bins].
    """

    def call(self, inputs):
        """Lowers `inputs[1]`."""
        thumbnail, grid = inputs
        return grid - _NO_STOPS * (1.0 - seen_contrast(thumbnail))

    def compute_output_shape(self, input_shape):
        """The grid's."""
        return input_shape[1]


@saved_layer("kind")
class WholePlace(_Float32Layer):
    """The place of an image that is no tile: (0, 0, H, W).

    A place is the row and column, counted in the whole image, of a tile's first pixel, and the whole
    image's height and width.

    Input: float [N, H, W, C]. Output: float32 [N, 4].
    """

    def call(self, inputs):
        """Makes the places."""
        shape = tf.cast(tf.shape(inputs), tf.float32)
        return tf.ones([shape[0], 1]) * tf.stack([0.0, 0.0, shape[1], shape[2]])

    def compute_output_shape(self, input_shape):
        """[N, 4]."""
        return (input_shape[0], 4)


@saved_layer("kind")
class SlicedStops(_Float32Layer):
    """A map of stops at full resolution out of a coarse bilateral grid (Gharbi et al., "HDRNet", 2017).

    Paper: trilinear slicing by a learned guide. Here: the guide is √(luma + 0.02), scaled to [0, 1], of the
    5×5 binomially smoothed image, so that noise near black hardly moves it; along the height and width
    the grid is a cubic B-spline, which has no creases at its nodes. A softplus and a limit of 8 come last:
    no pixel is made darker.

    Input: [image float [N, H, W, 3] in [0, 1], grid float [N, G, G, bins], place float [N, 4]].
    Output: stops, float32 [N, H, W, 1] in [0, 8].
    """

    def call(self, inputs):
        """Slices the grid at each pixel."""
        image, grid, place = inputs
        shape = tf.shape(image)
        rows = _spline(shape[1], grid.shape[1], place[:, 0], place[:, 2])  # [N, H, G]
        columns = _spline(shape[2], grid.shape[2], place[:, 1], place[:, 3])  # [N, W, G]
        bins = grid.shape[-1]
        flat = tf.reshape(grid, [shape[0], grid.shape[1], grid.shape[2] * bins])
        strips = tf.reshape(tf.matmul(rows, flat), [shape[0], shape[1], grid.shape[2], bins])
        planes = tf.matmul(columns[:, tf.newaxis], strips)  # [N, H, W, bins]
        luma = tf.reduce_sum(image * tf.constant(BT601), axis=-1, keepdims=True)
        guide = tf.sqrt(_smoothed(_smoothed(luma)) + _FLOOR) - math.sqrt(_FLOOR)
        position = guide / (math.sqrt(1.0 + _FLOOR) - math.sqrt(_FLOOR)) * (bins - 1)  # [N, H, W, 1]
        hats = tf.nn.relu(1.0 - tf.abs(position - tf.range(float(bins))))
        logits = tf.reduce_sum(planes * hats, axis=-1, keepdims=True)
        return tf.minimum(tf.nn.softplus(2.0 * logits) / 2.0, 8.0)

    def compute_output_shape(self, input_shape):
        """[N, H, W, 1]."""
        return (*input_shape[0][:3], 1)

    def input_span(self, first, last):
        """See `kind.nn.spatial`: the guide is smoothed over 5×5 pixels."""
        return first - 2, last + 2

    def output_grid(self, scale, multiple):
        """See `kind.nn.spatial`."""
        return scale, multiple


@saved_layer("kind")
class MeanStops(_Float32Layer):
    """The mean of a map of stops over what it makes neither black nor white.

    A pixel counts by Y·(1 - Y) + 0.01, Y the luma of the exposed image: how many stops a black sky gets
    changes nothing, so neither should it change the suggestion.

    Input: [image float [N, H, W, 3], sRGB in [0, 1]; stops float [N, H, W, 1]]. Output: float32 [N, 1].
    """

    def call(self, inputs):
        """Averages `inputs[1]`."""
        image, stops = inputs
        shown = expose_trainably(image, stops + tf.zeros([3]))
        luma = tf.reduce_sum(shown * tf.constant(BT601), axis=-1, keepdims=True)
        weights = luma * (1.0 - luma) + 0.01
        return tf.reduce_sum(weights * stops, axis=[1, 2]) / tf.reduce_sum(weights, axis=[1, 2])

    def compute_output_shape(self, input_shape):
        """[N, 1]."""
        return (input_shape[0][0], 1)


@saved_layer("kind")
class Exposed(Pointwise, _Float32Layer):
    """An image under a map of stops, with a colour gain, in linear light and with a soft shoulder.

    Input: [image float [N, H, W, 3], sRGB in [0, 1]; stops float [N, H, W, 1]; colour float [N, 3], stops
    for each channel, which fade with the map]. Output: float32 [N, H, W, 3], sRGB in [0, 1].
    """

    def call(self, inputs):
        """Exposes `inputs[0]`."""
        image, stops, colour = inputs
        return expose_trainably(image, stops + faded(stops) * colour[:, tf.newaxis, tf.newaxis])

    def compute_output_shape(self, input_shape):
        """[N, H, W, 3]."""
        return input_shape[0]


@saved_layer("kind")
class WithinHeadroom(Pointwise, _Float32Layer):
    """An image and what is added to it, of which at most a quarter of what is left up to white.

    So the addition never burns a highlight out. Up to an eighth of the headroom it is added as it is.

    Input: [image float [N, H, W, 3] in [0, 1], addition float [N, H, W, 3]].
    Output: float32 [N, H, W, 3] in [0, 1].
    """

    def call(self, inputs):
        """Adds `inputs[1]`."""
        image, addition = inputs
        headroom = 1.0 - image
        share = tf.nn.relu(addition) / (headroom + 1e-3)
        beyond = tf.nn.relu(share - _LINEAR_SHARE)
        rest = _LARGEST_SHARE - _LINEAR_SHARE
        share = tf.minimum(share, _LINEAR_SHARE) + rest * (1.0 - tf.exp(-beyond / rest))
        return tf.nn.relu(image + headroom * share - tf.nn.relu(-addition))

    def compute_output_shape(self, input_shape):
        """[N, H, W, 3]."""
        return input_shape[0]


@saved_function("kind")
def faded(stops: tf.Tensor) -> tf.Tensor:
    """How much of the restoration is shown under so many stops: 1 - exp(-2E), 0 for E ≤ 0."""
    return 1.0 - tf.exp(-2.0 * tf.nn.relu(stops))


def _spline(length, nodes: int, start, whole):
    """Weights of a uniform cubic B-spline's nodes at pixel centres: float32 [N, length, nodes]."""
    centre = start[:, tf.newaxis] + tf.range(tf.cast(length, tf.float32)) + 0.5  # [N, length]
    position = centre / whole[:, tf.newaxis] * nodes - 0.5
    distance = tf.abs(position[..., tf.newaxis] - tf.range(-2.0, nodes + 2.0))  # [N, length, nodes + 4]
    near = 2.0 / 3.0 - distance**2 + distance**3 / 2.0
    far = tf.nn.relu(2.0 - distance) ** 3 / 6.0
    weights = tf.where(distance < 1.0, near, far)
    # Nodes past the ends repeat the last ones.
    first = tf.reduce_sum(weights[..., :3], axis=-1, keepdims=True)
    last = tf.reduce_sum(weights[..., -3:], axis=-1, keepdims=True)
    return tf.concat([first, weights[..., 3:-3], last], axis=-1)


def _smoothed(values):
    """A 3×3 binomial filter, the border repeated: [N, H, W, 1] → [N, H, W, 1]."""
    taller = tf.concat([values[:, :1], values, values[:, -1:]], axis=1)
    values = (taller[:, :-2] + 2.0 * taller[:, 1:-1] + taller[:, 2:]) / 4.0
    wider = tf.concat([values[:, :, :1], values, values[:, :, -1:]], axis=2)
    return (wider[:, :, :-2] + 2.0 * wider[:, :, 1:-1] + wider[:, :, 2:]) / 4.0
