"""From a tile of an image to its relit pixels: the light network at full size, in folded form.

All of it works on cells: squares of 4×4 pixels as 48 channels. So nothing but the 8 bits of input and output
is moved between layouts, and OpenVINO joins what lies between the convolutions into a few passes over memory.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

import numpy as np
import openvino
from openvino import Node
from openvino import opset13 as op

from kind.constants import BT601
from kind.enhancing.fast.exposure_branch import BINS, NODES
from kind.enhancing.fast.light import expose
from kind.enhancing.fast.lite_unet import UNet
from kind.enhancing.fast.network_files import Weights
from kind.enhancing.fast.operators import (
    Range,
    channels_first,
    channels_last,
    constant,
    convolution,
    integers,
)
from kind.enhancing.fast.slicing import BINOMIAL, guide_position, stops_of

CELL = 4
_PIXELS, _VALUES = CELL**2, 3 * CELL**2
_BLACK, _TINY = 1e-4, 1e-20  # and the limits below, as in `kind.nn.exposure_layers` and `kind.ops.light`
_LINEAR_SHARE, _LARGEST_SHARE = 0.125, 0.25


class LiteGraph:
    """Builds the graph for tiles of one size.

    Attributes:
        unet: the convolutional core, of the last graph that was built.
        joined: its input.
    """

    def __init__(self, weights: Weights, ranges: Mapping[str, Range]) -> None:
        """Takes the weights, and the ranges of layers in 8 bits."""
        self._weights = weights
        self.unet = UNet(weights, ranges)

    def build(self, height: int, width: int, levels: bool, in_levels: bool, dims: bool) -> openvino.Model:
        """Builds it.

        Args:
            height: of the tile in cells, a multiple of 4.
            width: likewise.
            levels: give uint8, rounded.
            in_levels: take uint8.
            dims: for an α below the suggested one, which takes longer.

        Returns:
            A model from `cells` [1, h, w, 48], in the order row, column, colour; `columns` [16, 4·w] and
            `strips` [8, 4·h, 16], of which the stops' map is made; `colour` [1, 1, 1, 48]; `scale` and
            `shift` [1, 48, 1, 1]; `strength`, `more`, `share` and `rest`, [1, 1, 1, 1] each, to the relit
            cells.
        """
        self._inputs: list[Node] = []
        shape = [1, height, width, _VALUES]
        cells = self._input("cells", shape, np.uint8 if in_levels else np.float32)
        shown = _shown(cells) if in_levels else cells
        stops = self._stops(shown, height, width)
        colour = self._input("colour", [1, 1, 1, _VALUES])
        more = self._input("more")
        raised = op.add(_spread(stops), more)
        exposed = expose(shown, op.add(raised, op.multiply(_faded(raised), colour)))
        restored = self._restored(shown, op.add(stops, more), raised, exposed)
        if dims:
            restored = self._dimmed(restored, shown, _spread(stops), raised)
        strength = self._input("strength")
        rest = op.subtract(constant(1.0), strength)
        result = op.clamp(op.add(op.multiply(strength, restored), op.multiply(rest, shown)), 0.0, 1.0)
        if levels:
            result = op.convert(op.round(op.multiply(result, constant(255.0))), "u8")
        return openvino.Model([result], self._inputs, "lite")

    def _input(self, name: str, shape: list[int] = [1, 1, 1, 1], dtype: type = np.float32) -> Node:  # noqa: B006
        node = op.parameter(shape, dtype, name)
        node.output(0).set_names({name})
        self._inputs.append(node)
        return node

    def _stops(self, shown: Node, height: int, width: int) -> Node:
        """The map of stops, [1, h, w, 16], made in rows of pixels, by one product; see `SlicedStops`."""
        columns = self._input("columns", [NODES, CELL * width])
        strips = self._input("strips", [BINS, CELL * height, NODES])
        position = guide_position(_rows_of_cells(_smooth_luma(shown), height, width))
        planes = op.split(op.matmul(strips, columns, False, False), constant(0, np.int64), BINS)
        logits = None
        for number, plane in enumerate(planes.outputs()):
            distance = op.abs(op.subtract(position, constant(number)))
            part = op.multiply(plane, op.relu(op.subtract(constant(1.0), distance)))
            logits = op.add(logits, part) if logits else part
        return _cells_of_rows(stops_of(logits), height, width)

    def _restored(self, shown: Node, stops: Node, raised: Node, exposed: Node) -> Node:
        """R̂, [1, h, w, 48]."""
        scale, shift = (self._input(name, [1, 48, 1, 1]) for name in ("scale", "shift"))
        dark = convolution(channels_first(shown), *self._weights["dark_cells"])
        lights = convolution(channels_first(stops), *self._weights["stops_cells"])
        self.joined = op.concat([channels_first(exposed), dark, lights], 1)
        detail, gain = map(channels_last, self.unet(self.joined, scale, shift))
        change = op.multiply(op.add(detail, op.multiply(gain, exposed)), _faded(raised))
        return _within_headroom(exposed, change)

    def _dimmed(self, restored: Node, shown: Node, stops: Node, raised: Node) -> Node:
        """R̂ ∘ L̂ under less than the suggested stops, see `kind.enhancing.light_network`."""
        wanted = op.add(op.multiply(stops, self._input("share")), self._input("rest"))
        bright, dim = expose(shown, raised), expose(shown, wanted)
        less = op.multiply(op.subtract(wanted, raised), constant(math.log(2)))
        ratio = self._light_ratio(dim, bright, op.exp(less))
        share = op.divide(_faded(wanted), op.maximum(_faded(raised), constant(_TINY)))
        kept = op.multiply(share, op.subtract(restored, bright))
        light = op.add(op.divide(dim, op.maximum(ratio, constant(_TINY))), kept)
        return op.multiply(op.clamp(light, 0.0, 1.0), ratio)

    def _light_ratio(self, darker: Node, brighter: Node, gain: Node) -> Node:
        dark, bright = _largest_colour(darker), _largest_colour(brighter)
        ratio = op.divide(op.add(dark, op.multiply(gain, constant(_BLACK))), op.add(bright, constant(_BLACK)))
        return op.minimum(ratio, constant(1.0))


def _shown(levels: Node) -> Node:
    """uint8 → float32 in [0, 1].

    OpenVINO takes a product alone for the end of 8-bit arithmetic, and moves it behind the transpositions,
    which then cost passes over memory; so there is a minimum that changes nothing.
    """
    return op.minimum(op.multiply(op.convert(levels, "f32"), constant(1 / 255)), constant(1.0))


def _faded(stops: Node) -> Node:
    """1 - exp(-2·E), 0 for E ≤ 0."""
    return op.subtract(constant(1.0), op.exp(op.multiply(op.relu(stops), constant(-2.0))))


def _within_headroom(exposed: Node, change: Node) -> Node:
    """See `kind.nn.exposure_layers.WithinHeadroom`."""
    headroom = op.subtract(constant(1.0), exposed)
    share = op.divide(op.relu(change), op.add(headroom, constant(1e-3)))
    beyond = op.relu(op.subtract(share, constant(_LINEAR_SHARE)))
    rest = _LARGEST_SHARE - _LINEAR_SHARE
    soft = op.subtract(constant(1.0), op.exp(op.multiply(beyond, constant(-1 / rest))))
    share = op.add(op.minimum(share, constant(_LINEAR_SHARE)), op.multiply(soft, constant(rest)))
    raised = op.add(exposed, op.multiply(headroom, share))
    return op.relu(op.subtract(raised, op.relu(op.negative(change))))


def _spread(values: Node) -> Node:
    """Values of pixels for each colour: [1, h, w, 16] → [1, h, w, 48]."""
    matrix = np.kron(np.eye(_PIXELS), np.ones((1, 3)))
    return op.matmul(values, constant(matrix), False, False)


def _rows_of_cells(values: Node, height: int, width: int) -> Node:
    """Pixels out of their cells: [1, h, w, 16] → [1, 4·h, 4·w]."""
    cells = op.reshape(values, integers(height, width, CELL, CELL), False)
    rows = op.transpose(cells, integers(0, 2, 1, 3))
    return op.reshape(rows, integers(1, CELL * height, CELL * width), False)


def _cells_of_rows(values: Node, height: int, width: int) -> Node:
    """The way back."""
    rows = op.reshape(values, integers(height, CELL, width, CELL), False)
    cells = op.transpose(rows, integers(0, 2, 1, 3))
    return op.reshape(cells, integers(1, height, width, _PIXELS), False)


def _smooth_luma(shown: Node) -> Node:
    """The luma smoothed over 5×5 pixels: [1, h, w, 48] → [1, h, w, 16]."""
    margin = integers(0, 1, 1, 0)
    luma = op.matmul(shown, constant(_luma_of_cells()), False, False)
    wide = channels_first(op.pad(luma, margin, margin, "edge"))
    kernel = constant(_smoothing_kernel().transpose(3, 2, 0, 1))
    return channels_last(op.convolution(wide, kernel, [1, 1], [0, 0], [0, 0], [1, 1]))


def _largest_colour(values: Node) -> Node:
    """The largest of each pixel's colours, for each of them: [1, h, w, 48] → the same."""
    matrices = np.zeros((3, _VALUES, _VALUES), np.float32)
    for place, colour in np.ndindex(_PIXELS, 3):
        matrices[colour, place * 3 + colour, place * 3 : place * 3 + 3] = 1
    red, green, blue = (op.matmul(values, constant(matrix), False, False) for matrix in matrices)
    return op.maximum(op.maximum(red, green), blue)


def _luma_of_cells() -> np.ndarray:
    """From the colours of a cell's pixels to their luma: [48, 16]."""
    return np.kron(np.eye(_PIXELS, dtype=np.float32), np.float32(BT601)[:, np.newaxis])


@functools.cache
def _smoothing_kernel() -> np.ndarray:
    """The binomial filter of 5×5 pixels as a convolution of cells: [3, 3, 16, 16]."""
    kernel = np.zeros((3, 3, _PIXELS, _PIXELS), np.float32)
    for row, column, down, across in np.ndindex(CELL, CELL, 5, 5):
        (cell_row, y), (cell_column, x) = divmod(row + down - 2, CELL), divmod(column + across - 2, CELL)
        weight = BINOMIAL[down] * BINOMIAL[across]
        kernel[cell_row + 1, cell_column + 1, y * CELL + x, row * CELL + column] += weight
    return kernel
