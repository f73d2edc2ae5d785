"""What both variants share in 8 bits: the same way from an image to an enhanced one, without TensorFlow."""

from __future__ import annotations

import abc
import contextlib
import copy
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import openvino
from openvino import Node

from kind.enhancing.alpha_text import check_alpha
from kind.enhancing.borders import mirrored_part
from kind.enhancing.enhanced import Enhanced
from kind.enhancing.fast import calibration
from kind.enhancing.fast.engine import CORE, SETTINGS
from kind.enhancing.fast.given import given_images
from kind.enhancing.fast.network_files import digest_of, read_network
from kind.enhancing.fast.operators import Range
from kind.enhancing.fast.tile_plan import TilePlan, planned
from kind.enhancing.precision import INT8
from kind.enhancing.processors import processors
from kind.errors import UserError
from kind.images.pixels import in_unit_range
from kind.nn.forking import refuse_forked

_MOST_COMPILED = 8
_LACK_OF_MEMORY = ("Failed to allocate", "bad_alloc")  # in the text of OpenVINO's RuntimeErrors


class FastEnhancer(abc.ABC):
    """Enhances as `kind.enhancing.enhancer.Enhancer` does, but gives the relit image alone.

    Thread-safe: threads take turns, since each computation has all processors.

    Attributes:
        precision: "int8".
        variant: of `kind.enhancing.variants`.
        own_alpha: as of `Enhancer`.
        files: of the networks.
        plan: how large images are cut.
        frames_at_once: of videos, at most; each takes the memory of a tile.
        ranges_file: of the shipped weights; others are calibrated when they are loaded.
        seen_as: class of what the networks say of a whole image: a named tuple of arrays, log₂ of the
            suggested α last.
    """

    precision = INT8
    variant: str
    own_alpha: str
    plan: TilePlan
    frames_at_once = 1
    ranges_file: Path
    seen_as: type

    def __init__(self, files: Mapping[str, Path]) -> None:
        """Reads the networks, which compute in float32 until `calibrate`.

        Args:
            files: `.keras` files by network.

        Raises:
            UserError: when one cannot be read, or holds another network.
        """
        self.files = files
        self.weights = {network: read_network(path, network) for network, path in files.items()}
        self._settings = SETTINGS
        self._compiled: OrderedDict[tuple, Callable] = OrderedDict()
        self.ranges: dict[str, Range] = {}
        self._extremes: calibration.Extremes = {}
        self._last: openvino.CompiledModel | None = None
        self._turn = threading.Lock()

    def calibrate(self, ranges: Path | None = None) -> None:
        """Computes in 8 bits from now on; before, everything is float32.

        Args:
            ranges: file of `kind.enhancing.fast.calibration`. Without it, and when it is not for these
                weights, the ranges are measured, which takes some seconds.

        Raises:
            UserError: when the file is damaged.
        """
        extremes = ranges and calibration.read_extremes(ranges, self.digest())
        self._extremes = extremes or self.extremes()
        self.ranges = self.ranges_of(self._extremes)
        self._compiled.clear()

    def write_ranges(self, file: Path) -> None:
        """Writes what `calibrate` reads."""
        calibration.write_extremes(file, self.digest(), self._extremes)

    def digests(self) -> dict[str, str]:
        """See `kind.enhancing.computation.Computation`; not the same digests as there."""
        return {network: digest_of(weights) for network, weights in self.weights.items()}

    def digest(self) -> str:
        """Of the weights of all networks: what ranges belong to."""
        return "-".join(self.digests().values())

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
            ValueError: on another strength, or an α below 0.
        """
        if fusion != "plain" or set(parts) != {"relit"}:
            raise UserError(
                "int8 computes the relit image alone, with fusion plain: take precision float32 or bfloat16"
            )
        if not 0 <= strength <= 1:
            raise ValueError(f"strength expects a number from 0 to 1; received {strength!r}")
        if alpha is not None:
            check_alpha(alpha)
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
            with self.computing():
                seen = self.judged(image)
            if math.isnan(alphas[number]):
                alphas[number] = 2.0**seen.stops
            self.fill(relit[number], image, seen, float(alphas[number]), strength, progress)
        if images.ndim == 3:
            return Enhanced(relit=relit[0], alpha=alphas[0])
        return Enhanced(relit=relit, alpha=alphas)

    def relit(self, image: np.ndarray, seen: NamedTuple, alpha: float, strength: float) -> np.ndarray:
        """A frame, uint8 [H, W, 3], of which is known what was seen of it: uint8 [H, W, 3]."""
        result = np.empty(image.shape, np.uint8)
        self.fill(result, image, seen, alpha, strength)
        return result

    def suggested_alpha(self, image: np.ndarray) -> float:
        """See `Enhancer.suggested_alpha`."""
        image = given_images(image)
        with self.computing():
            seen = self.judged(image)
        return float(2.0**seen.stops)

    def alpha_for_brightness(
        self, image: np.ndarray, brightness: float, *, fusion: str = "plain", strength: float = 1.0
    ) -> float:
        """See `Enhancer.alpha_for_brightness`; imports TensorFlow."""
        from kind.enhancing.brightness import luma, solved_alpha, thinned

        some = thinned(given_images(image)[np.newaxis])
        return float(
            solved_alpha(
                lambda alpha: luma(self(some, float(alpha), fusion, strength=strength).relit), brightness
            )
        )

    def extremes(self) -> dict[str, np.ndarray]:
        """Measures in float32 what `calibration.Extremes` says; takes some seconds."""
        model, nodes = self.observed(calibration.SIDE, calibration.SIDE)
        run = self.compiled(openvino.Model([*nodes.values()], model.get_parameters(), "observed"))
        wanted = {port.any_name for port in run.inputs}

        def values_of(image: np.ndarray, factor: float) -> dict[str, np.ndarray]:
            with self.computing():
                seen = self.judged(image)
            inputs = self.inputs(image, seen, factor * 2.0**seen.stops, 1.0, (0, 0), image.shape)
            values = run({name: value for name, value in inputs.items() if name in wanted})
            return {name: values[number] for number, name in enumerate(nodes)}

        return calibration.measured(values_of, calibration.photographs())

    def copies(self, count: int) -> Iterator[FastEnhancer]:
        """As many that compute at the same time, on an equal share of the processors each.

        They share weights and ranges; only `relit` may be called of them.
        """
        for _ in range(count):
            one = copy.copy(self)
            one._compiled, one._last, one._turn = OrderedDict(), None, threading.Lock()
            one._settings = {**SETTINGS, "INFERENCE_NUM_THREADS": max(processors() // count, 1)}
            yield one

    @classmethod
    @abc.abstractmethod
    def from_files(cls, weights: str | Path | None = None) -> FastEnhancer:
        """Reads the networks of a folder, see `kind.enhancing.enhancer.Enhancer.load`; raises UserError."""

    @classmethod
    def ranges_of(cls, extremes: calibration.Extremes) -> dict[str, Range]:
        """How what has these extremes is rounded."""
        return calibration.ranges(extremes)

    @abc.abstractmethod
    def judged(self, image: np.ndarray) -> NamedTuple:
        """What the networks say of a whole image, [H, W, 3]: `seen_as`; within `computing`."""

    @abc.abstractmethod
    def inputs(
        self, part: np.ndarray, seen: NamedTuple, alpha: float, strength: float, origin, shape
    ) -> dict[str, np.ndarray]:
        """What the graph takes for a tile, [H, W, 3], that begins at `origin` of an image of a shape."""

    @abc.abstractmethod
    def build(
        self, height: int, width: int, levels: bool, in_levels: bool, names: tuple[str, ...]
    ) -> openvino.Model:
        """The graph for tiles of a size that takes inputs of these names; both as uint8, or float32."""

    @abc.abstractmethod
    def observed(self, height: int, width: int) -> tuple[openvino.Model, dict[str, Node]]:
        """A graph in float32 that takes uint8, and the nodes in it that are to be rounded."""

    def pixels_of(self, result: np.ndarray) -> np.ndarray:
        """[H, W, 3] of what the graph gives for a tile."""
        return result[0]

    def fill(
        self, result: np.ndarray, image: np.ndarray, seen, alpha: float, strength: float, progress=None
    ) -> None:
        """Computes an image tile by tile into `result`, [H, W, 3], float32 or uint8."""
        windows = planned(*image.shape[:2], self.plan)
        windows.sort(key=lambda window: [tile.stop - tile.start for tile in window])  # few changes of size
        for done, (row, column) in enumerate(windows, start=1):
            part = mirrored_part(image[np.newaxis], row[:2], column[:2])[0]
            part = part if part.dtype == np.uint8 else in_unit_range(part)
            inputs = self.inputs(part, seen, alpha, strength, (row.start, column.start), image.shape)
            types = result.dtype == np.uint8, part.dtype == np.uint8
            with self.computing():
                computed = self._run((*part.shape[:2], *types, tuple(inputs)), inputs)
            kept = self.pixels_of(computed)[row.kept, column.kept]
            result[row.keep_start : row.keep_stop, column.keep_start : column.keep_stop] = kept
            if progress:
                progress(done, len(windows))

    def _run(self, form: tuple, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Computes a tile by the graph for arguments of `build`; the last graphs are kept."""
        if form not in self._compiled:
            self._compiled[form] = self.compiled(self.build(*form))
            while len(self._compiled) > _MOST_COMPILED:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(form)
        graph = self._compiled[form]
        if self._last not in (None, graph):
            self._last.release_memory()
        self._last = graph
        return next(iter(graph(inputs).values()))

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """One thread at a time; lack of memory is a MemoryError."""
        refuse_forked()
        try:
            with self._turn:
                yield
        except RuntimeError as error:
            if any(words in str(error) for words in _LACK_OF_MEMORY):
                raise MemoryError("does not fit into memory") from error
            raise

    def compiled(self, model: openvino.Model, **settings: object) -> openvino.CompiledModel:
        """Makes a graph ready to run; OpenVINO's settings add to those that are used here."""
        refuse_forked()
        return CORE.compile_model(model, "CPU", {**self._settings, **settings})


def one_number(value: float) -> np.ndarray:
    """A number as graphs take it, float32 [1, 1, 1, 1]."""
    return np.full((1, 1, 1, 1), value, np.float32)
