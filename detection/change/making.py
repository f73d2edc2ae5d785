"""Pairs made from one photograph, whose truth is known: what was pasted in or taken out has changed.

A network could find pasted objects by how they are pasted, without any comparing. So objects are pasted into
both dates as well, which is no change; what is taken out leaves no trace; some changes show the photograph's
own texture; every object is matched to the light around it; and both dates get small shifts, other colours,
soft shadows, blur and the compression of a camera after all pasting.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

from kind.constants import BT601
from kind.detection.change.cutouts import SIDE
from kind.ops.light import linear_to_srgb, srgb_to_linear, stops_to_gain

CHANGES, COMMON = 3, 3
"""Objects that may differ between the dates, and that may stand in both."""

OBJECTS = CHANGES + COMMON

MARGIN = 8
"""Pixels around the pair while it is made, so that shifts find something."""

_NUMBERS = (0.08, 0.45, 0.78)  # cumulative: no change, one, two; the rest three
_COMMON_SHARE = 0.5
_KINDS = (0.35, 0.7, 0.85)  # cumulative: taken out, put in, replaced; the rest has moved
_OWN_TEXTURE = 0.25
_SIZES = (0.16, 0.7)  # an object's longest side as a part of the pair's
_LONGEST = 120.0  # of the object in its square
_TURN = math.radians(20.0)
_MATCHED = 0.9  # of the difference in brightness to the surroundings, at most
_LEAST_DIFFERENCE = 0.07  # on average to what it covers, from which on an object is a change
_OPAQUE = 0.5  # opacity from which on a pixel has changed

_SHIFT, _ANGLE, _ZOOM = 1.5, math.radians(0.3), 0.006  # standard deviations of what is no change
_STOPS, _BALANCE, _CONTRAST, _SATURATION = 0.3, 0.08, 0.08, 0.15
_FIELD_STOPS, _FIELD_SHARE, _FIELD_NODES = 0.5, 0.5, 4
_SHADOW_STOPS, _SHADOW_SHARE, _SHADOW_EDGE = 0.8, 0.25, 0.15
_BLUR_SHARE = 0.25


class Pair(NamedTuple):
    """Two dates of one place.

    Attributes:
        before: float32 [S, S, 3], sRGB in [0, 1].
        after: likewise.
        label: float32 [S, S, 1], 1 where something has changed.
    """

    before: tf.Tensor
    after: tf.Tensor
    label: tf.Tensor


class _Layer(NamedTuple):
    colours: tf.Tensor  # float32 [S, S, 3], times opacity
    opacity: tf.Tensor  # float32 [S, S, 1]


def make_pair(photograph: tf.Tensor, cut_outs: tf.Tensor, seed: tf.Tensor, size: int) -> Pair:
    """Makes a pair of one photograph, in the light that it was taken in.

    Args:
        photograph: float32 [H, W, 3], sRGB in [0, 1].
        cut_outs: float32 [OBJECTS, 128, 128, 4], of other photographs, see `detection.change.cutouts`.
        seed: int32 [2]; the same seed gives the same pair.
        size: S, the side of the pair in pixels.

    Returns:
        The pair.
    """
    seeds = tf.unstack(tf.random.split(seed, 6, alg="philox"))
    canvas = _cropped(photograph, size + 2 * MARGIN, seeds[0])
    canvas = _with_common(canvas, cut_outs, seeds[1])
    dates = tf.stack([_shifted(canvas, _folded(seeds[2], date)) for date in range(2)])
    dates, opacity = _with_changes(dates, cut_outs, seeds[3], _number(seeds[4]))
    inside = slice(MARGIN, MARGIN + size)
    label = tf.cast(opacity[inside, inside] > _OPAQUE, tf.float32)
    keys = tf.random.split(seeds[5], 2, alg="philox")
    dates = tf.map_fn(
        lambda one: _another_day(*one),
        (dates[:, inside, inside], keys),
        fn_output_signature=tf.TensorSpec([size, size, 3]),
    )
    return Pair(*tf.unstack(dates), tf.ensure_shape(label, [size, size, 1]))


# Loops, although there are few objects: unrolled, the graph takes half a minute to be made.
def _with_common(canvas: tf.Tensor, cut_outs: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """The canvas with objects that stand there at both dates."""

    def step(place: tf.Tensor, canvas: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        key = _folded(seed, place)
        canvas = tf.cond(
            _uniform(_folded(key, 0), []) < _COMMON_SHARE,
            lambda: _over(canvas, _placed(cut_outs[place], canvas, key)),
            lambda: canvas,
        )
        return place + 1, canvas

    return tf.while_loop(lambda place, _: place < OBJECTS, step, (CHANGES, canvas))[1]


def _with_changes(
    dates: tf.Tensor, cut_outs: tf.Tensor, seed: tf.Tensor, number: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Both dates with so many changes, and the opacity of what has changed."""

    def step(place: tf.Tensor, dates: tf.Tensor, opacity: tf.Tensor) -> tuple:
        layers = _change(dates, cut_outs[place], _folded(seed, place))
        layers = [_visible(layer, date) for layer, date in zip(layers, tf.unstack(dates))]
        dates = tf.stack([_over(date, layer) for layer, date in zip(layers, tf.unstack(dates))])
        return place + 1, dates, tf.maximum(opacity, tf.maximum(layers[0].opacity, layers[1].opacity))

    first = (0, dates, tf.zeros_like(dates[0, ..., :1]))
    return tf.while_loop(lambda place, *_: place < number, step, first)[1:]


def _number(seed: tf.Tensor) -> tf.Tensor:
    """How many changes there are, int32 scalar."""
    return tf.reduce_sum(tf.cast(_uniform(seed, []) >= tf.constant(_NUMBERS), tf.int32))


def _cropped(photograph: tf.Tensor, side: int, seed: tf.Tensor) -> tf.Tensor:
    """A square of the photograph, mirrored or not: float32 [side, side, 3]."""
    draws = tf.unstack(_uniform(seed, [4]))
    shape = tf.cast(tf.shape(photograph)[:2], tf.float32)
    length = tf.reduce_min(shape) * (0.5 + 0.5 * draws[0])
    ends = tf.cast((shape - length) * tf.stack(draws[1:3]), tf.int32)
    length = tf.maximum(tf.cast(length, tf.int32), 1)
    part = photograph[ends[0] : ends[0] + length, ends[1] : ends[1] + length]
    part = tf.cond(draws[3] < 0.5, lambda: part, lambda: part[:, ::-1])
    part = tf.image.resize(part, [side, side], antialias=True)
    return tf.clip_by_value(part, 0.0, 1.0)


def _change(dates: tf.Tensor, cut_out: tf.Tensor, seed: tf.Tensor) -> tuple[_Layer, _Layer]:
    """What stands at either date: an object, another one in its place, itself elsewhere, or nothing."""
    before, after = tf.unstack(dates)
    kind = tf.reduce_sum(tf.cast(_uniform(_folded(seed, 1), []) >= tf.constant(_KINDS), tf.int32))
    layer = _placed(cut_out, before, seed)
    nothing = _Layer(tf.zeros_like(before), tf.zeros_like(before[..., :1]))
    return tf.switch_case(
        kind,
        [
            lambda: (layer, nothing),
            lambda: (nothing, _matched(layer, after, seed)),
            lambda: (layer, _textured(layer, after, _folded(seed, 3))),
            lambda: (layer, _placed(cut_out, after, _folded(seed, 2))),
        ],
    )


def _placed(cut_out: tf.Tensor, canvas: tf.Tensor, seed: tf.Tensor) -> _Layer:
    """An object somewhere on a canvas, in the light there."""
    draws = tf.unstack(_uniform(_folded(seed, 10), [6]))
    side = tf.cast(tf.shape(canvas)[0], tf.float32)
    longest = side * tf.exp(_between(draws[0], *map(math.log, _SIZES)))
    scale, angle = longest / _LONGEST, _TURN * (2.0 * draws[1] - 1.0)
    centre = tf.stack(draws[2:4]) * side
    mirror = tf.where(draws[4] < 0.5, 1.0, -1.0)
    length = tf.cast(tf.round(scale * SIDE), tf.int32)
    small = tf.image.resize(cut_out[tf.newaxis], [length, length], antialias=True)
    layer = _turned(small, angle, centre, mirror, tf.shape(canvas)[:2])
    layer = tf.clip_by_value(tf.reshape(layer, [canvas.shape[0], canvas.shape[1], 4]), 0.0, 1.0)
    placed = _Layer(layer[..., :3], layer[..., 3:])
    return tf.cond(
        draws[5] < _OWN_TEXTURE,
        lambda: _textured(placed, canvas, _folded(seed, 11)),
        lambda: _matched(placed, canvas, seed),
    )


def _turned(values, angle, centre, mirror, shape) -> tf.Tensor:
    """A square, float32 [1, s, s, C], turned, mirrored and moved so that its middle is at `centre` (x, y)."""
    middle = (tf.cast(tf.shape(values)[1], tf.float32) - 1.0) / 2.0
    cosine, sine = tf.cos(angle), tf.sin(angle)
    rows = [
        [mirror * cosine, mirror * sine, middle - mirror * (cosine * centre[0] + sine * centre[1])],
        [-sine, cosine, middle - (cosine * centre[1] - sine * centre[0])],
    ]
    return _warped(values, rows, shape, "CONSTANT")


def _warped(values: tf.Tensor, rows: list, shape: tf.Tensor, border: str) -> tf.Tensor:
    transform = tf.stack([*rows[0], *rows[1], 0.0, 0.0])[tf.newaxis]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=values,
        transforms=transform,
        output_shape=shape,
        interpolation="BILINEAR",
        fill_mode=border,
        fill_value=0.0,
    )


def _matched(layer: _Layer, canvas: tf.Tensor, seed: tf.Tensor) -> _Layer:
    """An object as bright as what it covers, or partly so."""
    share = _MATCHED * _uniform(_folded(seed, 12), [])
    weight = tf.reduce_sum(layer.opacity) + 1e-3
    around = tf.reduce_sum(canvas * layer.opacity, axis=[0, 1]) / weight
    own = tf.reduce_sum(layer.colours, axis=[0, 1]) / weight
    gray = [tf.reduce_sum(one * tf.constant(BT601)) + 0.05 for one in (around, own)]
    gain = tf.exp(share * tf.math.log(gray[0] / gray[1]))
    return _Layer(tf.minimum(layer.colours * gain, layer.opacity), layer.opacity)


def _textured(layer: _Layer, canvas: tf.Tensor, seed: tf.Tensor) -> _Layer:
    """Another part of the canvas in the shape of an object."""
    side = tf.shape(canvas)[0]
    moves = tf.random.stateless_uniform([2], seed, side // 4, side - side // 4, tf.int32, alg="philox")
    return _Layer(tf.roll(canvas, moves, [0, 1]) * layer.opacity, layer.opacity)


def _visible(layer: _Layer, canvas: tf.Tensor) -> _Layer:
    """The layer when it differs from what it covers, nothing otherwise."""
    differs = tf.reduce_sum(tf.abs(layer.colours - canvas * layer.opacity)) / 3.0
    is_visible = tf.cast(differs > _LEAST_DIFFERENCE * (tf.reduce_sum(layer.opacity) + 1e-3), tf.float32)
    return _Layer(layer.colours * is_visible, layer.opacity * is_visible)


def _over(canvas: tf.Tensor, layer: _Layer) -> tf.Tensor:
    return canvas * (1.0 - layer.opacity) + layer.colours


def _shifted(canvas: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """The canvas as another hand would hold the camera: shifted, turned and zoomed a little."""
    draws = tf.unstack(tf.clip_by_value(_normal(seed, [4]), -2.0, 2.0))
    middle = (tf.cast(tf.shape(canvas)[0], tf.float32) - 1.0) / 2.0
    zoom = 1.0 + _ZOOM * draws[3]
    cosine, sine = zoom * tf.cos(_ANGLE * draws[2]), zoom * tf.sin(_ANGLE * draws[2])
    rows = [
        [cosine, sine, middle - middle * (cosine + sine) + _SHIFT * draws[0]],
        [-sine, cosine, middle - middle * (cosine - sine) + _SHIFT * draws[1]],
    ]
    warped = _warped(canvas[tf.newaxis], rows, tf.shape(canvas)[:2], "REFLECT")
    return tf.reshape(warped, canvas.shape)


def _another_day(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Colours, shadows and sharpness of another day: none of them is a change."""
    normal = tf.unstack(tf.clip_by_value(_normal(_folded(seed, 0), [6]), -2.0, 2.0))
    draws = tf.unstack(_uniform(_folded(seed, 1), [4]))
    stops = _STOPS * normal[0] + _BALANCE * tf.stack([normal[1], 0.0, normal[2]])
    field, shadow = (_smooth(tf.shape(image)[:2], _folded(seed, 2 + number)) for number in range(2))
    stops += tf.where(draws[0] < _FIELD_SHARE, _FIELD_STOPS * field, 0.0)
    shadow = tf.sigmoid(shadow / _SHADOW_EDGE * 4.0)
    stops -= tf.where(draws[1] < _SHADOW_SHARE, _SHADOW_STOPS * draws[2] * shadow, 0.0)
    image = linear_to_srgb(srgb_to_linear(image) * stops_to_gain(stops))
    gray = tf.reduce_sum(image * tf.constant(BT601), axis=-1, keepdims=True)
    image = gray + (image - gray) * (1.0 + _SATURATION * normal[3])
    image = 0.5 + (image - 0.5) * (1.0 + _CONTRAST * normal[4])
    blurred = tf.nn.avg_pool2d(image[tf.newaxis], 3, 1, "SAME")[0]
    image = tf.where(draws[3] < _BLUR_SHARE, blurred, image)
    return tf.clip_by_value(image, 0.0, 1.0)


def _smooth(size: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """A smooth random field around 0: float32 [H, W, 1]."""
    nodes = _normal(seed, [1, _FIELD_NODES, _FIELD_NODES, 1])
    return tf.image.resize(nodes, size, method="bicubic")[0]


def _folded(seed: tf.Tensor, number: int) -> tf.Tensor:
    return tf.random.experimental.stateless_fold_in(seed, number)


def _uniform(seed: tf.Tensor, shape: list[int]) -> tf.Tensor:
    return tf.random.stateless_uniform(shape, seed, alg="philox")


def _normal(seed: tf.Tensor, shape: list[int]) -> tf.Tensor:
    return tf.random.stateless_normal(shape, seed, alg="philox")


def _between(draw: tf.Tensor, low: float, high: float) -> tf.Tensor:
    return low + draw * (high - low)
