"""The one path from a dark image to an enhanced one, whatever networks it leads through."""

from __future__ import annotations

import abc
import math
import pkgutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from kind.constants import FUSIONS
from kind.enhancing.alpha_text import check_alpha
from kind.enhancing.borders import mirrored
from kind.enhancing.brightness import luma, solved_alpha, thinned
from kind.enhancing.composition import composed, shares_of
from kind.enhancing.computation import Computation, Wanted
from kind.enhancing.enhanced import CHANNELS, PARTS, Enhanced
from kind.enhancing.fast.loading import load_fast
from kind.enhancing.given_images import Picture, as_levels, as_levels_by_size
from kind.enhancing.precision import INT8, chosen_precision
from kind.enhancing.tiling.graph_tiles import in_tiles
from kind.enhancing.variants import VARIANTS, variant_of
from kind.errors import UserError
from kind.images.pixels import in_unit_range
from kind.nn.forking import refuse_forked

if TYPE_CHECKING:
    from kind.enhancing.fast.enhancer import FastEnhancer


class Enhancer(Computation):
    """Takes dark images apart, cleans the reflectance, adjusts the illumination and multiplies them.

    Attributes:
        originals: the networks in float32, by the name of their stage.
        networks: the same as they compute here.
        precision: what they compute in, "float32" or "bfloat16".

    Example:
        >>> enhancer = Enhancer.from_preset("kind")
        >>> enhancer("night.jpg", alpha=5.0).save("night-relit.jpg")
    """

    #: One of `kind.enhancing.variants.VARIANTS`.
    variant = ""

    @classmethod
    def load(
        cls,
        weights: str | Path | None = None,
        precision: str = "float32",
        variant: str | None = None,
    ) -> Enhancer | FastEnhancer:
        """Reads the networks of a variant.

        Args:
            weights: a folder with any of the variant's `STAGE.keras` files (its stages are in
                `kind.enhancing.variants.VARIANTS`), or a folder of run folders with these names. Networks
                that the folder lacks come from the shipped weights, as do all when no folder is given.
            precision: "float32"; "bfloat16" computes everything inside the networks but their heads in
                16 bits, about twice as fast on a CPU with bfloat16 instructions and slower on others;
                "auto" is the faster of the two. "int8" gives a
                `kind.enhancing.fast.enhancer.FastEnhancer`, which is called in the same way but gives the
                relit image alone; it needs `kind[fast]`.
            variant: a key of `kind.enhancing.variants.VARIANTS`, which describes each. None is the one whose
                networks the folder holds, otherwise "lite".

        Returns:
            The enhancer.

        Raises:
            UserError: when the folder is missing, holds none of the files, or a file cannot be loaded.
            ValueError: on another precision or variant.
        """
        variant = variant or cls.variant or variant_of(weights)
        if variant not in VARIANTS:
            raise ValueError(f"variant expects one of {', '.join(VARIANTS)}; received {variant!r}")
        if precision == INT8:
            return load_fast(weights, variant)
        chosen = pkgutil.resolve_name(VARIANTS[variant].enhancer)
        return chosen.from_files(weights, chosen_precision(precision))

    @classmethod
    def from_preset(cls, preset: str | Path, precision: str = "float32") -> Enhancer | FastEnhancer:
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
            >>> Enhancer.from_preset("lite")("night.jpg").show()
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
    ) -> Enhanced | list[Enhanced]:
        """Enhances a batch, a single image, or images of several sizes.

        Large images are computed in tiles, with the same result. The memory in use is then the same for all
        sizes, apart from the image and the parts that are asked for.

        Args:
            images: one image or a batch, of any size from 1×1. One image is a path, a Pillow image, or an
                array or tensor [H, W, 3]; a batch is an array or tensor [N, H, W, 3], or a list of images,
                which may differ in size. RGB; floats in [0, 1], or unsigned integers, which large arrays stay
                in until a tile is computed.
            alpha: how much brighter, a number or float32 [N]: 1 keeps the illumination, less darkens.
                None, or NaN for one of several images, leaves it to the variant, see `own_alpha` in
                `kind.enhancing.variants.VARIANTS`.
            fusion: "plain" is R̂ ∘ L̂; "published" is the masked and blended form of the original
                evaluation script.
            parts: names of what is wanted, of `PARTS`; nothing else is kept, or computed without need.
            progress: called after each tile with the number of tiles that are done and that there are.
            strength: share of the relit image in `relit`, 0 to 1; the rest is the input.
            levels: give the parts as uint8, rounded tile by tile, in a quarter of the memory.

        Returns:
            The wanted parts, see `Enhanced`: NumPy arrays, or tensors while a graph is being made. Of a list
            of images of different sizes, a list with one for each.

        Raises:
            UserError: on another shape, type or range of the images, or an image without pixels.
            ValueError: on another fusion, part or strength, or an α below 0.
            ImageError: when a file cannot be read.
        """
        refuse_forked()
        if fusion not in FUSIONS:
            raise ValueError(f"fusion expects one of {', '.join(FUSIONS)}; received {fusion!r}")
        if not parts or not set(parts) <= set(PARTS):
            raise ValueError(f"parts expects some of {', '.join(PARTS)}; received {list(parts)}")
        if not tf.is_tensor(strength) and not 0 <= strength <= 1:
            raise ValueError(f"strength expects a number from 0 to 1; received {strength!r}")
        wanted = Wanted(fusion, tuple(name for name in PARTS if name in parts), strength, levels)
        images = as_levels_by_size(images)
        if isinstance(images, list):
            alphas = np.broadcast_to(np.float32(math.nan if alpha is None else alpha), len(images))
            calls = zip(images, alphas)
            return [self(one, own, fusion, parts, progress, strength, levels) for one, own in calls]
        single = len(images.shape) == 3
        if single:
            images = images[np.newaxis]
        count = images.shape[:1] if isinstance(images, np.ndarray) else tf.shape(images)[:1]
        alpha = _alphas(alpha, count)
        # Inside a graph the size may be unknown; whoever builds the graph decides about tiles.
        eager = tf.executing_eagerly()
        if eager and self.needs_tiles(*images.shape[:3]):
            enhanced = self.tiled(np.asarray(images), alpha, wanted, progress)
        else:
            graph, shares = self.whole_graph(wanted)  # no further call: few frames lead to the networks
            compute = graph if eager else graph.python_function
            if isinstance(images, np.ndarray):
                images = in_unit_range(images)
            enhanced = self.cut(Enhanced(**compute(mirrored(images, self.border), alpha, *shares)))
            enhanced = enhanced.in_levels() if levels else enhanced
        if single:  # not `part[0]`, which copies
            enhanced = enhanced.mapped(lambda part: tf.squeeze(part, axis=0))
        return enhanced.mapped(np.asarray) if eager else enhanced

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
        seen = self.collect_statistics(images)
        chosen = self.chosen_alpha(alpha, seen)
        seen = self.conditioned(chosen, seen)

        def make(window, origin):
            made = self.make(window, chosen, seen, origin - self.border)
            return composed(made, "plain", parts, window, *shares)

        def whole():
            return make(wide, tf.zeros([2], tf.int32))

        def tiled():
            channels = {name: CHANNELS[name] for name in parts}
            return {**in_tiles(make, wide, channels, square), "alpha": chosen}

        return self.cut(Enhanced(**tf.cond(square.holds(wide), whole, tiled)))

    @classmethod
    @abc.abstractmethod
    def from_files(cls, weights: str | Path | None, precision: str) -> Enhancer:
        """Reads the networks of this variant; see `load`."""

    def suggested_alpha(self, image: Picture) -> float:
        """α that the variant chooses for one image, as for a call, of which nothing else is computed."""
        seen = self.collect_statistics_of(as_levels(image)[np.newaxis])
        return float(self.chosen_alpha(_alphas(None, [1]), seen)[0])

    def alpha_to(self, dark: np.ndarray, target: np.ndarray) -> float | None:
        """α under which an image becomes as bright as another one of the same scene: the GT-ratio protocol.

        Args:
            dark: float32 [H, W, 3] in [0, 1].
            target: the same shape.

        Returns:
            The ratio of their illuminations; None where the networks take no bright image apart.
        """
        return None

    def alpha_for_brightness(
        self, image: Picture, brightness: float, *, fusion: str = "plain", strength: float = 1.0
    ) -> float:
        """α under which the enhanced image has a mean luma.

        Args:
            image: one image, as for a call; the search is on 65,536 or so of its pixels.
            brightness: mean BT.601 luma of the enhanced image, in [0, 1].
            fusion: that it will be made with, as for a call.
            strength: likewise.

        Returns:
            α; where no α makes the image so bright or so dark, the one that comes closest.
        """
        some = thinned(np.asarray(as_levels(image))[np.newaxis])

        def brightness_of(alpha):
            return luma(self(some, alpha, fusion, parts=("relit",), strength=strength).relit)

        return float(solved_alpha(brightness_of, brightness))

    def alpha_in_graph(self, images: tf.Tensor, brightness: tf.Tensor) -> tf.Tensor:
        """The same as `alpha_for_brightness` of one image inside a graph that knows no sizes.

        Args:
            images: float32 [1, H, W, 3], RGB in [0, 1].
            brightness: mean luma, float32 scalar in [0, 1].

        Returns:
            α, float32 [1].
        """
        some = thinned(images)
        solved = solved_alpha(
            lambda alpha: luma(self.in_graph(some, alpha[tf.newaxis], parts=("relit",)).relit), brightness
        )
        return solved[tf.newaxis]


def _alphas(alpha: float | tf.Tensor | None, count) -> tf.Tensor:
    """One α for each image, NaN where it is left to the variant; ValueError for one that is no light."""
    alpha = math.nan if alpha is None else alpha
    if not tf.is_tensor(alpha):
        check_alpha(alpha)
    return tf.broadcast_to(tf.convert_to_tensor(alpha, tf.float32), count)
