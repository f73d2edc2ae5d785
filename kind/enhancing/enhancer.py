"""The one path from a dark image to an enhanced one, whatever networks it leads through."""

from __future__ import annotations

import abc
import functools
import math
import pkgutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.constants import FUSIONS
from kind.enhancing.borders import mirrored, mirrored_part, without_border
from kind.enhancing.brightness import luma, solved_alpha, tried_factor
from kind.enhancing.composition import composed, shares_of
from kind.enhancing.enhanced import CHANNELS, PARTS, Enhanced
from kind.enhancing.given_images import Picture, as_levels
from kind.enhancing.precision import chosen_precision
from kind.enhancing.tiling.graph_tiles import in_tiles
from kind.enhancing.tiling.large_memory import shareable, shared
from kind.enhancing.tiling.plan import TilePlan, Windows
from kind.enhancing.variants import VARIANTS, variant_of
from kind.errors import UserError
from kind.images.pixels import in_levels, in_unit_range
from kind.nn.bfloat16 import in_bfloat16
from kind.nn.forking import refuse_forked
from kind.nn.graphs import as_graph
from kind.nn.saving import weights_digest
from kind.ops.blocks import block_mean_array

#: Global statistics of whole images, which tiles of them are enhanced with: float32 [N, …] each.
GlobalStatistics = tuple[tf.Tensor, ...]


class Enhancer(abc.ABC):
    """Takes dark images apart, cleans the reflectance, adjusts the illumination and multiplies them.

    Attributes:
        originals: the networks in float32, by the name of their stage.
        networks: the same as they compute here.
        precision: what they compute in, "float32" or "bfloat16".

    Example:
        >>> enhancer = Enhancer.from_preset("kind")
        >>> enhancer("night.jpg", alpha=5.0).relit_image().save("night-relit.jpg")
    """

    #: One of `kind.enhancing.variants.VARIANTS`.
    variant = ""
    #: Width in pixels of the mirrored border that images get, a multiple of the networks' stride.
    border = 0

    def __init__(self, originals: dict[str, keras.Model], precision: str) -> None:
        """Takes the networks; `load` reads them from files.

        Args:
            originals: by the name of their stage.
            precision: see `load`. In bfloat16 the weights are those of now: later training of the given
                networks changes nothing.

        Raises:
            ValueError: on another precision.
        """
        self.originals = originals
        self.precision = chosen_precision(precision)
        computing = in_bfloat16 if self.precision == "bfloat16" else lambda net: net
        self.networks = {name: computing(net) for name, net in originals.items()}
        self._graphs: dict[tuple, Callable] = {}

    @classmethod
    def load(
        cls,
        weights: str | Path | None = None,
        precision: str = "float32",
        variant: str | None = None,
    ) -> Enhancer:
        """Reads the networks of a variant.

        Args:
            weights: a folder with any of the variant's `STAGE.keras` files (its stages are in
                `kind.enhancing.variants.VARIANTS`), or a folder of run folders with these names. Networks
                that the folder lacks come from the shipped weights, as do all when no folder is given.
            precision: "float32"; "bfloat16" computes everything inside the networks but their heads in
                16 bits, about twice as fast on a CPU with bfloat16 instructions and slower on others;
                "auto" is the faster of the two.
            variant: a key of `kind.enhancing.variants.VARIANTS`: "lite", one small network; "kind", the
                three networks of the paper. None is the one whose networks the folder holds, otherwise
                "lite".

        Returns:
            The enhancer.

        Raises:
            UserError: when the folder is missing, holds none of the files, or a file cannot be loaded.
            ValueError: on another precision or variant.
        """
        variant = variant or cls.variant or variant_of(weights)
        if variant not in VARIANTS:
            raise ValueError(f"variant expects one of {', '.join(VARIANTS)}; received {variant!r}")
        chosen = pkgutil.resolve_name(VARIANTS[variant].enhancer)
        return chosen.from_files(weights, chosen_precision(precision))

    @classmethod
    def from_preset(cls, preset: str | Path, precision: str = "float32") -> Enhancer:
        """Reads shipped networks by the name of their variant, or a user's own from a folder.

        Args:
            preset: a key of `kind.enhancing.variants.VARIANTS`, or a folder as `load` takes it, whose files
                decide the variant ("lite" when there are networks of several). For a folder that is called
                like a variant give a path, such as "./kind".
            precision: see `load`.

        Returns:
            The enhancer.

        Raises:
            UserError: when it is neither a variant nor a folder of weights, or a file cannot be loaded.
            ValueError: on another precision.

        Example:
            >>> Enhancer.from_preset("lite")("night.jpg").relit_image()
        """
        if preset in VARIANTS:
            return cls.load(precision=precision, variant=preset)
        if not Path(preset).is_dir():
            raise UserError(
                f"{preset}: expected one of the presets {', '.join(VARIANTS)}, or a folder of weights"
            )
        return cls.load(preset, precision)

    @property
    def own_alpha(self) -> str:
        """What α is when it is left to the variant, in words."""
        return VARIANTS[self.variant].own_alpha

    def __call__(
        self,
        images: Picture | Sequence[Picture],
        alpha: float | tf.Tensor | None = None,
        fusion: str = "plain",
        parts: Collection[str] = PARTS,
        progress: Callable[[int, int], None] | None = None,
        strength: float | tf.Tensor = 1.0,
        levels: bool = False,
    ) -> Enhanced:
        """Enhances a batch, or a single image.

        Large images are computed in tiles, with the same result. The memory in use is then the same for all
        sizes, apart from the image and the parts that are asked for.

        Args:
            images: one image or a batch, of any size from 1×1. One image is a path, a Pillow image, or an
                array or tensor [H, W, 3]; a batch is an array or tensor [N, H, W, 3], or a list of images of
                one size. RGB; floats in [0, 1], or unsigned integers, which large arrays stay in until a tile
                is computed.
            alpha: how much brighter, a number or float32 [N]: 1 keeps the illumination, less darkens.
                None, or NaN for one of several images, leaves it to the variant: 5, the published
                default, for "kind", which was trained on ratios up to about 20; what the network
                suggests for each image for "lite".
            fusion: "plain" is R̂ ∘ L̂; "published" is the masked and blended form of the original
                evaluation script.
            parts: names of what is wanted, of `PARTS`; nothing else is kept, or computed without need.
            progress: called after each tile with the number of tiles that are done and that there are.
            strength: share of the relit image in `relit`, 0 to 1; the rest is the input.
            levels: give the parts as uint8, rounded tile by tile, in a quarter of the memory.

        Returns:
            The wanted parts, see `Enhanced`.

        Raises:
            ValueError: on another fusion, part, shape, type or range.
            ImageError: when a file cannot be read.
        """
        refuse_forked()
        if fusion not in FUSIONS:
            raise ValueError(f"fusion expects one of {', '.join(FUSIONS)}; received {fusion!r}")
        if not parts or not set(parts) <= set(PARTS):
            raise ValueError(f"parts expects some of {', '.join(PARTS)}; received {list(parts)}")
        if not tf.is_tensor(strength) and not 0 <= strength <= 1:
            raise ValueError(f"strength expects a number from 0 to 1; received {strength!r}")
        images = as_levels(images)
        single = len(images.shape) == 3
        if single:
            images = images[np.newaxis]
        parts = tuple(name for name in PARTS if name in parts)
        count = images.shape[:1] if isinstance(images, np.ndarray) else tf.shape(images)[:1]
        alpha = _alphas(alpha, count)
        # Inside a graph the size may be unknown; whoever builds the graph decides about tiles.
        if tf.executing_eagerly() and not self.windows.holds_whole(*self._outer(*images.shape[:3])):
            enhanced = self._tiled(np.asarray(images), alpha, fusion, parts, progress, strength, levels)
        else:
            graph, shares = self._whole_graph(fusion, parts, strength)
            compute = graph if tf.executing_eagerly() else graph.python_function
            if isinstance(images, np.ndarray):
                images = in_unit_range(images)
            enhanced = self._cut(Enhanced(**compute(mirrored(images, self.border), alpha, *shares)))
            enhanced = enhanced.in_levels() if levels else enhanced
        if single:  # not `part[0]`, which copies
            return Enhanced(*(part if part is None else tf.squeeze(part, axis=0) for part in enhanced))
        return enhanced

    def in_graph(
        self,
        images: tf.Tensor,
        alpha: float | tf.Tensor | None = None,
        parts: Collection[str] = PARTS,
        strength: float | tf.Tensor = 1.0,
    ) -> Enhanced:
        """Enhances one image inside a graph that knows no sizes; a large one goes through in tiles.

        Args:
            images: float32 [1, H, W, 3], RGB in [0, 1].
            alpha: as for a call.
            parts: names of what is wanted, of `PARTS`.
            strength: as for a call.

        Returns:
            The wanted parts, see `Enhanced`.
        """
        square = self.windows.square()
        if square is None:
            return self(images, alpha, parts=parts, strength=strength)
        parts = tuple(name for name in PARTS if name in parts)
        alpha, shares = _alphas(alpha, [1]), shares_of(strength)
        wide = mirrored(images, self.border)

        def whole():
            return composed(self.make_whole(wide, alpha), "plain", parts, wide, *shares)

        def tiled():
            seen = self.collect_statistics(images)
            chosen = self.chosen_alpha(alpha, seen)
            seen = self.conditioned(chosen, seen)

            def make(window, origin):
                made = self.make(window, chosen, seen, origin - self.border)
                return composed(made, "plain", parts, window, *shares)

            channels = {name: CHANNELS[name] for name in parts}
            return {**in_tiles(make, wide, channels, square), "alpha": chosen}

        return self._cut(Enhanced(**tf.cond(square.holds(wide), whole, tiled)))

    @classmethod
    @abc.abstractmethod
    def from_files(cls, weights: str | Path | None, precision: str) -> Enhancer:
        """Reads the networks of this variant; see `load`."""

    @abc.abstractmethod
    def tile_plan(self) -> TilePlan:
        """Halo, stride and memory of the networks; raises UnboundedReceptiveField if tiles cannot be used."""

    def make_whole(self, images: tf.Tensor, alpha: tf.Tensor) -> Enhanced:
        """All but the relit image from whole images with their border, in a graph; α, [N], may be NaN."""
        seen = self.collect_statistics(without_border(images, self.border))
        chosen = self.chosen_alpha(alpha, seen)
        return self.make(images, chosen, self.conditioned(chosen, seen), tf.fill([2], -self.border))

    @abc.abstractmethod
    def make(self, tile: tf.Tensor, alpha: tf.Tensor, seen: GlobalStatistics, origin: tf.Tensor) -> Enhanced:
        """As `make_whole`, for a tile whose first pixel is at `origin`, int32 [2]; with a resolved α.

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

    def alpha_to(self, dark: np.ndarray, target: np.ndarray) -> float | None:
        """α under which an image becomes as bright as another one of the same scene: the GT-ratio protocol.

        Args:
            dark: float32 [H, W, 3] in [0, 1].
            target: the same shape.

        Returns:
            The ratio of their illuminations; None where the networks take no bright image apart.
        """
        return None

    def alpha_for_brightness(self, image: Picture, brightness: float) -> float:
        """α under which the enhanced image has a mean luma.

        Args:
            image: one image, as for a call; the search is on a version of at most 65,536 pixels or so.
            brightness: mean BT.601 luma of the enhanced image, in [0, 1].

        Returns:
            α; where no α makes the image so bright or so dark, the one that comes closest.
        """
        small = self._tried(image)
        start = float(self(small, parts=("relit",)).alpha)
        return solved_alpha(
            lambda alpha: luma(np.asarray(self(small, alpha, parts=("relit",)).relit)),
            brightness,
            min(max(start, _LEAST_START), _LARGEST_START),
        )

    def _tried(self, image: Picture) -> np.ndarray:
        """An image as small as α is tried out on: float32 [h, w, 3] in [0, 1]."""
        levels = np.asarray(as_levels(image))
        return block_mean_array(levels, tried_factor(*levels.shape[:2]))

    @functools.cached_property
    def windows(self) -> Windows:
        """How large images are cut."""
        return Windows(self.tile_plan)

    def _cut(self, enhanced: Enhanced) -> Enhanced:
        """Without the mirrored border."""
        if not self.border:
            return enhanced
        parts = {name: getattr(enhanced, name) for name in PARTS}
        cut = {name: without_border(part, self.border) for name, part in parts.items() if part is not None}
        return enhanced._replace(**cut)

    def _outer(self, count: int, height: int, width: int) -> tuple[int, int, int]:
        """The size of a batch with the border."""
        return count, height + 2 * self.border, width + 2 * self.border

    def _tiled(
        self, images, alpha, fusion: str, parts: tuple[str, ...], progress, strength: float, levels: bool
    ) -> Enhanced:
        """The same result tile by tile, in memory that depends on the tile for all but the result."""
        seen = self.collect_statistics_of(images)
        windows = self.windows.of(*images.shape[:3], border=self.border)
        alpha = self.chosen_alpha(alpha, seen)
        seen = self.conditioned(alpha, seen)
        dtype, stored = (np.uint8, in_levels) if levels else (np.float32, np.asarray)
        wholes = {name: shareable((*images.shape[:3], CHANNELS[name]), dtype) for name in parts}
        graph, shares = self._tile_graph(fusion, parts, seen, strength)
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

    def _whole_graph(
        self, fusion: str, parts: tuple[str, ...], strength: float | tf.Tensor
    ) -> tuple[Callable, list[tf.Tensor]]:
        """Whole images of any size, α (and strength unless it is 1) → the wanted parts; and that strength."""
        shares = shares_of(strength)

        def enhance(images, alpha, *shares):
            return composed(self.make_whole(images, alpha), fusion, parts, images, *shares)

        key = (fusion, parts, "whole", len(shares))
        return self._graph(key, enhance, _IMAGES, _NUMBERS, *[_NUMBER] * len(shares)), shares

    def _tile_graph(
        self, fusion: str, parts: tuple[str, ...], seen: GlobalStatistics, strength: float | tf.Tensor
    ) -> tuple[Callable, list[tf.Tensor]]:
        """The same for tiles, from their places and what is known of the whole images besides."""
        shares = shares_of(strength)

        def enhance(images, alpha, origin, *others):
            shares, seen = others[:count], others[count:]
            return composed(self.make(images, alpha, seen, origin), fusion, parts, images, *shares)

        count = len(shares)
        key = (fusion, parts, "tile", count)
        signature = _IMAGES, _NUMBERS, _ORIGIN, *[_NUMBER] * count, *self.statistics_specs(seen)
        return self._graph(key, enhance, *signature), shares

    def _graph(self, key: tuple, function: Callable, *signature: tf.TensorSpec) -> Callable:
        """`function` as one graph for all sizes, made once for each key."""
        if key not in self._graphs:
            self._graphs[key] = as_graph(function, signature)
        return self._graphs[key]


_LEAST_START, _LARGEST_START = 0.1, 1000.0
_IMAGES = tf.TensorSpec([None, None, None, 3])
_NUMBERS = tf.TensorSpec([None])
_NUMBER = tf.TensorSpec([])
_ORIGIN = tf.TensorSpec([2], tf.int32)


def _alphas(alpha: float | tf.Tensor | None, count) -> tf.Tensor:
    """One α for each image, NaN where it is left to the variant."""
    alpha = math.nan if alpha is None else alpha
    return tf.broadcast_to(tf.convert_to_tensor(alpha, tf.float32), count)
