"""The variant "kind" for photographs in 8 bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import openvino
from openvino import opset13 as op

from kind.enhancing.fast import calibration
from kind.enhancing.fast.enhancer import FastEnhancer, one_number
from kind.enhancing.fast.exposure_branch import (
    SIDE,
    Asked,
    ExposureBranch,
    grid_for_tile,
    seen_contrast,
)
from kind.enhancing.fast.kind_graph import KindGraph
from kind.enhancing.fast.kind_networks import ThreeNetworks
from kind.enhancing.fast.network_files import Weights
from kind.enhancing.fast.operators import channels_first, channels_last
from kind.enhancing.fast.tile_plan import TilePlan
from kind.enhancing.variants import VARIANTS
from kind.errors import UserError
from kind.images.area import area_resized_array
from kind.images.pixels import in_unit_range
from kind.nn.forms import SHIPPED_WEIGHTS
from kind.nn.weights_folder import beside, find_weights

_LOWEST = 0.4  # of all channels that are rounded, below 0; the highest is 1


class Seen(NamedTuple):
    """What the tiles of an image need of all of it.

    Attributes:
        grid: bilateral grid of stops, float32 [16, 16, 8].
        contrast: the share of these stops that the image gets, float32 scalar; see `seen_contrast`.
        stops: log₂ of the suggested α.
    """

    grid: np.ndarray
    contrast: np.ndarray
    stops: float


class FastKind(FastEnhancer):
    """See `FastEnhancer`, and `kind.enhancing.three_networks.KindEnhancer`."""

    variant = "kind"
    own_alpha = "suggested by the exposure head"
    plan = TilePlan(border=16, halo=112, stride=16, pixels=2_200_000)  # about 1 GiB
    ranges_file = SHIPPED_WEIGHTS / "kind.int8.json"
    seen_as = Seen

    def __init__(self, files):
        """See `FastEnhancer`."""
        super().__init__(files)
        self._take_apart = self.compiled(_thumbnail_graph(self.weights))
        self._branch = ExposureBranch(self.weights["exposure"], self.compiled)

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

    def judged(self, image: np.ndarray) -> Seen:
        """See `FastEnhancer`."""
        thumbnail = area_resized_array(image, SIDE, SIDE)
        (product,) = self._take_apart([thumbnail[np.newaxis]]).values()
        grid, _, stops = self._branch(np.array(product[0]))
        contrast = seen_contrast(thumbnail)  # the decomposition makes some of its own
        return Seen(grid, contrast, float(contrast) * stops)

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
        strips, columns = grid_for_tile(seen.grid, origin, part.shape[:2], shape)
        asked = Asked.by(alpha, seen.stops)
        return {
            "image": part[np.newaxis],
            "columns": columns,
            "strips": strips,
            "share": one_number(asked.share * seen.contrast),
            "rest": one_number(asked.rest),
            "strength": one_number(strength),
        }

    def fill(self, result, image, seen, alpha, strength, progress=None):
        """See `FastEnhancer`."""
        if _is_of_one_colour(image):
            result[:] = image if image.dtype == result.dtype else _as(result.dtype, in_unit_range(image))
        else:
            super().fill(result, image, seen, alpha, strength, progress)


def _is_of_one_colour(image: np.ndarray) -> bool:
    first = image[0, 0]
    is_first_row = (image[0] == first).all()  # which spares nearly all images the rest
    return bool(is_first_row and (image == first).all())


def _as(dtype: np.dtype, image: np.ndarray) -> np.ndarray:
    return np.rint(255 * image).astype(np.uint8) if dtype == np.uint8 else image


def _thumbnail_graph(weights: Mapping[str, Weights]) -> openvino.Model:
    """A thumbnail [1, 128, 128, 3] → the product of its reflectance and illumination, likewise."""
    thumbnail = op.parameter([1, SIDE, SIDE, 3], np.float32, "thumbnail")
    reflectance, shading = ThreeNetworks(weights, {}).decomposition(channels_first(thumbnail))
    return openvino.Model([channels_last(op.multiply(reflectance, shading))], [thumbnail], "take_apart")
