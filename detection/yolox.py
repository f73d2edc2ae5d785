"""YOLOX's graph after the backbone: path aggregation and decoupled heads, as functions on Keras tensors.

Paper: Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv:2107.08430, section 2.1 and figure 2.
"""

from __future__ import annotations

import math

from tensorflow import keras

from kind.detection.darknet import convolution, cross_stage_partial

HEAD_INPUTS = tuple(f"yolox_head_{level}_stem_conv" for level in (1, 2, 3))
"""The layers that read the pyramid's features at strides 8, 16 and 32."""

CLASS_LAYERS = tuple(f"yolox_head_{level}_class_prediction" for level in (1, 2, 3))
"""The layers whose size depends on the number of classes."""

_PRIOR = -math.log((1 - 0.01) / 0.01)  # published: new detectors start at a probability of 0.01


def pyramid(features, depths: tuple[int, int], *, depthwise: bool) -> list:
    """Path aggregation (Liu et al., PANet, CVPR 2018): down from P5 to P3, and up again.

    Args:
        features: Keras tensors [N, H, W, C] of the backbone at strides 8, 16 and 32.
        depths: bottlenecks in both blocks of the first way, and in both of the second.
        depthwise: see `detection.darknet.convolution`.

    Returns:
        Three Keras tensors of the same shapes.
    """
    p3, p4, p5 = features
    widths = [part.shape[-1] for part in features]
    first, second = depths

    def block(inputs, channels, depth, name):
        joined = keras.layers.Concatenate(name=f"{name}_inputs")(inputs)
        return cross_stage_partial(joined, channels, depth, residual=False, depthwise=depthwise, name=name)

    def double(values, name):
        return keras.layers.UpSampling2D(2, name=f"{name}_up")(values)

    def halve(values, channels, name):
        return convolution(values, channels, 3, 2, depthwise=depthwise, name=name)

    lateral = convolution(p5, widths[1], name="pa_fpn_lateral")
    middle = block([double(lateral, "pa_fpn_lateral"), p4], widths[1], first, "pa_fpn_p4p5")
    reduced = convolution(middle, widths[0], name="pa_fpn_reduce")
    fine = block([double(reduced, "pa_fpn_reduce"), p3], widths[0], first, "pa_fpn_p3p4p5")
    down = halve(fine, widths[0], "pa_fpn_p3_downsample")
    middle = block([down, reduced], widths[1], second, "pa_fpn_p4_out")
    down = halve(middle, widths[1], "pa_fpn_p4_downsample")
    return [fine, middle, block([down, lateral], widths[2], second, "pa_fpn_p5_out")]


def heads(features, classes: int, width: int, *, depthwise: bool) -> dict:
    """A head for each level: a common stem, then one branch for classes and one for box and objectness.

    Args:
        features: of `pyramid`.
        classes: how many.
        width: channels of stems and branches.
        depthwise: see `detection.darknet.convolution`.

    Returns:
        Keras tensors `boxes` float32 [N, A, 4], the regressions dx, dy, log w and log h in strides, see
        `detection.decoding`, and `classes` float32 [N, A, C], objectness times class probability.
    """
    boxes, objects, scores = [], [], []
    for level, values in enumerate(features, start=1):
        name = f"yolox_head_{level}"
        stem = convolution(values, width, name=f"{name}_stem")
        hidden = {}
        for branch in ("class", "box"):
            hidden[branch] = stem
            for number in (1, 2):
                hidden[branch] = convolution(
                    hidden[branch], width, 3, depthwise=depthwise, name=f"{name}_{branch}_{number}"
                )
        scores.append(_prediction(hidden["class"], classes, _PRIOR, f"{name}_class"))
        boxes.append(_prediction(hidden["box"], 4, 0.0, f"{name}_box"))
        objects.append(_prediction(hidden["box"], 1, _PRIOR, f"{name}_objectness"))

    def joined(rows, name, activation="linear"):
        rows = keras.layers.Concatenate(axis=1, name=f"{name}_rows")(rows)
        # Float32 also in mixed precision, before anything that a product or a root could spoil.
        return keras.layers.Activation(activation, name=name, dtype="float32")(rows)

    probabilities = [joined(scores, "class_probability", "sigmoid"), joined(objects, "objectness", "sigmoid")]
    return {
        "boxes": joined(boxes, "box"),
        "classes": keras.layers.Multiply(name="class", dtype="float32")(probabilities),
    }


def _prediction(values, filters: int, bias: float, name: str):
    """The last convolution of a branch, as rows: [N, H, W, C] → [N, H·W, filters]."""
    output = keras.layers.Conv2D(
        filters,
        1,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=keras.initializers.Constant(bias),
        name=f"{name}_prediction",
    )(values)
    return keras.layers.Reshape((-1, filters), name=f"{name}_rows")(output)
