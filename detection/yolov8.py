"""YOLOv8's graph after the backbone: path aggregation and heads, as functions on Keras tensors."""

from __future__ import annotations

import math

from tensorflow import keras

from kind.detection.keras_cv_parts import apply_conv_bn, apply_csp_block

STRIDES = (8, 16, 32)
"""Pixels between the anchors of the three levels; of every architecture here."""

BINS = 16
"""A box side is a distribution over the distances 0, 1, … 15 strides."""

HEAD_INPUTS = tuple(f"yolo_v8_head_{level}_box_1_pad" for level in (1, 2, 3))
"""The layers that read the pyramid's features at strides 8, 16 and 32."""

CLASS_LAYERS = tuple(f"yolo_v8_head_{level}_class_3_conv" for level in (1, 2, 3))
"""The layers whose size depends on the number of classes."""

# Before training a score says: five boxes of any class in an image of 640 by 640.
_PRIOR_BOXES, _PRIOR_SIDE = 5.0, 640.0
_KERNEL_DEVIATION = 0.01


def pyramid(features, depths: tuple[int, int]):
    """YOLOv8's path aggregation: down from P5 to P3, and up again; same shapes as `features`.

    Args:
        features: Keras tensors [N, H, W, C] of the backbone at strides 8, 16 and 32.
        depths: bottlenecks in both blocks of the first way, and in both of the second.

    Returns:
        Three Keras tensors.
    """
    first, second = depths
    p3, p4, p5 = features

    def block(inputs, like, depth, name):
        joined = keras.layers.Concatenate(name=f"{name}_join")(inputs)
        return apply_csp_block(joined, channels=like.shape[-1], depth=depth, shortcut=False, name=name)

    def double(values, name):
        return keras.layers.UpSampling2D(2, name=f"{name}_up")(values)

    def halve(values, name):
        return apply_conv_bn(values, values.shape[-1], kernel_size=3, strides=2, name=name)

    # The names are KerasCV's, so that its weights fit.
    p4p5 = block([double(p5, "pa_fpn_p5"), p4], p4, first, "pa_fpn_p4p5")
    p3p4p5 = block([double(p4p5, "pa_fpn_p4p5"), p3], p3, first, "pa_fpn_p3p4p5")
    down_1 = halve(p3p4p5, "pa_fpn_p3p4p5_downsample1")
    middle = block([down_1, p4p5], p4, second, "pa_fpn_p3p4p5_downsample1_block")
    down_2 = halve(middle, "pa_fpn_p3p4p5_downsample2")
    return [p3p4p5, middle, block([down_2, p5], p5, second, "pa_fpn_p3p4p5_downsample2_block")]


def heads(pyramid, classes: int, class_channels: int) -> dict:
    """Two branches a level, each of two convolutions and a 1×1 convolution; see `detection.model.YoloV8`."""
    box_channels = max(4 * BINS, pyramid[0].shape[-1] // 4)
    boxes, scores = [], []
    for number, (values, stride) in enumerate(zip(pyramid, STRIDES), start=1):
        prior = math.log(_PRIOR_BOXES / classes / (_PRIOR_SIDE / stride) ** 2)
        name = f"yolo_v8_head_{number}"
        boxes.append(_branch(values, box_channels, 4 * BINS, 1.0, f"{name}_box"))
        scores.append(_branch(values, class_channels, classes, prior, f"{name}_class"))
    logits = keras.layers.Concatenate(axis=1, name="class_logits")(scores)  # [N, A, C]
    # KerasCV's loss finds the two outputs by the names "box" and "class".
    return {
        "boxes": keras.layers.Concatenate(axis=1, name="box", dtype="float32")(boxes),  # [N, A, 64]
        "classes": keras.layers.Activation("sigmoid", name="class", dtype="float32")(logits),
    }


def _branch(values, width: int, filters: int, bias: float, name: str):
    """One branch of one level: [N, H, W, C] → [N, H·W, filters]."""
    hidden = apply_conv_bn(values, width, kernel_size=3, name=f"{name}_1")
    hidden = apply_conv_bn(hidden, width, kernel_size=3, name=f"{name}_2")
    output = keras.layers.Conv2D(
        filters,
        1,
        kernel_initializer=keras.initializers.RandomNormal(stddev=_KERNEL_DEVIATION),
        bias_initializer=keras.initializers.Constant(bias),
        name=f"{name}_3_conv",
    )(hidden)
    return keras.layers.Reshape((-1, filters), name=f"{name}_rows")(output)
