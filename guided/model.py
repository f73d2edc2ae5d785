"""The guided networks: image and wanted brightness → enhanced image.

The architecture is that of the public code zhilin007/LightEnhancement.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf
from tensorflow import keras

from kind.guided.config import NAMES
from kind.nn.guided_layers import (
    AdaptiveNormalization,
    AppliedSlope,
    BlockMean,
    Detached,
    Enlarged,
    GridPooling,
    InstanceNormalization,
    LocalMoments,
    ResizedLike,
)

WIDTHS = (16, 32, 64, 64)
_POOLED, _GRIDS = 128, (8, 4, 2)
_OUT_OF_POOLING = 64
_QUARTER = 4
_FILTER_WIDTH, _GUIDE_WIDTH = 32, 16


class Design(NamedTuple):
    """What of a guided network can be switched.

    Attributes:
        norm: of the encoder: "instance" (published), "batch" or "adaptive".
        guide: what the filter is guided by: "learned" (published), "image", the image itself; "none" enlarges
            the result bilinearly without a filter.
        radius: of the filter, in pixels at a quarter of the resolution.
        scale: of the image that the predictor of the brightness sees, one of 1, 1/2, 1/4 and 1/8.
        momentum: of the filter's adaptive norms, in Keras's sense. Published: 0.001, which keeps the last
            batch alone. Here: 0.9, as of all other norms, because few crops say little of all photographs.
        widths: channels at 1/4, 1/8, 1/16 and 1/32 of the resolution.
    """

    norm: str = "instance"
    guide: str = "learned"
    radius: int = 1
    scale: float = 0.25
    momentum: float = 0.9
    widths: tuple[int, int, int, int] = WIDTHS


PUBLISHED = Design()


@tf.autograph.experimental.do_not_convert  # it has no Python branches on tensors
def guided_net(design: Design = PUBLISHED) -> keras.Model:
    """Builds `guided`: 427,556 trained weights.

    An encoder (a slim ResNet-18 with a 7×7 stem), pooling over grids and a decoder (SwiftNet's) make a small
    result at a quarter of the resolution; a learned guided filter carries it to full size.

    Args:
        design: its switches.

    Returns:
        A model named "guided" from [image S, sRGB float32 [N, H, W, 3] in [0, 1], any size from 1×1; wanted
        brightness, mean luma in [0, 1], as a plane float32 [N, H, W, 1]] to [enhanced image, float32
        [N, H, W, 3], close to [0, 1] but not clipped; the plane that it was made for, float32 [N, H, W, 1]].
    """
    image, brightness = _inputs()
    plane = keras.layers.Activation("linear", dtype="float32", name="plane")(brightness)
    return _finished(image, brightness, plane, _trunk(design, ""), design, NAMES[0])


@tf.autograph.experimental.do_not_convert
def guided_y_net(design: Design = PUBLISHED) -> keras.Model:
    """Builds `guided-y`: a second network predicts the plane of luma; 853,458 trained weights.

    Args:
        design: see `guided_net`.

    Returns:
        A model named "guided-y", see `guided_net`; its second output is the predicted luma, which the first
        one is made for and passes no gradient to.
    """
    image, brightness = _inputs()
    plane = _predicted(image, brightness, _trunk(design, "y_"), design)
    return _finished(image, brightness, plane, _trunk(design, ""), design, NAMES[1])


@tf.autograph.experimental.do_not_convert
def guided_y_shared_net(design: Design = PUBLISHED) -> keras.Model:
    """Builds `guided-y-shared`: both share encoder and pooling; 494,981 trained weights.

    Args:
        design: see `guided_net`.

    Returns:
        A model named "guided-y-shared", see `guided_y_net`.
    """
    image, brightness = _inputs()
    trunk = _trunk(design, "")
    plane = _predicted(image, brightness, trunk, design)
    return _finished(image, brightness, plane, trunk, design, NAMES[2])


NETWORKS = dict(zip(NAMES, (guided_net, guided_y_net, guided_y_shared_net)))


def _inputs():
    return keras.Input((None, None, 3), name="image"), keras.Input((None, None, 1), name="brightness")


def _predicted(image, brightness, trunk, design: Design):
    """The luma plane that is predicted from a smaller image, [N, H, W, 1]."""
    factor = round(1 / design.scale)
    joined = keras.layers.Concatenate(name="y_join")([image, brightness])
    if factor > 1:
        joined = BlockMean(factor, name="y_small")(joined)
    small = _decoded(trunk(joined), design, 1, "y_")
    small = keras.layers.Activation("linear", dtype="float32", name="y_plane")(small)
    return Enlarged(_QUARTER * factor, name="plane")([small, image])


def _finished(image, brightness, plane, trunk, design: Design, name: str) -> keras.Model:
    """The network for an image and the plane that it is made for."""
    wanted = Detached(name="wanted")(plane)
    joined = keras.layers.Concatenate(name="join")([image, wanted])  # [N, H, W, 4]
    small = _decoded(trunk(joined), design, 3, "")  # [N, H/4, W/4, 3]
    small = keras.layers.Activation("linear", dtype="float32", name="small")(small)
    if design.guide == "none":
        enlarged = Enlarged(_QUARTER, name="enlarged")([small, image])
        output = keras.layers.Activation("linear", dtype="float32", name="enhanced")(enlarged)
        return keras.Model([image, brightness], [output, plane], name=name)
    seen = joined if design.guide == "learned" else image
    guided_by = _guide(design)
    # Published: the middle 2×2 pixels of each 4×4. Here: all of them, which averages noise.
    quarter = BlockMean(_QUARTER, name="quarter")(seen)
    slopes = _slopes(guided_by(quarter), small, design)  # [N, H/4, W/4, 6]
    enlarged = Enlarged(_QUARTER, name="enlarged")([slopes, image])
    guide = keras.layers.Activation("linear", name="guide")(guided_by(seen))
    output = AppliedSlope(name="enhanced")([guide, enlarged])
    return keras.Model([image, brightness], [output, plane], name=name)


def _guide(design: Design):
    """A function from image and plane (or the image alone) to the guide, at any size: → [N, H, W, 3]."""
    if design.guide == "image":
        return lambda values: values
    layers = [
        keras.layers.Conv2D(_GUIDE_WIDTH, 1, use_bias=False, name="guide_1"),
        AdaptiveNormalization(design.momentum, name="guide_norm"),
        keras.layers.ReLU(name="guide_relu"),
        keras.layers.Conv2D(3, 1, name="guide_2"),
    ]
    return lambda values: _through(layers, values)


def _slopes(guide, small, design: Design):
    """A and b of a guided filter whose A is learnt: [N, h, w, 3] twice → [N, h, w, 6]."""
    mean_guide, mean_small, joint = LocalMoments(design.radius, name="moments")([guide, small])
    values = joint
    for number in (1, 2):
        values = keras.layers.Conv2D(_FILTER_WIDTH, 1, use_bias=False, name=f"slope_{number}")(values)
        values = AdaptiveNormalization(design.momentum, name=f"slope_norm_{number}")(values)
        values = keras.layers.ReLU(name=f"slope_relu_{number}")(values)
    slope = keras.layers.Conv2D(3, 1, use_bias=False, dtype="float32", name="slope_3")(values)
    explained = keras.layers.Multiply(dtype="float32", name="explained")([slope, mean_guide])
    offset = keras.layers.Subtract(dtype="float32", name="offset")([mean_small, explained])
    return keras.layers.Concatenate(dtype="float32", name="slopes")([slope, offset])


def _trunk(design: Design, prefix: str):
    """A function from [N, H, W, 4] to features at 1/4, 1/8, 1/16 and, pooled over grids, 1/32.

    Layers are made once and may be used twice, which is how two networks share them.
    """
    stem = [
        keras.layers.ZeroPadding2D(3, name=f"{prefix}stem_pad"),
        keras.layers.Conv2D(design.widths[0], 7, 2, name=f"{prefix}stem"),
        keras.layers.ReLU(name=f"{prefix}stem_relu"),
        keras.layers.ZeroPadding2D(1, name=f"{prefix}stem_pool_pad"),  # zeros: nothing is below
        keras.layers.MaxPooling2D(3, 2, name=f"{prefix}stem_pool"),
    ]
    levels = []
    before = design.widths[0]
    for level, width in enumerate(design.widths, start=1):
        names = [f"{prefix}encode_{level}_{number}" for number in (1, 2)]
        strides = 1 if level == 1 else 2
        first = _block(before, width, strides, design.norm, names[0])
        levels.append((first, _block(width, width, 1, design.norm, names[1])))
        before = width
    pooling = _pooling(f"{prefix}pool")

    def features(values):
        values = _through(stem, values)
        found = []
        for first, second in levels:
            skip, values = second(first(values)[1])
            found.append(skip)
        return [*found[:-1], pooling(found[-1])]

    return features


def _block(before: int, width: int, strides: int, norm: str, name: str):
    """A residual block; the function gives the sum before and after its ReLU."""
    inner = [
        keras.layers.ZeroPadding2D(1, name=f"{name}_pad"),
        keras.layers.Conv2D(width, 3, strides, name=f"{name}_1_of_2"),
        _norm(norm, f"{name}_norm_1"),
        keras.layers.ReLU(name=f"{name}_relu_1"),
        keras.layers.Conv2D(width, 3, padding="same", name=f"{name}_2_of_2"),
        _norm(norm, f"{name}_norm_2"),
    ]
    add = keras.layers.Add(name=f"{name}_add")
    relu = keras.layers.ReLU(name=name)
    shortcut = None
    if strides != 1 or before != width:
        shortcut = keras.layers.Conv2D(width, 1, strides, use_bias=False, name=f"{name}_shortcut")

    def call(values):
        total = add([_through(inner, values), shortcut(values) if shortcut else values])
        return total, relu(total)

    return call


def _pooling(name: str):
    """Pooling over grids: what is known of the whole image joins each pixel, [N, h, w, C] → [N, h, w, 64]."""
    narrow = _OUT_OF_POOLING // len(_GRIDS)
    first = _norm_relu_conv(_POOLED, 1, f"{name}_in")
    grids = [
        (GridPooling(cells, name=f"{name}_grid_{cells}"), _norm_relu_conv(narrow, 1, f"{name}_{cells}"))
        for cells in _GRIDS
    ]
    resized = [ResizedLike(name=f"{name}_resized_{cells}") for cells in _GRIDS]
    join = keras.layers.Concatenate(name=f"{name}_join")
    last = _norm_relu_conv(_OUT_OF_POOLING, 1, f"{name}_out")

    def call(values):
        values = first(values)
        pooled = [resize([conv(grid(values)), values]) for (grid, conv), resize in zip(grids, resized)]
        return last(join([values, *pooled]))

    return call


def _decoded(features, design: Design, channels: int, prefix: str):
    """SwiftNet's decoder, from 1/32 to 1/4 of the resolution: [N, H/4, W/4, channels]."""
    *skips, values = features
    for level in (3, 2, 1):
        width, skip = values.shape[-1], skips[level - 1]
        name = f"{prefix}decode_{level}"
        skip = _norm_relu_conv(width, 1, f"{name}_skip")(skip)
        values = ResizedLike(name=f"{name}_resized")([values, skip])
        values = keras.layers.Add(name=f"{name}_add")([values, skip])
        values = _norm_relu_conv(design.widths[level - 1], 3, f"{name}_blend")(values)
    return _norm_relu_conv(channels, 1, f"{prefix}head")(values)


def _norm_relu_conv(width: int, size: int, name: str):
    """Batch normalisation, ReLU and a convolution, as a function."""
    layers = [
        keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm"),
        keras.layers.ReLU(name=f"{name}_relu"),
        keras.layers.Conv2D(width, size, padding="same", name=name),
    ]
    return lambda values: _through(layers, values)


def _norm(kind: str, name: str) -> keras.layers.Layer:
    if kind == "instance":
        return InstanceNormalization(name=name)
    if kind == "adaptive":
        return AdaptiveNormalization(0.9, name=name)  # see `Design.momentum`
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)


def _through(layers, values):
    for layer in layers:
        values = layer(values)
    return values
