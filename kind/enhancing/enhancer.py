"""The one path from a dark image to an enhanced one, whatever networks it leads through."""

from __future__ import annotations

import abc
import functools
import math
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.enhancing.precision import chosen_precision
from kind.enhancing.tiling.graph_tiles import TileSpec, in_tiles
from kind.enhancing.tiling.large_memory import give_back_large_pieces, shareable, shared
from kind.enhancing.tiling.plan import TilePlan, Window, Windows
from kind.enhancing.variants import DEFAULT_VARIANT, VARIANTS
from kind.nn.bfloat16 import in_bfloat16
from kind.nn.saving import weights_digest
from kind.ops.fusion import published_fusion

FUSIONS = ("plain", "published")

_CHANNELS = (3, 3, 1, 3, 1, 3)

#: What must be known of whole images before tiles of them can be enhanced: float32 [N, …] each.
GlobalStatistics = tuple[tf.Tensor, ...]


class Enhanced(NamedTuple):
    """What the pipeline makes of a batch of images, float32 in [0, 1]; None what was not asked for.

    Of a single image, the parts come without the batch dimension N.

    Attributes:
        stretched: the min-max stretched input S, [N, H, W, 3].
        reflectance: R of the dark image, [N, H, W, 3].
        illumination: L of the dark image, [N, H, W, 1].
        restored: the cleaned reflectance R̂, [N, H, W, 3].
        adjusted: the adjusted illumination L̂, [N, H, W, 1].
        relit: the enhanced image, [N, H, W, 3].
        alpha: α that the illumination was adjusted by, [N], from 0 on; always there.
    """

    stretched: tf.Tensor | None = None
    reflectance: tf.Tensor | None = None
    illumination: tf.Tensor | None = None
    restored: tf.Tensor | None = None
    adjusted: tf.Tensor | None = None
    relit: tf.Tensor | None = None
    alpha: tf.Tensor | None = None


PARTS = Enhanced._fields[:-1]


class Enhancer(abc.ABC):
    """Takes dark images apart, cleans the reflectance, adjusts the illumination and multiplies them.

    Attributes:
        originals: the networks in float32, by the name of their stage.
        networks: the same as they compute here.
        precision: what they compute in, "float32" or "bfloat16".

    Example:
        >>> enhancer = Enhancer.load()
        >>> photo = kind.images.photo.read_photo("night.jpg")
        >>> enhanced = enhancer(photo.pixels, alpha=5.0)
        >>> kind.images.photo.write_photo("night-relit.jpg", enhanced.relit, like=photo)
    """

    #: One of `kind.enhancing.variants.VARIANTS`.
    variant = ""
    #: What α is when it is left to the variant, in words.
    own_alpha = ""

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
            weights: a folder with any of the variant's `STAGE.keras` files (stages decom, restoration and
                illumination of "kind", lite of "lite"), or a folder of run folders with these names. What
                it lacks comes from the weights that ship, as does everything when no folder is given.
            precision: "float32"; "bfloat16" computes all but the networks' heads and what is between the
                networks in 16 bits, about twice as fast on a CPU that has such instructions and slower
                on others; "auto" is the faster of the two.
            variant: "kind", the three networks of the paper and the default; "lite", one small network.

        Returns:
            The enhancer.

        Raises:
            UserError: when the folder is missing, holds none of the files, or a file cannot be loaded.
            ValueError: on another precision or variant.
        """
        variant = variant or cls.variant or DEFAULT_VARIANT
        if variant not in VARIANTS:
            raise ValueError(f"variant expects one of {', '.join(VARIANTS)}; received {variant!r}")
        precision = chosen_precision(precision)
        if variant == "lite":
            from kind.enhancing.light_network import LiteEnhancer as Chosen  # late: they build on this module
        else:
            from kind.enhancing.three_networks import KindEnhancer as Chosen
        return Chosen.from_files(weights, precision)

    def __call__(
        self,
        images: tf.Tensor | np.ndarray,
        alpha: float | tf.Tensor | None = None,
        fusion: str = "plain",
        parts: Collection[str] = PARTS,
        progress: Callable[[int, int], None] | None = None,
    ) -> Enhanced:
        """Enhances a batch, or a single image.

        Large images go through in tiles, with the same result, in memory that is the same for all sizes
        but for the image and the parts that are asked for.

        Args:
            images: float32 [N, H, W, 3] or [H, W, 3], RGB in [0, 1], any size from 1×1.
            alpha: how much brighter, a number or float32 [N]: 1 keeps the illumination, less darkens.
                None, or NaN for one of several images, leaves it to the variant: 5, the published
                default, for "kind", which was trained on ratios up to about 20; what the network
                suggests for each image for "lite".
            fusion: "plain" is R̂ ∘ L̂; "published" is the masked and blended form of the original
                evaluation script.
            parts: names of what is wanted, of `PARTS`; nothing else is kept, or computed without need.
            progress: called after each tile with the number of tiles that are done and that there are.

        Returns:
            The wanted parts, see `Enhanced`.

        Raises:
            ValueError: on another fusion, part, shape or type.
        """
        if fusion not in FUSIONS:
            raise ValueError(f"fusion expects one of {', '.join(FUSIONS)}; received {fusion!r}")
        if not parts or not set(parts) <= set(PARTS):
            raise ValueError(f"parts expects some of {', '.join(PARTS)}; received {list(parts)}")
        if not isinstance(images, np.ndarray):
            images = tf.convert_to_tensor(images)
        rank = len(images.shape) if isinstance(images, np.ndarray) else images.shape.rank
        if tf.as_dtype(images.dtype) != tf.float32 or rank not in (3, 4) or images.shape[-1] != 3:
            raise ValueError(
                "images expects float32 [N, H, W, 3] or [H, W, 3], RGB in [0, 1]; "
                f"received {tf.as_dtype(images.dtype).name} {list(images.shape)}"
            )
        if rank == 3:
            batch = self(images[np.newaxis], alpha, fusion, parts, progress)
            # Not `part[0]`, which copies.
            return Enhanced(*(part if part is None else tf.squeeze(part, axis=0) for part in batch))
        parts = tuple(name for name in PARTS if name in parts)
        count = images.shape[:1] if isinstance(images, np.ndarray) else tf.shape(images)[:1]
        alpha = _alphas(alpha, count)
        # Inside a graph the size may be unknown; whoever builds the graph decides about tiles.
        if tf.executing_eagerly() and not self.windows.holds_whole(*images.shape[:3]):
            return self._tiled(images, alpha, fusion, parts, progress)
        graph = self._whole_graph(fusion, parts)
        compute = graph if tf.executing_eagerly() else graph.python_function
        return Enhanced(**compute(images, alpha))

    def in_graph(
        self,
        images: tf.Tensor,
        alpha: float | tf.Tensor | None = None,
        parts: Collection[str] = PARTS,
    ) -> Enhanced:
        """Enhances one image inside a graph that knows no sizes; a large one goes through in tiles.

        Args:
            images: float32 [1, H, W, 3], RGB in [0, 1].
            alpha: as for a call.
            parts: names of what is wanted, of `PARTS`.

        Returns:
            The wanted parts, see `Enhanced`.
        """
        square = self.windows.square()
        if square is None:
            return self(images, alpha, parts=parts)
        parts = tuple(name for name in PARTS if name in parts)
        alpha = _alphas(alpha, [1])

        def whole():
            return _wanted(self.make_whole(images, alpha), "plain", parts)

        def tiled():
            seen = self.collect_statistics(images, square)
            chosen = self.chosen_alpha(alpha, seen)

            def make(window, origin):
                return _wanted(self.make(window, chosen, seen, origin), "plain", parts)

            channels = {name: depth for name, depth in zip(PARTS, _CHANNELS) if name in parts}
            return {**in_tiles(make, images, channels, square), "alpha": chosen}

        return Enhanced(**tf.cond(square.holds(images), whole, tiled))

    @classmethod
    @abc.abstractmethod
    def from_files(cls, weights: str | Path | None, precision: str) -> Enhancer:
        """Reads the networks of this variant; see `load`."""

    @abc.abstractmethod
    def tile_plan(self) -> TilePlan:
        """What tiles are planned by; raises UnboundedReceptiveField where images cannot be cut."""

    @abc.abstractmethod
    def make_whole(self, images: tf.Tensor, alpha: tf.Tensor) -> Enhanced:
        """All but the relit image from whole images, in a graph; α float32 [N] may be NaN."""

    @abc.abstractmethod
    def make(self, tile: tf.Tensor, alpha: tf.Tensor, seen: GlobalStatistics, origin: tf.Tensor) -> Enhanced:
        """As `make_whole`, for a tile whose first pixel is at `origin`, int32 [2]; α has been chosen."""

    @abc.abstractmethod
    def collect_statistics(self, images: tf.Tensor, square: TileSpec) -> GlobalStatistics:
        """What must be known of one whole image, in a graph."""

    @abc.abstractmethod
    def collect_statistics_tiled(self, images: np.ndarray, windows: Sequence[Window]) -> GlobalStatistics:
        """The same of a batch, out of a graph."""

    @abc.abstractmethod
    def chosen_alpha(self, alpha: tf.Tensor, seen: GlobalStatistics) -> tf.Tensor:
        """α float32 [N], with the variant's own choice where it is NaN."""

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

    @functools.cached_property
    def windows(self) -> Windows:
        """How large images are cut."""
        return Windows(self.tile_plan)

    def _tiled(self, images, alpha: tf.Tensor, fusion: str, parts: Sequence[str], progress) -> Enhanced:
        """The same result tile by tile, in memory that depends on the tile for all but the result."""
        give_back_large_pieces()
        images = np.asarray(images)
        windows = self.windows.of(*images.shape[:3])
        seen = self.collect_statistics_tiled(images, windows)
        alpha = self.chosen_alpha(alpha, seen)
        wholes = {
            name: shareable((*images.shape[:3], channels))
            for name, channels in zip(PARTS, _CHANNELS)
            if name in parts
        }
        graph = self._tile_graph(fusion, parts, seen)
        for done, (some, row, column) in enumerate(windows, start=1):
            window = images[some, row.start : row.stop, column.start : column.stop]
            origin = tf.constant([row.start, column.start])
            made = graph(window, alpha[some], origin, *(each[some] for each in seen))
            for name, whole in wholes.items():
                kept = made[name][:, row.kept, column.kept]
                whole[some, row.keep_start : row.keep_stop, column.keep_start : column.keep_stop] = kept
            if progress:
                progress(done, len(windows))
        return Enhanced(**{name: shared(whole) for name, whole in wholes.items()}, alpha=alpha)

    def _whole_graph(self, fusion: str, parts: tuple[str, ...]) -> Callable:
        """Whole images of any size and α → the wanted parts."""

        def enhance(images, alpha):
            return _wanted(self.make_whole(images, alpha), fusion, parts)

        return self._graph((fusion, parts, "whole"), enhance, _IMAGES, _NUMBERS)

    def _tile_graph(self, fusion: str, parts: tuple[str, ...], seen: GlobalStatistics) -> Callable:
        """Tiles, α and what is known of the whole → the wanted parts."""

        def enhance(images, alpha, origin, *seen):
            return _wanted(self.make(images, alpha, seen, origin), fusion, parts)

        known = [tf.TensorSpec([None, *each.shape[1:]]) for each in seen]
        return self._graph((fusion, parts, "tile"), enhance, _IMAGES, _NUMBERS, _ORIGIN, *known)

    def _graph(self, key: tuple, function: Callable, *signature: tf.TensorSpec) -> Callable:
        """`function` as one graph for all sizes, made once for each key."""
        if key not in self._graphs:
            self._graphs[key] = tf.function(function, input_signature=signature)
        return self._graphs[key]


_IMAGES = tf.TensorSpec([None, None, None, 3])
_NUMBERS = tf.TensorSpec([None])
_ORIGIN = tf.TensorSpec([2], tf.int32)


def _wanted(made: Enhanced, fusion: str, parts: tuple[str, ...]) -> dict[str, tf.Tensor]:
    """The wanted parts by name, and α; the relit image is made here."""
    if fusion == "published":
        relit = published_fusion(*made[:5])
    else:
        relit = made.restored * made.adjusted
    made = made._replace(relit=relit)
    return {name: getattr(made, name) for name in (*parts, "alpha")}


def _alphas(alpha: float | tf.Tensor | None, count) -> tf.Tensor:
    """One α for each image, NaN where it is left to the variant."""
    alpha = math.nan if alpha is None else alpha
    return tf.broadcast_to(tf.convert_to_tensor(alpha, tf.float32), count)
