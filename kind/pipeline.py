"""The one path from a dark image to an enhanced one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.bfloat16 import in_bfloat16
from kind.errors import UserError
from kind.graph_tiles import in_tiles
from kind.network_files import load_net
from kind.ops.colour import BT709, gray
from kind.ops.gaussian import gaussian_blur
from kind.ops.stretch import stretched_by, value_range
from kind.precision import chosen_precision
from kind.windows import Windows

SHIPPED_WEIGHTS = Path(__file__).parent / "weights"
STAGES = ("decom", "restoration", "illumination")
FUSIONS = ("plain", "published")
DEFAULT_ALPHA = 5.0

_MASK_SIGMA = 3.0
_MASK_REACH = 12  # pixels: where `gaussian_blur` ends
_CHANNELS = (3, 3, 1, 3, 1, 3)
_ALIGNMENT = 64  # bytes


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
    """

    stretched: tf.Tensor | None = None
    reflectance: tf.Tensor | None = None
    illumination: tf.Tensor | None = None
    restored: tf.Tensor | None = None
    adjusted: tf.Tensor | None = None
    relit: tf.Tensor | None = None


PARTS = Enhanced._fields


class Enhancer:
    """Takes dark images apart, cleans the reflectance, adjusts the illumination and multiplies them.

    Attributes:
        decom, restoration, illumination: the networks, in float32.
        precision: what the pipeline computes in, "float32" or "bfloat16".
        networks: the three as they compute in it, in this order.

    Example:
        >>> enhancer = Enhancer.load()
        >>> photo = kind.image.read_photo("night.jpg")
        >>> enhanced = enhancer(photo.pixels, alpha=5.0)
        >>> kind.image.write_photo("night-relit.jpg", enhanced.relit, like=photo)
    """

    def __init__(
        self,
        decom: keras.Model,
        restoration: keras.Model,
        illumination: keras.Model,
        precision: str = "float32",
    ) -> None:
        """Joins three networks; `load` reads them from files.

        Args:
            decom: image → [reflectance, illumination].
            restoration: [reflectance, illumination] → restored reflectance.
            illumination: [illumination, α plane] → adjusted illumination.
            precision: see `load`. In bfloat16 the weights are those of now: later training of the given
                networks changes nothing.

        Raises:
            ValueError: on another precision.
        """
        self.decom = decom
        self.restoration = restoration
        self.illumination = illumination
        self.precision = chosen_precision(precision)
        given = (decom, restoration, illumination)
        self.networks = tuple(map(in_bfloat16, given)) if self.precision == "bfloat16" else given
        self._graphs: dict[tuple[str, tuple[str, ...]], Callable] = {}

    @functools.cached_property
    def windows(self) -> Windows:
        """How large images are cut."""
        nets, half = (self.decom, self.restoration, self.illumination), self.precision == "bfloat16"
        return Windows(*nets, reach_of_fusion=_MASK_REACH, half=half)

    @classmethod
    def load(cls, weights: str | Path | None = None, precision: str = "float32") -> Enhancer:
        """Reads the three networks.

        Args:
            weights: a folder with any of `decom.keras`, `restoration.keras` and `illumination.keras`, or
                a folder of run folders with these names. What it lacks comes from the weights that ship,
                as does everything when no folder is given.
            precision: "float32"; "bfloat16" computes all but the networks' heads and what is between the
                networks in 16 bits, about twice as fast on a CPU that has such instructions and slower
                on others; "auto" is the faster of the two.

        Returns:
            The enhancer.

        Raises:
            UserError: when the folder is missing, holds none of the three, or a file cannot be loaded.
            ValueError: on another precision.
        """
        return cls(*(load_net(path) for path in find_weights(weights).values()), precision=precision)

    def __call__(
        self,
        images: tf.Tensor | np.ndarray,
        alpha: float | tf.Tensor = DEFAULT_ALPHA,
        fusion: str = "plain",
        parts: Collection[str] = PARTS,
        progress: Callable[[int, int], None] | None = None,
    ) -> Enhanced:
        """Enhances a batch, or a single image.

        Large images go through in tiles, with the same result, in memory that is the same for all sizes
        but for the image and the parts that are asked for.

        Args:
            images: float32 [N, H, W, 3] or [H, W, 3], RGB in [0, 1], any size from 1×1.
            alpha: how much brighter, a number or float32 [N]: 1 keeps the illumination, less darkens,
                5 is the published default. The networks were trained on ratios up to about 20.
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
            return Enhanced(*(part if part is None else part[0] for part in batch))
        graph = self._graph(fusion, tuple(name for name in PARTS if name in parts))
        alpha = tf.broadcast_to(tf.convert_to_tensor(alpha, tf.float32), tf.shape(images)[:1])
        # Inside a graph the size may be unknown; whoever builds the graph decides about tiles.
        if tf.executing_eagerly() and not self.windows.holds_whole(*images.shape[:3]):
            return self._tiled(graph, images, alpha, parts, progress)
        compute = graph if tf.executing_eagerly() else graph.python_function
        return Enhanced(**compute(images, *value_range(images), alpha))

    def in_graph(
        self, images: tf.Tensor, alpha: float | tf.Tensor = DEFAULT_ALPHA, parts: Collection[str] = PARTS
    ) -> Enhanced:
        """Enhances one image inside a graph that knows no sizes; a large one goes through in tiles.

        Args:
            images: float32 [1, H, W, 3], RGB in [0, 1].
            alpha: how much brighter, a number or float32 [1].
            parts: names of what is wanted, of `PARTS`.

        Returns:
            The wanted parts, see `Enhanced`.
        """
        square = self.windows.square()
        if square is None:
            return self(images, alpha, parts=parts)
        names = tuple(name for name in PARTS if name in parts)
        compute = self._graph("plain", names).python_function
        limits = value_range(images)
        alpha = tf.broadcast_to(tf.convert_to_tensor(alpha, tf.float32), [1])
        channels = {name: depth for name, depth in zip(PARTS, _CHANNELS) if name in parts}
        return Enhanced(
            **in_tiles(lambda window: compute(window, *limits, alpha), images, channels, **square._asdict())
        )

    def _tiled(self, graph: Callable, images, alpha: tf.Tensor, parts: Collection[str], progress) -> Enhanced:
        """The same result tile by tile, in memory that depends on the tile for all but the result."""
        images = np.asarray(images)
        smallest, largest = (limit(axis=(1, 2, 3), keepdims=True) for limit in (images.min, images.max))
        wholes = {
            name: _shareable((*images.shape[:3], channels))
            for name, channels in zip(PARTS, _CHANNELS)
            if name in parts
        }
        windows = self.windows.of(*images.shape[:3])
        for done, (some, row, column) in enumerate(windows, start=1):
            window = images[some, row.start : row.stop, column.start : column.stop]
            made = graph(window, smallest[some], largest[some], alpha[some])
            for name, whole in wholes.items():
                kept = made[name][:, row.kept, column.kept]
                whole[some, row.keep_start : row.keep_stop, column.keep_start : column.keep_stop] = kept
            if progress:
                progress(done, len(windows))
        return Enhanced(**{name: _shared(whole) for name, whole in wholes.items()})

    def _graph(self, fusion: str, parts: tuple[str, ...]) -> Callable:
        """Everything after the range of values is known, as one graph for all sizes."""
        if (fusion, parts) in self._graphs:
            return self._graphs[fusion, parts]
        decom, restoration, illumination = self.networks

        def enhance(images, smallest, largest, alpha):
            stretched = stretched_by(images, smallest, largest)
            reflectance, shading = decom(stretched, training=False)
            restored = restoration([reflectance, shading], training=False)
            planes = tf.ones_like(shading) * alpha[:, tf.newaxis, tf.newaxis, tf.newaxis]
            adjusted = illumination([shading, planes], training=False)
            if fusion == "published":
                relit = published_fusion(stretched, reflectance, shading, restored, adjusted)
            else:
                relit = restored * adjusted
            made = dict(zip(PARTS, (stretched, reflectance, shading, restored, adjusted, relit)))
            return {name: made[name] for name in parts}

        limits = tf.TensorSpec([None, 1, 1, 1])
        signature = [tf.TensorSpec([None, None, None, 3]), limits, limits, tf.TensorSpec([None])]
        self._graphs[fusion, parts] = tf.function(enhance, input_signature=signature)
        return self._graphs[fusion, parts]


def _shareable(shape: tuple[int, ...]) -> np.ndarray:
    """Memory for float32 that TensorFlow can take over as it is, because it begins where its own does."""
    size = 4 * int(np.prod(shape, dtype=np.int64))
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(np.float32).reshape(shape)


def _shared(array: np.ndarray) -> tf.Tensor:
    """A tensor in the memory of a `_shareable` array; any other conversion copies."""
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def published_fusion(
    image: tf.Tensor,
    reflectance: tf.Tensor,
    illumination: tf.Tensor,
    restored: tf.Tensor,
    adjusted: tf.Tensor,
) -> tf.Tensor:
    """The fusion of KinD's evaluation script, which the paper does not mention.

    The restored reflectance is damped where the reflectance around it is dark (there it is mostly
    noise), relit, and then blended with the input where the input was bright already:
    F = L ∘ S + (1 - L) ∘ (R̂ ∘ m ∘ L̂) with m = min(√(2·G₃(gray(R))), 1).

    Args:
        image: the stretched input S, float32 [N, H, W, 3].
        reflectance: R of the dark image, float32 [N, H, W, 3].
        illumination: L of the dark image, float32 [N, H, W, 1].
        restored: R̂, float32 [N, H, W, 3].
        adjusted: L̂, float32 [N, H, W, 1].

    Returns:
        float32 [N, H, W, 3] in [0, 1].
    """
    brightness = gaussian_blur(gray(reflectance, BT709), _MASK_SIGMA)
    mask = tf.minimum(tf.sqrt(2.0 * brightness), 1.0)
    return illumination * image + (1.0 - illumination) * (restored * mask * adjusted)


def find_weights(folder: str | Path | None = None) -> dict[str, Path]:
    """Names the file of each stage's network, the shipped one where `folder` has none.

    Args:
        folder: see `Enhancer.load`.

    Returns:
        A path for each of "decom", "restoration" and "illumination", in this order.

    Raises:
        UserError: when the folder does not exist or holds none of the three.
    """
    shipped = {stage: SHIPPED_WEIGHTS / f"{stage}.keras" for stage in STAGES}
    if folder is None:
        return shipped
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of weights")
    found = {}
    for stage in STAGES:
        for path in (folder / stage / "best.keras", folder / f"{stage}.keras"):
            if path.is_file():
                found[stage] = path
    if not found:
        names = ", ".join(f"{stage}.keras" for stage in STAGES)
        raise UserError(f"{folder}: expected any of {names} (or run folders of these names); found none")
    return {stage: found.get(stage, shipped[stage]) for stage in STAGES}
