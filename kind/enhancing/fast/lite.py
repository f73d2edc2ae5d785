"""The variant "lite" in 8 bits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kind.enhancing.fast.enhancer import FastEnhancer, one_number
from kind.enhancing.fast.exposure_branch import SIDE, Asked, ExposureBranch, grid_for_tile
from kind.enhancing.fast.lite_graph import CELL, LiteGraph
from kind.enhancing.fast.lite_unet import ROUNDED
from kind.enhancing.fast.tile_plan import TilePlan
from kind.images.area import area_resized_array
from kind.nn.forms import SHIPPED_WEIGHTS
from kind.nn.weights_folder import find_weights

_LARGEST_COLOUR = 0.5  # stops
_MOST_STOPS, _SMALLEST = 8.0, 1e-4
# Beyond so many stops, and so many above the suggested ones, more light makes nothing brighter, but takes
# what is rounded to 8 bits out of the ranges that were measured.
_MOST_WANTED, _MORE_CALIBRATED = 12.0, 2.0


class Look(NamedTuple):
    """What the tiles of an image need of all of it.

    Attributes:
        grid: bilateral grid of stops, float32 [16, 16, 8].
        colour: stops for each channel, float32 [3].
        summary: float32 [64].
        stops: log₂ of the suggested α.
    """

    grid: np.ndarray
    colour: np.ndarray
    summary: np.ndarray
    stops: float


class FastLite(FastEnhancer):
    """See `FastEnhancer`."""

    variant = "lite"
    own_alpha = "suggested by the network"
    plan = TilePlan(border=16, halo=128, stride=16, pixels=4_700_000)  # about 600 MiB
    frames_at_once = 4
    ranges_file = SHIPPED_WEIGHTS / "lite.int8.json"
    seen_as = Look

    def __init__(self, files):
        """See `FastEnhancer`."""
        super().__init__(files)
        self._own = self.weights["lite"]
        self._branch = ExposureBranch(self._own, self.compiled)

    @classmethod
    def from_files(cls, weights=None):
        """See `FastEnhancer`."""
        return cls(find_weights(("lite",), weights))

    def judged(self, image: np.ndarray) -> Look:
        """See `FastEnhancer`."""
        grid, summary, stops = self._branch(area_resized_array(image, SIDE, SIDE))
        kernel, bias = self._own["colour_share"]
        return Look(grid, _LARGEST_COLOUR * np.tanh(summary @ kernel + bias), summary, stops)

    def build(self, height, width, levels, in_levels, names):
        """See `FastEnhancer`."""
        graph = LiteGraph(self._own, self.ranges)
        return graph.build(height // CELL, width // CELL, levels, in_levels, dims="share" in names)

    def observed(self, height, width):
        """See `FastEnhancer`."""
        graph = LiteGraph(self._own, {})
        model = graph.build(height // CELL, width // CELL, levels=False, in_levels=True, dims=False)
        return model, {name: graph.unet.inputs[name] for name in ROUNDED}

    def inputs(self, part, seen, alpha, strength, origin, shape):
        """See `FastEnhancer`."""
        strips, columns = grid_for_tile(seen.grid, origin, part.shape[:2], shape)
        scale, shift = (
            (seen.summary @ kernel + bias).reshape(1, -1, 1, 1)
            for kernel, bias in (self._own["coarse_scale"], self._own["coarse_shift"])
        )
        asked = Asked.by(alpha, seen.stops, max(_MOST_WANTED, seen.stops + _MORE_CALIBRATED))
        inputs = {
            "cells": _folded(part),
            "columns": columns,
            "strips": strips,
            "colour": np.tile(seen.colour, CELL**2).reshape(1, 1, 1, -1),
            "scale": scale,
            "shift": shift,
            "strength": one_number(strength),
            "more": one_number(asked.more),
        }
        if (
            1.0 - asked.share
        ) * _MOST_STOPS > _SMALLEST or asked.wanted < 0:  # not for what rounding α leaves
            inputs |= {"share": one_number(asked.share), "rest": one_number(asked.rest)}
        return inputs

    def pixels_of(self, result):
        """See `FastEnhancer`; the graph gives cells."""
        return _unfolded(result)


def _folded(part: np.ndarray) -> np.ndarray:
    """[H, W, 3] → cells [1, H/4, W/4, 48]."""
    height, width = part.shape[0] // CELL, part.shape[1] // CELL
    cells = part.reshape(height, CELL, width, CELL * 3).swapaxes(1, 2)
    return np.ascontiguousarray(cells).reshape(1, height, width, -1)


def _unfolded(cells: np.ndarray) -> np.ndarray:
    """The way back."""
    _, height, width, _ = cells.shape
    rows = cells.reshape(height, width, CELL, CELL * 3).swapaxes(1, 2)
    return np.ascontiguousarray(rows).reshape(height * CELL, width * CELL, 3)
