"""The U-Net of the light network, at a quarter of the sides, from its joined input to its two heads."""

from __future__ import annotations

from collections.abc import Mapping

from openvino import Node
from openvino import opset13 as op

from kind.enhancing.fast.network_files import Weights
from kind.enhancing.fast.operators import Range, convolution, doubled, leaky, rounded

ROUNDED = (
    "encode_1_1_of_2",
    "encode_1_2_of_2",
    "down_2",
    "encode_2_1_of_2",
    "encode_2_2_of_2",
    "down_3",
    "encode_3_1_of_2",
    "encode_3_2_of_2",
    "up_2",
    "decode_2",
    "up_1",
    "decode_1_1_of_2",
    "decode_1_2_of_2",
)
"""Convolutions in 8 bits. The first layers, the two heads, the thumbnail's branch and all that is no
convolution stay in float32: docs/speed.md has what other choices gave."""


class UNet:
    """Builds the graph; attributes are for calibration.

    Attributes:
        inputs: what each layer of `ROUNDED` gets, by its name.
    """

    def __init__(self, weights: Weights, ranges: Mapping[str, Range]) -> None:
        """Takes the weights, and the ranges of what is computed in 8 bits; none is float32."""
        self.inputs: dict[str, Node] = {}
        self._weights, self._ranges = weights, ranges

    def __call__(self, joined: Node, scale: Node, shift: Node) -> tuple[Node, Node]:
        """Joins the layers.

        Args:
            joined: [1, 58, h, w], h and w multiples of 4.
            scale: of the coarsest level, [1, 48, 1, 1].
            shift: likewise.

        Returns:
            The heads `detail_folded` and `gain_folded`, [1, 48, h, w] each.
        """
        fine = self._block(leaky(self._conv("stem", joined)), "encode_1")
        middle = self._block(leaky(self._conv("down_2", fine, 2)), "encode_2")
        coarse = leaky(self._conv("down_3", middle, 2))
        coarse = self._block(op.add(op.multiply(coarse, scale), shift), "encode_3")
        middle = leaky(self._conv("decode_2", self._doubled(coarse, middle, "up_2")))
        fine = self._block(self._doubled(middle, fine, "up_1"), "decode_1")
        return self._conv("detail_folded", fine), self._conv("gain_folded", fine)

    def _conv(self, name: str, values: Node, stride: int = 1) -> Node:
        self.inputs[name] = values
        if name not in self._ranges:
            return convolution(values, *self._weights[name], stride)
        by = self._ranges[name]
        return convolution(rounded(values, by), *self._weights[name], stride, by.scales)

    def _block(self, values: Node, name: str) -> Node:
        inner = leaky(self._conv(f"{name}_1_of_2", values))
        return leaky(op.add(values, self._conv(f"{name}_2_of_2", inner)))

    def _doubled(self, values: Node, skip: Node, name: str) -> Node:
        return op.add(doubled(self._conv(name, values)), skip)
