"""YOLOX's backbone: KerasCV's `CSPDarkNetBackbone` with the published network's padding."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
from tensorflow import keras

from kind.detection.keras_cv_files import CHANNELS, DEPTH
from kind.detection.keras_cv_parts import (
    BATCH_NORM_EPSILON,
    BATCH_NORM_MOMENTUM,
    CSPDarkNetBackbone,
    apply_conv_bn,
)
from kind.nn.file_schema import Known, choice, flag, objects, optional, scope_name, several
from kind.nn.known_layers import saved_layer

_POOLS = (5, 9, 13)


@saved_layer("detection")
class Focus(keras.layers.Layer):
    """Every 2×2 pixels as channels: upper left, lower left, upper right, lower right (YOLOX's order).

    KerasCV slices the graph's own tensors, which becomes an operation that no saved network may ask for.

    Input: float [N, H, W, C], H and W even. Output: float [N, H/2, W/2, 4C].
    """

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Joins the four corners."""
        return tf.concat([images[:, row::2, column::2] for column in (0, 1) for row in (0, 1)], axis=-1)


@keras.utils.register_keras_serializable("detection")
class CSPDarkNet(CSPDarkNetBackbone):
    """A `CSPDarkNetBackbone` whose outputs are those of the published YOLOX backbones.

    Layers, channels and parameters are KerasCV's. KerasCV: a stride of 2 pads the right and the bottom edge
    only ("same"), which moves every feature by a pixel against the published networks. Here: all four edges,
    as in PyTorch. KerasCV: normalisations keep 0.99 of their statistics, and layers inside blocks have names
    that depend on what was built before. Here: 0.97, as published, and fixed names.

    Paper: Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv:2107.08430; Wang et al., "CSPNet", CVPR
    Workshops 2020.

    Input: float32 [N, H, W, 3], RGB in [0, 1], H and W multiples of 32. Output: float32 [N, H/32, W/32, C].
    `pyramid_level_inputs` names the layers with the features at strides 2 (P1) to 32 (P5).
    """

    def __init__(
        self,
        *,
        stackwise_channels: Sequence[int],
        stackwise_depth: Sequence[int],
        include_rescaling: bool = False,
        use_depthwise: bool = False,
        input_shape: Sequence[int | None] = (None, None, 3),
        input_tensor: object = None,
        **kwargs,
    ) -> None:
        """Builds the graph.

        Args:
            stackwise_channels: of the four stacks, at strides 4, 8, 16 and 32; even.
            stackwise_depth: bottlenecks in the block of each stack.
            include_rescaling: must be False: the range of the input is part of the first kernel.
            use_depthwise: 3×3 convolutions are a depthwise one and a 1×1, as in YOLOX-nano.
            input_shape: height, width, channels.
            input_tensor: a Keras tensor to use as the input instead of a new one.
            kwargs: of `keras.Model`, such as `name`.

        Raises:
            ValueError: when asked to rescale.
        """
        if include_rescaling:
            raise ValueError("CSPDarkNet expects include_rescaling=False; received True")
        image = keras.Input(tuple(input_shape), name="image") if input_tensor is None else input_tensor
        values = convolution(Focus(name="stem_focus")(image), stackwise_channels[0] // 2, 3, name="stem_conv")
        levels = {"P1": "stem_conv"}
        last = len(stackwise_channels) - 1
        for index, (channels, depth) in enumerate(zip(stackwise_channels, stackwise_depth)):
            stack = f"dark{index + 2}"
            values = convolution(values, channels, 3, 2, depthwise=use_depthwise, name=f"{stack}_conv")
            if index == last:
                values = _spatial_pyramid(values, channels, name=f"{stack}_spp")
            values = cross_stage_partial(
                values,
                channels,
                depth,
                residual=index != last,
                depthwise=use_depthwise,
                name=f"{stack}_csp",
            )
            levels[f"P{index + 2}"] = f"{stack}_csp_3"
        # Not KerasCV's own constructor, which would build its own graph.
        super(CSPDarkNetBackbone, self).__init__(inputs=image, outputs=values, **kwargs)
        self.pyramid_level_inputs = levels
        self.stackwise_channels = list(stackwise_channels)
        self.stackwise_depth = list(stackwise_depth)
        self.include_rescaling = include_rescaling
        self.use_depthwise = use_depthwise
        self.input_tensor = input_tensor


saved_darknet = objects(
    {
        (__name__, "CSPDarkNet", "detection>CSPDarkNet"): Known(
            CSPDarkNet,
            {
                "name": scope_name,
                "trainable": flag,
                "stackwise_channels": several(CHANNELS, 4, 4),
                "stackwise_depth": several(DEPTH, 4, 4),
                "include_rescaling": choice(False),
                "use_depthwise": flag,
                "input_shape": several(optional(CHANNELS), 3, 3),
                "input_tensor": choice(None),
            },
        )
    }
)
"""A check: the description of this backbone in a file."""


def convolution(
    values, channels: int, size: int = 1, strides: int = 1, *, depthwise: bool = False, name: str
):
    """Convolution, batch normalisation and SiLU; depthwise: a k×k for each channel, then a 1×1, each so.

    Args:
        values: Keras tensor [N, H, W, C].
        channels: of the result.
        size: of the kernel, odd.
        strides: 1 or 2.
        depthwise: see above.
        name: of the last layer; the others' names begin with it.

    Returns:
        Keras tensor [N, H/strides, W/strides, channels].
    """
    if not depthwise:
        return apply_conv_bn(values, channels, kernel_size=size, strides=strides, name=name)
    if strides > 1:  # "same" would pad the right and the bottom edge only
        values = keras.layers.ZeroPadding2D(size // 2, name=f"{name}_depthwise_pad")(values)
    values = keras.layers.DepthwiseConv2D(
        size,
        strides,
        padding="same" if strides == 1 else "valid",
        use_bias=False,
        name=f"{name}_depthwise_conv",
    )(values)
    values = keras.layers.BatchNormalization(
        momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name=f"{name}_depthwise_bn"
    )(values)
    values = keras.layers.Activation("swish", name=f"{name}_depthwise")(values)
    return apply_conv_bn(values, channels, name=name)


def cross_stage_partial(values, channels: int, depth: int, *, residual: bool, depthwise: bool, name: str):
    """Half of the channels through bottlenecks, half past them, then joined.

    Args:
        values: Keras tensor [N, H, W, C].
        channels: of the result; even.
        depth: bottlenecks, a 1×1 and a 3×3 convolution each.
        residual: each bottleneck adds to what it was given.
        depthwise: see `convolution`.
        name: see `convolution`; the last layer is `{name}_3`.

    Returns:
        Keras tensor [N, H, W, channels].
    """
    through = convolution(values, channels // 2, name=f"{name}_1")
    past = convolution(values, channels // 2, name=f"{name}_2")
    for number in range(depth):
        part = f"{name}_bottleneck_{number}"
        inner = convolution(through, channels // 2, name=f"{part}_1")
        inner = convolution(inner, channels // 2, 3, depthwise=depthwise, name=f"{part}_2")
        through = keras.layers.Add(name=f"{part}_add")([inner, through]) if residual else inner
    joined = keras.layers.Concatenate(name=f"{name}_join")([through, past])
    return convolution(joined, channels, name=f"{name}_3")


def _spatial_pyramid(values, channels: int, name: str):
    """Maxima over 5×5, 9×9 and 13×13 pixels beside the values themselves (He et al., SPP, 2014)."""
    values = convolution(values, channels // 2, name=f"{name}_1")
    pooled = [
        keras.layers.MaxPooling2D(size, strides=1, padding="same", name=f"{name}_pool_{size}")(values)
        for size in _POOLS
    ]
    joined = keras.layers.Concatenate(name=f"{name}_join")([values, *pooled])
    return convolution(joined, channels, name=f"{name}_2")
