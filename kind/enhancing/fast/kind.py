"""The variant "kind" for photographs in 8 bits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import openvino
from openvino import opset13 as op

from kind.enhancing.fast import calibration
from kind.enhancing.fast.enhancer import FastEnhancer, one_number
from kind.enhancing.fast.kind_graph import KindGraph
from kind.enhancing.fast.kind_networks import ThreeNetworks
from kind.enhancing.fast.network_files import Weights
from kind.enhancing.fast.operators import channels_first, channels_last, convolution, halved, integers, leaky
from kind.enhancing.fast.soft_histogram import soft_histogram
from kind.enhancing.fast.tile_plan import TilePlan
from kind.enhancing.variants import VARIANTS
from kind.errors import UserError
from kind.images.area import area_resized_array
from kind.images.pixels import in_unit_range
from kind.nn.forms import SHIPPED_WEIGHTS
from kind.nn.weights_folder import beside, find_weights

_SIDE = 128  # this and the limits below as in `kind.enhancing.three_networks`
_BINS = 24
_MANY_STOPS = 3.5
_LEAST_ALPHA = 1e-6
_LOWEST = 0.4  # of all channels that are rounded, below 0; the highest is 1


class Suggestion(NamedTuple):
    """What is said of a whole image: log₂ of α."""

    stops: float


class FastKind(FastEnhancer):
    """See `FastEnhancer`, and `kind.enhancing.three_networks.KindEnhancer`."""

    variant = "kind"
    own_alpha = "suggested by the exposure head"
    plan = TilePlan(border=16, halo=112, stride=16, pixels=2_200_000)  # about 1 GiB
    ranges_file = SHIPPED_WEIGHTS / "kind.int8.json"
    seen_as = Suggestion

    def __init__(self, files):
        """See `FastEnhancer`."""
        super().__init__(files)
        self._look = self.compiled(_thumbnail_graph(self.weights))

    @classmethod
    def from_files(cls, weights=None):
        """See `FastEnhancer`; networks without an exposure head are refused."""
        files = find_weights(VARIANTS["kind"].stages, weights)
        head = beside(files["decom"], "exposure")
        if head is None:
            raise UserError(
                f"{files['decom']}: int8 needs an exposure head beside it (kind train exposure): take float32"
            )
        return cls({**files, "exposure": head})

    def judged(self, image: np.ndarray) -> Suggestion:
        """See `FastEnhancer`."""
        thumbnail = area_resized_array(image, _SIDE, _SIDE)
        reflectance, shading, seen = (
            np.array(values[0]) for values in self._look([thumbnail[np.newaxis]]).values()
        )
        values = np.concatenate([seen, soft_histogram(reflectance * shading, _BINS), [shading.mean()]])
        for name in ("dense_1", "dense_2"):
            kernel, bias = self.weights["exposure"][name]
            values = values @ kernel + bias
            values = np.maximum(0.2 * values, values)
        kernel, bias = self.weights["exposure"]["log_alpha"]
        return Suggestion(float(np.logaddexp(0.0, values @ kernel + bias)[0] / math.log(2.0)))

    def build(self, height, width, levels, in_levels, names):
        """See `FastEnhancer`."""
        return KindGraph(self.weights, self.ranges).build(height, width, levels, in_levels)

    def observed(self, height, width):
        """See `FastEnhancer`."""
        graph = KindGraph(self.weights, {})
        return graph.build(height, width, levels=False, in_levels=True), graph.networks.made

    @classmethod
    def ranges_of(cls, extremes):
        """See `FastEnhancer`; the lowest value is the same in all layers, so that they can be joined."""
        return calibration.ranges(extremes, lows=(_LOWEST,))

    def inputs(self, part, seen, alpha, strength, origin, shape):
        """See `FastEnhancer`."""
        stops = math.log2(max(alpha, _LEAST_ALPHA))
        return {
            "image": part[np.newaxis],
            "stops": one_number(stops),
            "needed": one_number(1.0 - math.exp(-((max(stops, 0.0) / _MANY_STOPS) ** 2))),
            "strength": one_number(strength),
        }

    def fill(self, result, image, seen, alpha, strength, progress=None):
        """See `FastEnhancer`; an image of one colour tells nothing of its exposure, and stays as it is."""
        if image.min() == image.max():
            result[:] = image if image.dtype == result.dtype else _as(result.dtype, in_unit_range(image))
        else:
            super().fill(result, image, seen, alpha, strength, progress)


def _as(dtype: np.dtype, image: np.ndarray) -> np.ndarray:
    return np.rint(255 * image).astype(np.uint8) if dtype == np.uint8 else image


def _thumbnail_graph(weights: Mapping[str, Weights]) -> openvino.Model:
    """[1, 128, 128, 3] → its reflectance and illumination, and what the head's convolutions see, [1, 96]."""
    thumbnail = op.parameter([1, _SIDE, _SIDE, 3], np.float32, "thumbnail")
    reflectance, shading = ThreeNetworks(weights, {}).decomposition(channels_first(thumbnail))
    values = op.concat([reflectance, shading], 1)
    for number in (1, 2, 3):
        values = halved(leaky(convolution(values, *weights["exposure"][f"conv_{number}"])))
    places = integers(2, 3)
    seen = op.concat([op.reduce_mean(values, places), op.reduce_max(values, places)], 1)
    return openvino.Model([channels_last(reflectance), channels_last(shading), seen], [thumbnail], "look")
