"""From a tile of an image to its relit pixels: the variant "kind" for photographs, at full size."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import openvino
from openvino import Node
from openvino import opset13 as op

from kind.constants import BT601
from kind.enhancing.fast.exposure_branch import BINS, NODES
from kind.enhancing.fast.kind_networks import ThreeNetworks
from kind.enhancing.fast.light import expose
from kind.enhancing.fast.network_files import Weights
from kind.enhancing.fast.operators import Range, channels_first, channels_last, constant, integers
from kind.enhancing.fast.slicing import BINOMIAL, guide_position, stops_of

_WHITE_FROM, _MANY_STOPS = 0.85, 3.5  # as in `kind.enhancing.three_networks`


class KindGraph:
    """Builds the graph for tiles of one size.

    Attributes:
        networks: those of the last graph that was built.
    """

    def __init__(self, weights: Mapping[str, Weights], ranges: Mapping[str, Range]) -> None:
        """Takes the weights by network, and the ranges of what is rounded to 8 bits."""
        self.networks = ThreeNetworks(weights, ranges)

    def build(self, height: int, width: int, levels: bool, in_levels: bool) -> openvino.Model:
        """Builds it.

        Args:
            height: of the tile in pixels, a multiple of 16.
            width: likewise.
            levels: give uint8, rounded.
            in_levels: take uint8.

        Returns:
            A model from `image` [1, h, w, 3]; `columns` [16, w] and `strips` [8, h, 16], of which the map of
            stops is made; `share`, `rest` and `strength`, [1, 1, 1, 1] each, to the relit image,
            [1, h, w, 3].
        """
        image = _input("image", [1, height, width, 3], np.uint8 if in_levels else np.float32)
        columns, strips = _input("columns", [NODES, width]), _input("strips", [BINS, height, NODES])
        share, rest, strength = (_input(name, [1, 1, 1, 1]) for name in ("share", "rest", "strength"))
        shown = channels_first(image)
        shown = op.multiply(op.convert(shown, "f32"), constant(1 / 255)) if in_levels else shown
        stops = op.add(op.multiply(share, _sliced(shown, strips, columns)), rest)
        bright = expose(shown, stops, keeps_hue=True)
        reflectance, shading = self.networks.decomposition(bright)
        restored = self.networks.restoration(reflectance, shading)
        relit = _where_needed(bright, shading, restored, self.networks.adjustment(shading), stops)
        weaker = op.multiply(op.subtract(constant(1.0), strength), shown)
        result = op.clamp(op.add(op.multiply(strength, relit), weaker), 0.0, 1.0)
        if levels:
            result = op.convert(op.round(op.multiply(result, constant(255.0))), "u8")
        return openvino.Model(
            [channels_last(result)], [image, columns, strips, share, rest, strength], "kind"
        )


def _input(name: str, shape: list[int], dtype: type = np.float32) -> Node:
    node = op.parameter(shape, dtype, name)
    node.output(0).set_names({name})
    return node


def _sliced(shown: Node, strips: Node, columns: Node) -> Node:
    """The map of stops, [1, 1, h, w], see `kind.nn.exposure_layers.SlicedStops`."""
    margin = integers(0, 0, 2, 2)
    kernel = np.float32(BT601)[np.newaxis, :, np.newaxis, np.newaxis] * np.outer(BINOMIAL, BINOMIAL)
    wide = op.pad(shown, margin, margin, "edge")
    luma = op.convolution(wide, constant(kernel), [1, 1], [0, 0], [0, 0], [1, 1])
    numbers = constant(np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1, 1))
    hats = op.relu(op.subtract(constant(1.0), op.abs(op.subtract(guide_position(luma), numbers))))
    planes = op.unsqueeze(op.matmul(strips, columns, False, False), integers(0))
    return stops_of(op.reduce_sum(op.multiply(planes, hats), integers(1), True))


def _where_needed(exposed: Node, shading: Node, restored: Node, adjusted: Node, stops: Node) -> Node:
    """R̂ ∘ L̂, see the function of this name in `kind.enhancing.three_networks`."""
    one = constant(1.0)
    largest = op.reduce_max(exposed, integers(1), True)
    white = op.multiply(op.subtract(largest, constant(_WHITE_FROM)), constant(1 / (1 - _WHITE_FROM)))
    white = op.clamp(white, 0.0, 1.0)
    white = op.multiply(
        op.multiply(white, white), op.subtract(constant(3.0), op.multiply(white, constant(2.0)))
    )
    many = op.multiply(op.relu(stops), constant(1 / _MANY_STOPS))
    needed = op.subtract(one, op.exp(op.negative(op.multiply(many, many))))
    share = op.multiply(needed, op.subtract(one, white))
    rest = op.subtract(one, share)
    light = op.multiply(share, op.maximum(shading, adjusted))
    shown = op.add(op.multiply(light, restored), op.multiply(rest, exposed))
    return op.minimum(shown, op.add(light, op.multiply(rest, largest)))
