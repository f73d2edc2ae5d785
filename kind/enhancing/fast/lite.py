"""The variant "lite" in 8 bits."""

from __future__ import annotations

import math

import numpy as np

from kind.enhancing.fast.enhancer import FastEnhancer, one_number
from kind.enhancing.fast.lite_exposure import Exposure, ExposureBranch, spline
from kind.enhancing.fast.lite_graph import CELL, LiteGraph
from kind.enhancing.fast.lite_unet import ROUNDED
from kind.enhancing.fast.tile_plan import TilePlan
from kind.nn.forms import SHIPPED_WEIGHTS
from kind.nn.weights_folder import find_weights

_FEWEST_STOPS, _MOST_STOPS, _SMALLEST = -30.0, 8.0, 1e-4
# Beyond so many stops, and so many above the suggested ones, more light makes nothing brighter, but takes
# what is rounded to 8 bits out of the ranges that were measured.
_MOST_WANTED, _MORE_CALIBRATED = 12.0, 2.0


class FastLite(FastEnhancer):
    """See `FastEnhancer`."""

    variant = "lite"
    own_alpha = "suggested by the network"
    plan = TilePlan(border=16, halo=128, stride=16, pixels=4_700_000)  # about 600 MiB
    frames_at_once = 4
    ranges_file = SHIPPED_WEIGHTS / "lite.int8.json"
    seen_as = Exposure

    def __init__(self, files):
        """See `FastEnhancer`."""
        super().__init__(files)
        self._own = self.weights["lite"]
        self._branch = ExposureBranch(self._own, self.compiled)

    @classmethod
    def from_files(cls, weights=None):
        """See `FastEnhancer`."""
        return cls(find_weights(("lite",), weights))

    def judged(self, image: np.ndarray) -> Exposure:
        """See `FastEnhancer`."""
        return self._branch(image)

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
        rows, columns = (
            spline(start, length, whole) for start, length, whole in zip(origin, part.shape, shape)
        )
        strips = np.tensordot(rows, seen.grid, 1).transpose(2, 0, 1)
        scale, shift = (
            (seen.summary @ kernel + bias).reshape(1, -1, 1, 1)
            for kernel, bias in (self._own["coarse_scale"], self._own["coarse_shift"])
        )
        wanted = max(math.log2(alpha), _FEWEST_STOPS) if alpha > 0 else _FEWEST_STOPS
        wanted = min(wanted, max(_MOST_WANTED, seen.stops + _MORE_CALIBRATED))
        more = max(wanted - seen.stops, 0.0)
        share = min(max(wanted / max(seen.stops, _SMALLEST), 0.0), 1.0)
        inputs = {
            "cells": _folded(part),
            "columns": np.ascontiguousarray(columns.T),
            "strips": np.ascontiguousarray(strips),
            "colour": np.tile(seen.colour, CELL**2).reshape(1, 1, 1, -1),
            "scale": scale,
            "shift": shift,
            "strength": one_number(strength),
            "more": one_number(more),
        }
        if (1.0 - share) * _MOST_STOPS > _SMALLEST or wanted < 0:  # not for what rounding α leaves
            inputs |= {"share": one_number(share), "rest": one_number(more + min(wanted, 0.0))}
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
