"""The exposure branch of either variant: what it says of a whole photograph, from a thumbnail of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import openvino
from openvino import Node
from openvino import opset13 as op

from kind.constants import BT601
from kind.enhancing.fast.light import KNEE
from kind.enhancing.fast.network_files import Weights
from kind.enhancing.fast.operators import (
    channels_first,
    channels_last,
    convolution,
    dense,
    depthwise,
    integers,
    leaky,
)
from kind.enhancing.fast.soft_histogram import soft_histogram
from kind.images.srgb import to_linear, to_srgb

SIDE = 128
NODES, BINS = 16, 8  # of the bilateral grid
FLOOR = 0.02  # of the guide
_VIEWS = (6.0, 36.0)  # these, as in `kind.nn.exposure_branch` and `kind.nn.exposure_layers`
_HISTOGRAM_BINS = 24
_NO_STOPS = np.float32(16.0)
_NO_CONTRAST, _CONTRAST = 2.0 / 255.0, 4.0 / 255.0
_FEWEST_STOPS, _SMALLEST = -30.0, 1e-4


class Exposure(NamedTuple):
    """What the branch says of a photograph.

    Attributes:
        grid: bilateral grid of stops, float32 [16, 16, 8].
        summary: float32 [64].
        stops: log₂ of the suggested α.
    """

    grid: np.ndarray
    summary: np.ndarray
    stops: float


class ExposureBranch:
    """Suggests the exposure of photographs."""

    def __init__(self, weights: Weights, prepare: Callable) -> None:
        """Takes the weights, and what makes an `openvino.Model` ready to run."""
        self._run = prepare(_graph(weights))

    def __call__(self, thumbnail: np.ndarray) -> Exposure:
        """Suggests the exposure of one photograph, of which it gets the thumbnail, float32 [128, 128, 3]."""
        light = to_linear(thumbnail)
        views = [thumbnail, *(to_srgb(np.minimum(light * gain, 1.0)) for gain in _VIEWS)]
        inputs = (
            np.concatenate(views, axis=-1)[np.newaxis],
            soft_histogram(thumbnail, _HISTOGRAM_BINS)[np.newaxis],
        )
        grid, summary = (np.array(values[0]) for values in self._run(inputs).values())
        grid = grid - _NO_STOPS * (1 - seen_contrast(thumbnail))
        return Exposure(grid, summary, _mean_stops(thumbnail, grid))


def seen_contrast(thumbnail: np.ndarray) -> np.float32:
    """See `kind.nn.exposure_layers.seen_contrast`; of one, float32 [128, 128, 3]."""
    size = SIDE // NODES
    parts = thumbnail.reshape(NODES, size, NODES, size, 3).mean((1, 3))
    spread = (parts.max((0, 1)) - parts.min((0, 1))).max()
    return np.float32(np.clip((spread - _NO_CONTRAST) / (_CONTRAST - _NO_CONTRAST), 0.0, 1.0))


class Asked(NamedTuple):
    """What an α asks for, see `kind.enhancing.stops`: E' is `share` · E + `rest`.

    Attributes:
        wanted: log₂ of α.
        share: from 0 to 1.
        more: stops above the suggested α.
        rest: `more`, or those below 0.
    """

    wanted: float
    share: float
    more: float
    rest: float

    @classmethod
    def by(cls, alpha: float, suggested: float, most: float = math.inf) -> Asked:
        """Of α, log₂ of the suggested α, and the most stops that are asked for."""
        wanted = max(math.log2(alpha), _FEWEST_STOPS) if alpha > 0 else _FEWEST_STOPS
        wanted = min(wanted, most)
        more = max(wanted - suggested, 0.0)
        share = min(max(wanted / max(suggested, _SMALLEST), 0.0), 1.0)
        return cls(wanted, share, more, more + min(wanted, 0.0))


def grid_for_tile(
    grid: np.ndarray, origin: Sequence[int], size: Sequence[int], whole: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """A grid along the rows and columns of a tile, whose product the map of stops is interpolated from.

    Args:
        grid: float32 [16, 16, 8].
        origin: row and column of the tile's first pixel.
        size: of the tile, height and width.
        whole: of the image.

    Returns:
        float32 [8, height, 16] and [16, width].
    """
    rows, columns = map(spline, origin, size, whole)
    strips = np.tensordot(rows, grid, 1).transpose(2, 0, 1)
    return np.ascontiguousarray(strips), np.ascontiguousarray(columns.T)


def spline(start: int, length: int, whole: int) -> np.ndarray:
    """Weights of the grid's nodes along one axis, see `kind.nn.exposure_layers`: float32 [length, 16]."""
    position = (start + np.arange(length) + 0.5) / whole * NODES - 0.5
    distance = np.abs(position[:, np.newaxis] - np.arange(-2.0, NODES + 2.0))
    far = np.maximum(2.0 - distance, 0.0) ** 3 / 6.0
    weights = np.where(distance < 1.0, 2.0 / 3.0 - distance**2 + distance**3 / 2.0, far)
    first, last = weights[:, :3].sum(1, keepdims=True), weights[:, -3:].sum(1, keepdims=True)
    return np.concatenate([first, weights[:, 3:-3], last], axis=1).astype(np.float32)


def _graph(weights: Weights) -> openvino.Model:
    """Views [1, 128, 128, 9] and histogram [1, 54] → grid [1, 16, 16, 8], summary [1, 64]."""
    views = op.parameter([1, SIDE, SIDE, 9], np.float32, "views")
    histogram = op.parameter([1, 2 * _HISTOGRAM_BINS + 6], np.float32, "histogram")
    values = channels_first(views)
    for number in (1, 2, 3):
        values = leaky(convolution(values, *weights[f"glance_{number}"], stride=2))
    places = integers(2, 3)
    seen = [op.reduce_mean(values, places), op.reduce_max(values, places), histogram]
    summary = op.concat(seen, 1)
    for number in (1, 2):
        summary = leaky(dense(summary, *weights[f"summary_{number}"]))
    scale, shift = (_plane(dense(summary, *weights[f"glance_{name}"])) for name in ("scale", "shift"))
    values = op.add(op.multiply(values, scale), shift)
    inner = leaky(convolution(values, *weights["glance_1_of_2"]))
    values = leaky(op.add(values, convolution(inner, *weights["glance_2_of_2"])))
    for number in (1, 2, 3):
        wide = leaky(depthwise(values, *weights[f"glance_context_{number}_wide"]))
        values = op.add(values, convolution(wide, *weights[f"glance_context_{number}_mixed"]))
    near = convolution(values, *weights["grid_near"])
    grid = op.add(near, _plane(dense(summary, *weights["grid_everywhere"])))
    return openvino.Model([channels_last(grid), summary], [views, histogram], "exposure")


def _plane(values: Node) -> Node:
    """[1, C] → [1, C, 1, 1]."""
    return op.unsqueeze(values, integers(2, 3))


def _mean_stops(thumbnail: np.ndarray, grid: np.ndarray) -> float:
    """See `kind.nn.exposure_layers.MeanStops`."""
    weights = spline(0, SIDE, SIDE)
    planes = np.einsum("hi,wj,ijb->hwb", weights, weights, grid, optimize=True)
    luma = thumbnail @ np.float32(BT601)
    for axis in (0, 1):
        for _ in range(2):
            luma = _smoothed(luma, axis)
    root = np.sqrt(FLOOR)
    position = (np.sqrt(luma + FLOOR) - root) / (np.sqrt(1.0 + FLOOR) - root) * (BINS - 1)
    below = np.minimum(position.astype(np.intp), BINS - 2)[..., np.newaxis]
    dark, bright = (np.take_along_axis(planes, bins, -1)[..., 0] for bins in (below, below + 1))
    logits = dark + (position - below[..., 0]) * (bright - dark)
    stops = np.minimum(np.logaddexp(0.0, 2.0 * logits) / 2.0, 8.0)
    shown = _exposed(thumbnail, stops[..., np.newaxis]) @ np.float32(BT601)
    counts = shown * (1.0 - shown) + 0.01
    return float((counts * stops).sum() / counts.sum())


def _smoothed(values: np.ndarray, axis: int) -> np.ndarray:
    """A binomial filter of 3 along one axis of two, the border repeated."""
    wide = np.pad(values, [(1, 1) if each == axis else (0, 0) for each in (0, 1)], "edge")
    before, at, after = (np.take(wide, range(shift, shift + values.shape[axis]), axis) for shift in (0, 1, 2))
    return (before + 2.0 * at + after) / 4.0


def _exposed(image: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """See `kind.ops.light.expose`."""
    gain = 2.0**stops
    light = to_linear(image) * gain
    above = np.maximum(light - KNEE, 0.0) / (1.0 - KNEE)
    largest = (np.maximum(gain, 1.0) - KNEE) / (1.0 - KNEE)
    compressed = above * (1.0 + above / largest**2) / (1.0 + above)
    light = np.minimum(light, KNEE) + (1.0 - KNEE) * compressed
    return to_srgb(np.clip(light, 0.0, 1.0)).astype(np.float32)
