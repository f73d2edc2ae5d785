"""The steps that every variant computes, as graphs over whole images or over tiles of them."""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.enhancing.borders import mirrored, mirrored_part, without_border
from kind.enhancing.composition import composed, shares_of
from kind.enhancing.enhanced import CHANNELS, PARTS, Enhanced
from kind.enhancing.precision import chosen_precision
from kind.enhancing.tiling.large_memory import shareable, shared
from kind.enhancing.tiling.plan import TilePlan, Windows
from kind.images.pixels import in_levels, in_unit_range
from kind.nn.bfloat16 import in_bfloat16
from kind.nn.graphs import as_graph
from kind.nn.saving import weights_digest

#: Global statistics of whole images, which tiles of them are enhanced with: float32 [N, …] each.
GlobalStatistics = tuple[tf.Tensor, ...]


class Wanted(NamedTuple):
    """What is wanted of images.

    Attributes:
        fusion: one of `kind.constants.FUSIONS`.
        parts: names of parts, in the order of `kind.enhancing.enhanced.PARTS`.
        strength: share of the relit image in the part `relit`.
        levels: round the parts to uint8.
    """

    fusion: str
    parts: tuple[str, ...]
    strength: float | tf.Tensor
    levels: bool = False


class Computation(abc.ABC):
    """The networks of a variant and the steps that they make; `Enhancer` is what users call.

    Attributes:
        originals: the networks in float32, by the name of their stage.
        networks: the same as they compute here.
        precision: what they compute in, "float32" or "bfloat16".
    """

    #: Width in pixels of the mirrored border that images get, a multiple of the networks' stride.
    border = 0
    #: Places of global statistics that one frame of a video does not share with its neighbours.
    own_statistics: Collection[int] = ()

    def __init__(self, originals: dict[str, keras.Model], precision: str) -> None:
        """Takes the networks; `Enhancer.load` reads them from files.

        Args:
            originals: by the name of their stage.
            precision: see `Enhancer.load`. In bfloat16 the weights are those of now: later training of the
                given networks changes nothing.

        Raises:
            ValueError: on another precision.
        """
        self.originals = originals
        self.precision = chosen_precision(precision)
        computing = in_bfloat16 if self.precision == "bfloat16" else lambda net: net
        self.networks = {name: computing(net) for name, net in originals.items()}
        self._graphs: dict[tuple, Callable] = {}

    @abc.abstractmethod
    def tile_plan(self) -> TilePlan:
        """Halo, stride and memory of the networks; raises UnboundedReceptiveField if tiles cannot be used."""

    @abc.abstractmethod
    def make(self, tile: tf.Tensor, alpha: tf.Tensor, seen: GlobalStatistics, origin: tf.Tensor) -> Enhanced:
        """All but the relit image of a tile whose first pixel is at `origin`, int32 [2]; with a resolved α.

        The origin is counted in the image without its border, in which a tile may begin.
        """

    @abc.abstractmethod
    def collect_statistics(self, images: tf.Tensor) -> GlobalStatistics:
        """The global statistics of whole images, in a graph."""

    @abc.abstractmethod
    def collect_statistics_of(self, images: np.ndarray) -> GlobalStatistics:
        """The same of large images outside a graph, without making tensors of them."""

    @abc.abstractmethod
    def chosen_alpha(self, alpha: tf.Tensor, seen: GlobalStatistics) -> tf.Tensor:
        """α float32 [N], with the variant's own choice where it is NaN."""

    def conditioned(self, alpha: tf.Tensor, seen: GlobalStatistics) -> GlobalStatistics:
        """What tiles need of whole images once α is resolved: by default the statistics themselves."""
        return seen

    def statistics_specs(self, seen: GlobalStatistics) -> list[tf.TensorSpec]:
        """Shapes of `conditioned` for a graph of tiles; other images' must fit as well."""
        return [tf.TensorSpec([None, *each.shape[1:]]) for each in seen]

    def digests(self) -> dict[str, str]:
        """What kept results are keyed by: the digest of each network's weights, by its stage."""
        return {stage: weights_digest(net) for stage, net in self.originals.items()}

    @functools.cached_property
    def windows(self) -> Windows:
        """How large images are cut."""
        return Windows(self.tile_plan)

    def cut(self, enhanced: Enhanced) -> Enhanced:
        """Without the mirrored border."""
        if not self.border:
            return enhanced
        parts = {name: getattr(enhanced, name) for name in PARTS}
        cut = {name: without_border(part, self.border) for name, part in parts.items() if part is not None}
        return enhanced._replace(**cut)

    def needs_tiles(self, count: int, height: int, width: int) -> bool:
        """Whether a batch of this size, without its border, is too large to be computed whole."""
        return not self.windows.holds_whole(count, height + 2 * self.border, width + 2 * self.border)

    def whole_graph(self, wanted: Wanted) -> tuple[Callable, list[tf.Tensor]]:
        """The graph of whole images with border, α (and strength unless it is 1); and that strength.

        α, [N], may be NaN.
        """
        shares = shares_of(wanted.strength)

        def enhance(images, alpha, *shares):
            seen = self.collect_statistics(without_border(images, self.border))
            chosen = self.chosen_alpha(alpha, seen)
            made = self.make(images, chosen, self.conditioned(chosen, seen), tf.fill([2], -self.border))
            return composed(made, wanted.fusion, wanted.parts, images, *shares)

        key = (wanted.fusion, wanted.parts, "whole", len(shares))
        return self._graph(key, enhance, _IMAGES, _NUMBERS, *[_NUMBER] * len(shares)), shares

    def tiled(
        self,
        images: np.ndarray,
        alpha: tf.Tensor,
        wanted: Wanted,
        progress: Callable[[int, int], None] | None = None,
        seen: GlobalStatistics | None = None,
    ) -> Enhanced:
        """The same result tile by tile, in memory that depends on the tile for all but the result.

        `seen` takes the place of the images' own statistics.
        """
        seen = self.collect_statistics_of(images) if seen is None else seen
        windows = self.windows.of(*images.shape[:3], border=self.border)
        alpha = self.chosen_alpha(alpha, seen)
        seen = self.conditioned(alpha, seen)
        dtype, stored = (np.uint8, in_levels) if wanted.levels else (np.float32, np.asarray)
        wholes = {name: shareable((*images.shape[:3], CHANNELS[name]), dtype) for name in wanted.parts}
        graph, shares = self._tile_graph(wanted, seen)
        for done, (some, row, column) in enumerate(windows, start=1):
            window = in_unit_range(mirrored_part(images[some], row[:2], column[:2]))
            origin = tf.constant([row.start, column.start])
            made = graph(window, alpha[some], origin, *shares, *(each[some] for each in seen))
            for name, whole in wholes.items():
                kept = stored(np.asarray(made[name][:, row.kept, column.kept]))
                whole[some, row.keep_start : row.keep_stop, column.keep_start : column.keep_stop] = kept
            if progress:
                progress(done, len(windows))
        return Enhanced(**{name: shared(whole) for name, whole in wholes.items()}, alpha=alpha)

    def statistics_graph(self) -> Callable[[np.ndarray], GlobalStatistics]:
        """Whole images, uint8 [N, H, W, 3], without their border → their global statistics."""
        return self._graph(("statistics",), lambda images: self.collect_statistics(_unit(images)), _LEVELS)

    def frame_graph(self, wanted: Wanted, seen: GlobalStatistics) -> tuple[Callable, list[tf.Tensor]]:
        """As `whole_graph`, from and to uint8 without a border, with statistics that are given.

        Args:
            wanted: the parts, which are rounded to uint8.
            seen: statistics of such images, whose shapes the graph takes.

        Returns:
            A function of images, uint8 [N, H, W, 3], α, the shares and the statistics, one by one; and the
            shares.
        """
        shares = shares_of(wanted.strength)
        count = len(shares)

        def enhance(images, alpha, *others):
            shares, seen = others[:count], others[count:]
            wide = _unit(mirrored(images, self.border))
            chosen = self.chosen_alpha(alpha, seen)
            made = self.make(wide, chosen, self.conditioned(chosen, seen), tf.fill([2], -self.border))
            parts = composed(made, wanted.fusion, wanted.parts, wide, *shares)
            return self.cut(Enhanced(**parts)).in_levels()._asdict()

        shapes = [tf.TensorSpec([None, *each.shape[1:]]) for each in seen]
        key = (wanted.fusion, wanted.parts, "frame", count, *(tuple(each.shape[1:]) for each in seen))
        return self._graph(key, enhance, _LEVELS, _NUMBERS, *[_NUMBER] * count, *shapes), shares

    def _tile_graph(self, wanted: Wanted, seen: GlobalStatistics) -> tuple[Callable, list[tf.Tensor]]:
        """The same for tiles, from their places and what is known of the whole images besides."""
        shares = shares_of(wanted.strength)

        def enhance(images, alpha, origin, *others):
            shares, seen = others[:count], others[count:]
            made = self.make(images, alpha, seen, origin)
            return composed(made, wanted.fusion, wanted.parts, images, *shares)

        count = len(shares)
        key = (wanted.fusion, wanted.parts, "tile", count)
        signature = _IMAGES, _NUMBERS, _ORIGIN, *[_NUMBER] * count, *self.statistics_specs(seen)
        return self._graph(key, enhance, *signature), shares

    def _graph(self, key: tuple, function: Callable, *signature: tf.TensorSpec) -> Callable:
        """`function` as one graph for all sizes, made once for each key."""
        if key not in self._graphs:
            self._graphs[key] = as_graph(function, signature)
        return self._graphs[key]


def _unit(images: tf.Tensor) -> tf.Tensor:
    """uint8 → float32 in [0, 1]."""
    return tf.cast(images, tf.float32) / 255.0


_IMAGES = tf.TensorSpec([None, None, None, 3])
_LEVELS = tf.TensorSpec([None, None, None, 3], tf.uint8)
_NUMBERS = tf.TensorSpec([None])
_NUMBER = tf.TensorSpec([])
_ORIGIN = tf.TensorSpec([2], tf.int32)
