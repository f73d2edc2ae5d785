"""OpenVINO's operators as the networks use them: in float32, and 8 bits where an input was rounded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from openvino import Node
from openvino import opset13 as op

LEAK = 0.2
_LEVELS = 255  # steps between the 256 levels of 8 bits


class Range(NamedTuple):
    """How the channels of a tensor are rounded to 8 bits.

    Attributes:
        scales: float32 [C], what each channel is divided by first; the kernel that comes next is multiplied
            by it.
        low: of all channels then; the highest is 1. 0 is one of the levels.
    """

    scales: np.ndarray
    low: float


def constant(values, dtype: type = np.float32) -> Node:
    """A constant."""
    return op.constant(np.asarray(values, dtype))


def integers(*values: int) -> Node:
    """A constant of int64."""
    return constant(values, np.int64)


def channels_first(values: Node) -> Node:
    """[N, H, W, C] → [N, C, H, W]; memory stays as it is."""
    return op.transpose(values, integers(0, 3, 1, 2))


def channels_last(values: Node) -> Node:
    """[N, C, H, W] → [N, H, W, C]."""
    return op.transpose(values, integers(0, 2, 3, 1))


def leaky(values: Node) -> Node:
    """max(0.2·x, x)."""
    return op.prelu(values, constant([LEAK]))


def polynomial(values: Node, coefficients: np.ndarray) -> Node:
    """The polynomial c₀ + c₁·x + c₂·x² and so on."""
    result = constant(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        result = op.add(op.multiply(result, values), constant(coefficient))
    return result


def rounded(values: Node, by: Range) -> Node:
    """Each channel of [N, C, H, W] divided by its scale, in 256 levels."""
    step = (1.0 - by.low) / _LEVELS
    zero = round(-by.low / step)
    low, high = -zero * step, (_LEVELS - zero) * step
    scales = by.scales.reshape(1, -1, 1, 1)
    ends = constant(low * scales), constant(high * scales), constant(low), constant(high)
    return op.fake_quantize(values, *ends, _LEVELS + 1)


def convolution(
    values: Node, kernel: np.ndarray, bias: np.ndarray, stride: int = 1, scales: np.ndarray | None = None
) -> Node:
    """A SAME convolution as TensorFlow pads it, of even sides where there is a stride.

    Args:
        values: [N, C, H, W].
        kernel: [h, w, C, D].
        bias: [D].
        stride: 1 or 2.
        scales: of values that are `rounded`; the convolution is computed in 8 bits then.

    Returns:
        [N, D, H / stride, W / stride].
    """
    node = _kernel(kernel.transpose(3, 2, 0, 1), scales, inputs=1)
    before, after = (0, 1) if stride > 1 else ((len(kernel) - 1) // 2,) * 2
    result = op.convolution(values, node, [stride] * 2, [before] * 2, [after] * 2, [1, 1])
    return op.add(result, constant(bias.reshape(1, -1, 1, 1)))


def transposed_convolution(values: Node, kernel: np.ndarray, scales: np.ndarray | None = None) -> Node:
    """A 2×2 transposed convolution with a step of 2.

    Args:
        values: [N, C, H, W].
        kernel: [2, 2, D, C].
        scales: as of `convolution`.

    Returns:
        [N, D, 2·H, 2·W].
    """
    node = _kernel(kernel.transpose(3, 2, 0, 1), scales, inputs=0)
    return op.convolution_backprop_data(
        values, node, [2, 2], pads_begin=[0, 0], pads_end=[0, 0], dilations=[1, 1]
    )


def halved(values: Node) -> Node:
    """2×2 max pooling of even sides: [N, C, H, W] → [N, C, H / 2, W / 2]."""
    return op.max_pool(values, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)


def _kernel(kernel: np.ndarray, scales: np.ndarray | None, inputs: int) -> Node:
    """A kernel in OpenVINO's layout; of an input with scales, in 255 levels for each output.

    Args:
        kernel: four axes, inputs and outputs the first two.
        scales: of the inputs.
        inputs: their axis, 0 or 1.
    """
    if scales is None:
        return constant(kernel)
    along_inputs = [1, 1, 1, 1]
    along_inputs[inputs] = -1
    kernel = kernel * scales.reshape(along_inputs)
    largest = np.abs(kernel).max((inputs, 2, 3), keepdims=True) + 1e-12
    ends = constant(-largest), constant(largest)
    return op.fake_quantize(constant(kernel), *ends, *ends, _LEVELS)


def depthwise(values: Node, kernel: np.ndarray, bias: np.ndarray) -> Node:
    """A SAME depthwise convolution with a kernel [h, w, C, 1]: [N, C, H, W] → the same."""
    node = constant(kernel.transpose(2, 3, 0, 1)[:, np.newaxis])
    margin = [(len(kernel) - 1) // 2] * 2
    result = op.group_convolution(values, node, [1, 1], margin, margin, [1, 1])
    return op.add(result, constant(bias.reshape(1, -1, 1, 1)))


def dense(values: Node, kernel: np.ndarray, bias: np.ndarray) -> Node:
    """[N, C] → [N, D]."""
    return op.add(op.matmul(values, constant(kernel), False, False), constant(bias))


def doubled(values: Node) -> Node:
    """Bilinear upsampling by 2, with half-pixel centres: [N, C, H, W] → [N, C, 2·H, 2·W]."""
    return op.interpolate(
        values,
        constant([2.0, 2.0]),
        "linear_onnx",
        "scales",
        axes=integers(2, 3),
        coordinate_transformation_mode="half_pixel",
    )
