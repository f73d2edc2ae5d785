"""The variant "lite" in 8 bits: the same way from an image to an enhanced one, without TensorFlow."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import openvino

from kind.enhancing.borders import mirrored_part
from kind.enhancing.enhanced import Enhanced
from kind.enhancing.fast import calibration
from kind.enhancing.fast.exposure import Exposure, ExposureBranch, spline
from kind.enhancing.fast.given import given_images
from kind.enhancing.fast.lite_file import Weights, digest_of, read_lite
from kind.enhancing.fast.restoration import ROUNDED
from kind.enhancing.fast.tile_graph import CELL, TileGraph
from kind.enhancing.tiling.tiles import Tile, tile_sizes, tiles
from kind.errors import UserError
from kind.images.pixels import in_unit_range
from kind.nn.forms import SHIPPED_WEIGHTS

RANGES = SHIPPED_WEIGHTS / "lite.int8.json"
"""Of the shipped weights; others are calibrated when they are loaded."""

BORDER, HALO, STRIDE = 16, 128, 16  # pixels; of `LiteEnhancer`, its halo up to a multiple of the stride
_PIXELS = 2_600_000  # of a tile with its halo, about 400 MiB
_SIDES = 32  # a tile's sides are multiples of it, so that images of similar sizes share what is compiled
_MOST_COMPILED = 8
_FEWEST_STOPS, _MOST_STOPS, _SMALLEST = -30.0, 8.0, 1e-4
_SETTINGS = {
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_PRECISION_HINT": "f32",  # of what is not in 8 bits
    "ENABLE_CPU_PINNING": False,
}


class FastLite:
    """Enhances as `kind.enhancing.enhancer.Enhancer` does, but gives the relit image alone.

    Attributes:
        precision: "int8".
        variant: "lite".
    """

    precision, variant = "int8", "lite"
    own_alpha = "suggested by the network"

    def __init__(
        self, weights: Weights, ranges: Path | None = RANGES, rounded: Collection[str] = ROUNDED
    ) -> None:
        """Takes the weights.

        Args:
            weights: see `read_lite`.
            ranges: file of `kind.enhancing.fast.calibration`; weights that it is not for are calibrated now.
            rounded: layers that are computed in 8 bits; none of them is float32.

        Raises:
            UserError: when the file of ranges is damaged.
        """
        self._weights, self._digest = weights, digest_of(weights)
        self._core = openvino.Core()
        self._look = ExposureBranch(weights, self._compile)
        self._compiled: OrderedDict[tuple, Callable] = OrderedDict()
        self._ranges = {}
        if rounded:
            extremes = ranges and calibration.read_extremes(ranges, self._digest) or self.extremes()
            self._ranges = {name: calibration.ranges(extremes)[name] for name in rounded}

    @classmethod
    def from_file(cls, path: Path) -> FastLite:
        """Reads the network; raises a UserError when that cannot be done."""
        return cls(read_lite(path))

    def digests(self) -> dict[str, str]:
        """See `kind.enhancing.computation.Computation`; not the same digest as there."""
        return {"lite": self._digest}

    def __call__(
        self,
        images: np.ndarray | Sequence,
        alpha: float | Sequence[float] | None = None,
        fusion: str = "plain",
        parts: Collection[str] = ("relit",),
        progress: Callable[[int, int], None] | None = None,
        strength: float = 1.0,
        levels: bool = False,
    ) -> Enhanced | list[Enhanced]:
        """Enhances a batch, a single image, or images of several sizes; see `Enhancer.__call__`.

        Args:
            images: as there, but no tensors.
            alpha: as there.
            fusion: "plain".
            parts: "relit" alone.
            progress: as there.
            strength: as there.
            levels: as there.

        Returns:
            As there.

        Raises:
            UserError: as there, and on another fusion or part.
            ValueError: on another strength.
        """
        if fusion != "plain" or set(parts) != {"relit"}:
            raise UserError(
                "int8 computes the relit image alone, with fusion plain: take precision float32 or bfloat16"
            )
        if not 0 <= strength <= 1:
            raise ValueError(f"strength expects a number from 0 to 1; received {strength!r}")
        images = given_images(images)
        if isinstance(images, list):
            alphas = np.broadcast_to(np.float32(math.nan if alpha is None else alpha), len(images))
            return [
                self(one, own, progress=progress, strength=strength, levels=levels)
                for one, own in zip(images, alphas)
            ]
        batch = images if images.ndim == 4 else images[np.newaxis]
        alphas = np.broadcast_to(np.float32(math.nan if alpha is None else alpha), len(batch)).copy()
        relit = np.empty(batch.shape, np.uint8 if levels else np.float32)
        for number, image in enumerate(batch):
            seen = self.look(image)
            if math.isnan(alphas[number]):
                alphas[number] = 2.0**seen.stops
            self._fill(relit[number], image, seen, float(alphas[number]), strength, progress)
        if images.ndim == 3:
            return Enhanced(relit=relit[0], alpha=alphas[0])
        return Enhanced(relit=relit, alpha=alphas)

    def look(self, image: np.ndarray) -> Exposure:
        """What the network says of a whole image, [H, W, 3]."""
        return self._look(image)

    def relit(self, image: np.ndarray, seen: Exposure, alpha: float, strength: float) -> np.ndarray:
        """A frame, uint8 [H, W, 3], under an exposure that is given: uint8 [H, W, 3]."""
        result = np.empty(image.shape, np.uint8)
        self._fill(result, image, seen, alpha, strength)
        return result

    def alpha_for_brightness(self, image: np.ndarray, brightness: float) -> float:
        """See `Enhancer.alpha_for_brightness`; imports TensorFlow."""
        from kind.enhancing.brightness import luma, solved_alpha, thinned

        some = thinned(given_images(image)[np.newaxis])
        return float(solved_alpha(lambda alpha: luma(self(some, float(alpha)).relit), brightness))

    def extremes(self) -> dict[str, np.ndarray]:
        """Calibrates, in float32; takes a few seconds."""

        def inputs_of(image: np.ndarray, factor: float) -> dict[str, np.ndarray]:
            graph = TileGraph(self._weights, {})
            seen = self.look(image)
            inputs = _inputs(image, seen, factor * 2.0**seen.stops, 1.0, self._weights, (0, 0), image.shape)
            if "float" not in self._compiled:
                rows, columns = (side // CELL for side in image.shape[:2])
                model = graph.build(rows, columns, levels=False, in_levels=True, dims=False)
                nodes = [graph.unet.inputs[name] for name in ROUNDED]
                model = openvino.Model(nodes, model.get_parameters(), "inputs")
                self._compiled["float"] = self._compile(model)
            run = self._compiled["float"]
            wanted = {port.any_name for port in run.inputs}
            values = run({name: value for name, value in inputs.items() if name in wanted})
            return {name: values[number] for number, name in enumerate(ROUNDED)}

        found = calibration.measured(inputs_of, calibration.photographs())
        self._compiled.pop("float")
        return found

    def _fill(self, result, image, seen, alpha, strength, progress=None) -> None:
        """Computes an image tile by tile into `result`."""
        windows = planned(*image.shape[:2])
        for done, (row, column) in enumerate(windows, start=1):
            part = mirrored_part(image[np.newaxis], row[:2], column[:2])[0]
            part = part if part.dtype == np.uint8 else in_unit_range(part)
            origin = row.start, column.start
            inputs = _inputs(part, seen, alpha, strength, self._weights, origin, image.shape)
            types = result.dtype == np.uint8, part.dtype == np.uint8
            run = self._for(part.shape[:2], *types, "share" in inputs)
            made = _unfolded(next(iter(run(inputs).values())))
            kept = made[row.kept, column.kept]
            result[row.keep_start : row.keep_stop, column.keep_start : column.keep_stop] = kept
            if progress:
                progress(done, len(windows))

    def _for(self, size: tuple[int, int], levels: bool, in_levels: bool, dims: bool) -> Callable:
        """What computes tiles of this size; the last ones are kept."""
        key = (*size, levels, in_levels, dims)
        if key not in self._compiled:
            graph = TileGraph(self._weights, self._ranges)
            model = graph.build(size[0] // CELL, size[1] // CELL, levels, in_levels, dims)
            self._compiled[key] = self._compile(model)
            while len(self._compiled) > _MOST_COMPILED:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return self._compiled[key]

    def _compile(self, model: openvino.Model) -> openvino.CompiledModel:
        return self._core.compile_model(model, "CPU", _SETTINGS)


def planned(height: int, width: int) -> list[tuple[Tile, Tile]]:
    """The tiles of an image; their sides are multiples of 32, and reach into its mirrored border."""
    outer = height + 2 * BORDER, width + 2 * BORDER
    sizes = tile_sizes(*outer, HALO, STRIDE, _PIXELS)
    rows, columns = (
        [_rounded_up(tile).inside(BORDER, length) for tile in tiles(whole, size, HALO, STRIDE)]
        for length, whole, size in zip((height, width), outer, sizes)
    )
    return [(row, column) for row in rows for column in columns]


def _rounded_up(tile: Tile) -> Tile:
    return tile._replace(stop=tile.start + -(-(tile.stop - tile.start) // _SIDES) * _SIDES)


def _inputs(part, seen: Exposure, alpha: float, strength: float, weights: Weights, origin, shape) -> dict:
    """What `TileGraph` takes for a tile, [H, W, 3], that begins at `origin` of an image of a shape."""
    rows, columns = (spline(start, length, whole) for start, length, whole in zip(origin, part.shape, shape))
    strips = np.tensordot(rows, seen.grid, 1).reshape(-1, CELL, *seen.grid.shape[1:])  # [h, 4, 16, 8]
    scale, shift = (
        (seen.summary @ kernel + bias).reshape(1, -1, 1, 1)
        for kernel, bias in (weights["coarse_scale"], weights["coarse_shift"])
    )
    wanted = max(math.log2(alpha), _FEWEST_STOPS) if alpha > 0 else _FEWEST_STOPS
    more = max(wanted - seen.stops, 0.0)
    share = min(max(wanted / max(seen.stops, _SMALLEST), 0.0), 1.0)
    inputs = {
        "cells": _folded(part),
        "columns": columns,
        "strips": np.ascontiguousarray(strips.transpose(3, 0, 2, 1)),
        "colour": np.tile(seen.colour, CELL**2).reshape(1, 1, 1, -1),
        "scale": scale,
        "shift": shift,
        "strength": _number(strength),
        "more": _number(more),
    }
    if (1.0 - share) * _MOST_STOPS > _SMALLEST or wanted < 0:  # not for what rounding α leaves
        inputs |= {"share": _number(share), "rest": _number(more + min(wanted, 0.0))}
    return inputs


def _number(value: float) -> np.ndarray:
    return np.full((1, 1, 1, 1), value, np.float32)


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
