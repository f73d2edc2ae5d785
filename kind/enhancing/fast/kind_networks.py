"""The three networks of the variant "kind" as graphs for OpenVINO: `decom`, `restoration`, `illumination`.

What a layer gives is rounded where it is made, once for all layers that read it; so that two tensors can be
joined, all of them have the same lowest value. The first layers of the networks and their last ones are
float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from openvino import Node
from openvino import opset13 as op

from kind.enhancing.fast.network_files import Weights
from kind.enhancing.fast.operators import (
    Range,
    convolution,
    halved,
    leaky,
    rounded,
    transposed_convolution,
)

_LEVELS = (1, 2, 3, 4)  # of the restoration

ROUNDED = {
    "decom": ("encode_1", "encode_2", "encode_3", "up_2", "decode_2", "up_1"),
    "restoration": (
        *(f"encode_{level}_{number}" for level in _LEVELS for number in (1, 2)),
        *("bottom_1", "bottom_2", "up_4", "decode_4_1", "decode_4_2", "up_3", "decode_3_1", "decode_3_2"),
        *("up_2", "decode_2_1", "decode_2_2", "up_1", "decode_1_1"),
    ),
    "illumination": ("conv_1", "conv_2"),
}
"""Layers of each network whose results are rounded to 8 bits; others stay float32."""


class _Values(NamedTuple):
    """What a layer gives, [1, C, h, w]; with scales where it is rounded."""

    node: Node
    scales: np.ndarray | None = None

    def halved(self) -> _Values:
        """After max pooling, which changes no scale."""
        return _Values(halved(self.node), self.scales)

    def joined(self, other: _Values) -> _Values:
        """With the channels of another one behind; both are rounded, or none is."""
        scales = None if self.scales is None else np.concatenate([self.scales, other.scales])
        return _Values(op.concat([self.node, other.node], 1), scales)


class ThreeNetworks:
    """Builds the graphs; attributes are for calibration.

    Attributes:
        made: what each layer of `ROUNDED` gives, as float32, by "network/layer".
    """

    def __init__(self, weights: Mapping[str, Weights], ranges: Mapping[str, Range]) -> None:
        """Takes the weights by network, and the ranges of what is rounded, by "network/layer"."""
        self._weights, self._ranges = weights, ranges
        self.made: dict[str, Node] = {}

    def decomposition(self, image: Node) -> tuple[Node, Node]:
        """Takes an image apart.

        Args:
            image: [1, 3, h, w], sides multiples of 4.

        Returns:
            Reflectance [1, 3, h, w] and illumination [1, 1, h, w].
        """
        network = "decom"
        encoded_1 = self._conv(network, "encode_1", _Values(image))
        encoded_2 = self._conv(network, "encode_2", encoded_1.halved())
        encoded_3 = self._conv(network, "encode_3", encoded_2.halved())
        decoded_2 = self._conv(network, "decode_2", self._up(network, "up_2", encoded_3).joined(encoded_2))
        decoded_1 = self._conv(network, "decode_1", self._up(network, "up_1", decoded_2).joined(encoded_1))
        shading = self._conv(network, "illumination_features", encoded_1)
        return (
            self._head(network, "reflectance_logits", decoded_1),
            self._head(network, "illumination_logits", shading.joined(decoded_1)),
        )

    def restoration(self, reflectance: Node, illumination: Node) -> Node:
        """→ restored reflectance [1, 3, h, w]; sides are multiples of 16."""
        network, skips = "restoration", []
        values = _Values(op.concat([reflectance, illumination], 1))
        for level in _LEVELS:
            values = self._two(network, f"encode_{level}", values)
            skips.append(values)
            values = values.halved()
        values = self._two(network, "bottom", values)
        for level in reversed(_LEVELS):
            values = self._up(network, f"up_{level}", values).joined(skips[level - 1])
            values = self._two(network, f"decode_{level}", values)
        return self._head(network, "restored_logits", values)

    def adjustment(self, illumination: Node) -> Node:
        """Adjusts [1, 1, h, w] by the ratio 1, which becomes a part of the first bias."""
        network = "illumination"
        kernel, bias = self._weights[network]["conv_1"]
        first = kernel[:, :, :1], bias + kernel[:, :, 1].sum((0, 1))
        values = self._rounded(network, "conv_1", leaky(convolution(illumination, *first)))
        for name in ("conv_2", "conv_3"):
            values = self._conv(network, name, values)
        return op.sigmoid(self._conv(network, "conv_4", values).node)

    def _two(self, network: str, name: str, values: _Values) -> _Values:
        for number in (1, 2):
            values = self._conv(network, f"{name}_{number}", values)
        return values

    def _conv(self, network: str, name: str, values: _Values) -> _Values:
        node = convolution(values.node, *self._weights[network][name], scales=values.scales)
        return self._rounded(network, name, leaky(node))

    def _up(self, network: str, name: str, values: _Values) -> _Values:
        node = transposed_convolution(values.node, *self._weights[network][name], values.scales)
        return self._rounded(network, name, node)

    def _head(self, network: str, name: str, values: _Values) -> Node:
        return op.sigmoid(convolution(values.node, *self._weights[network][name]))

    def _rounded(self, network: str, name: str, node: Node) -> _Values:
        if name in ROUNDED[network]:
            self.made[f"{network}/{name}"] = node
        by = self._ranges.get(f"{network}/{name}")
        return _Values(rounded(node, by), by.scales) if by else _Values(node)
