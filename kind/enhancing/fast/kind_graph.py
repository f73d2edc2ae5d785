"""From a tile of an image to its relit pixels: the variant "kind" for photographs, at full size."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import openvino
from openvino import Node
from openvino import opset13 as op

from kind.enhancing.fast.kind_networks import ThreeNetworks
from kind.enhancing.fast.light import expose
from kind.enhancing.fast.network_files import Weights
from kind.enhancing.fast.operators import Range, channels_first, channels_last, constant, integers

_KNEE, _WHITE_FROM = 0.7, 0.85  # as in `kind.enhancing.three_networks`


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
            A model from `image` [1, h, w, 3], `stops` (log₂ α), `needed` (the share of the networks where the
            image is not white) and `strength`, [1, 1, 1, 1] each, to the relit image, [1, h, w, 3].
        """
        image = _input("image", [1, height, width, 3], np.uint8 if in_levels else np.float32)
        stops, needed, strength = (_input(name, [1, 1, 1, 1]) for name in ("stops", "needed", "strength"))
        shown = channels_first(image)
        shown = op.multiply(op.convert(shown, "f32"), constant(1 / 255)) if in_levels else shown
        bright = expose(shown, stops, _KNEE, keeps_hue=True)
        reflectance, shading = self.networks.decomposition(bright)
        restored = self.networks.restoration(reflectance, shading)
        relit = _where_needed(bright, shading, restored, self.networks.adjustment(shading), needed)
        rest = op.subtract(constant(1.0), strength)
        result = op.clamp(op.add(op.multiply(strength, relit), op.multiply(rest, shown)), 0.0, 1.0)
        if levels:
            result = op.convert(op.round(op.multiply(result, constant(255.0))), "u8")
        return openvino.Model([channels_last(result)], [image, stops, needed, strength], "kind")


def _input(name: str, shape: list[int], dtype: type = np.float32) -> Node:
    node = op.parameter(shape, dtype, name)
    node.output(0).set_names({name})
    return node


def _where_needed(exposed: Node, shading: Node, restored: Node, adjusted: Node, needed: Node) -> Node:
    """R̂ ∘ L̂, see the function of this name in `kind.enhancing.three_networks`."""
    one = constant(1.0)
    largest = op.reduce_max(exposed, integers(1), True)
    white = op.multiply(op.subtract(largest, constant(_WHITE_FROM)), constant(1 / (1 - _WHITE_FROM)))
    white = op.clamp(white, 0.0, 1.0)
    white = op.multiply(
        op.multiply(white, white), op.subtract(constant(3.0), op.multiply(white, constant(2.0)))
    )
    share = op.multiply(needed, op.subtract(one, white))
    rest = op.subtract(one, share)
    light = op.multiply(share, op.maximum(shading, adjusted))
    shown = op.add(op.multiply(light, restored), op.multiply(rest, exposed))
    return op.minimum(shown, op.add(light, op.multiply(rest, largest)))
