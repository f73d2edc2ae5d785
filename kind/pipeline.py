"""The one path from a dark image to an enhanced one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.errors import UserError
from kind.network_files import load_net
from kind.ops.colour import BT709, gray
from kind.ops.gaussian import gaussian_blur
from kind.ops.stretch import min_max_stretch
from kind.ops.tiling import tiles

SHIPPED_WEIGHTS = Path(__file__).parent / "weights"
STAGES = ("decom", "restoration", "illumination")
FUSIONS = ("plain", "published")
DEFAULT_ALPHA = 5.0

_MASK_SIGMA = 3.0

# Larger images go through in tiles that start at multiples of the coarsest pooling, 16. The halo covers how
# far the networks see one after another: decomposition 16, U-Net 93 and its pooling cells 30; KinD++'s
# restoration only 22, but it needs six times the memory a pixel.
_STRIDE = 16
_TILE, _HALO = 1024, 144
_OTHER_TILES_AND_HALOS = {"restoration_msia": (512, 48)}


class Enhanced(NamedTuple):
    """Everything that the pipeline makes of a batch of images, float32 in [0, 1].

    Of a single image, the parts come without the batch dimension N.

    Attributes:
        stretched: the min-max stretched input S, [N, H, W, 3].
        reflectance: R of the dark image, [N, H, W, 3].
        illumination: L of the dark image, [N, H, W, 1].
        restored: the cleaned reflectance R̂, [N, H, W, 3].
        adjusted: the adjusted illumination L̂, [N, H, W, 1].
        relit: the enhanced image, [N, H, W, 3].
    """

    stretched: tf.Tensor
    reflectance: tf.Tensor
    illumination: tf.Tensor
    restored: tf.Tensor
    adjusted: tf.Tensor
    relit: tf.Tensor


class Enhancer:
    """Takes dark images apart, cleans the reflectance, adjusts the illumination and multiplies them.

    Example:
        >>> enhancer = Enhancer.load()
        >>> photo = kind.image.read_photo("night.jpg")
        >>> enhanced = enhancer(photo.pixels, alpha=5.0)
        >>> kind.image.write_photo("night-relit.jpg", enhanced.relit, like=photo)
    """

    def __init__(self, decom: keras.Model, restoration: keras.Model, illumination: keras.Model) -> None:
        """Joins three networks; `load` reads them from files.

        Args:
            decom: image → [reflectance, illumination].
            restoration: [reflectance, illumination] → restored reflectance.
            illumination: [illumination, α plane] → adjusted illumination.
        """
        self.decom = decom
        self.restoration = restoration
        self.illumination = illumination
        self._graphs = {fusion: self._graph(fusion) for fusion in FUSIONS}

    @classmethod
    def load(cls, weights: str | Path | None = None) -> Enhancer:
        """Reads the three networks.

        Args:
            weights: a folder with any of `decom.keras`, `restoration.keras` and `illumination.keras`, or
                a folder of run folders with these names. What it lacks comes from the weights that ship,
                as does everything when no folder is given.

        Returns:
            The enhancer.

        Raises:
            UserError: when the folder is missing, holds none of the three, or a file cannot be loaded.
        """
        return cls(*(load_net(path) for path in find_weights(weights).values()))

    def __call__(
        self, images: tf.Tensor, alpha: float | tf.Tensor = DEFAULT_ALPHA, fusion: str = "plain"
    ) -> Enhanced:
        """Enhances a batch, or a single image.

        Args:
            images: float32 [N, H, W, 3] or [H, W, 3], RGB in [0, 1], any size from 1×1.
            alpha: how much brighter, a number or float32 [N]: 1 keeps the illumination, less darkens,
                5 is the published default. The networks were trained on ratios up to about 20.
            fusion: "plain" is R̂ ∘ L̂; "published" is the masked and blended form of the original
                evaluation script.

        Returns:
            All parts, see `Enhanced`.

        Raises:
            ValueError: on another fusion, shape or type.
        """
        if fusion not in FUSIONS:
            raise ValueError(f"fusion expects one of {', '.join(FUSIONS)}; received {fusion!r}")
        images = tf.convert_to_tensor(images)
        if images.dtype != tf.float32 or images.shape.rank not in (3, 4) or images.shape[-1] != 3:
            raise ValueError(
                "images expects float32 [N, H, W, 3] or [H, W, 3], RGB in [0, 1]; "
                f"received {images.dtype.name} {list(images.shape)}"
            )
        if images.shape.rank == 3:
            return Enhanced(*(part[0] for part in self(images[tf.newaxis], alpha, fusion)))
        alpha = tf.broadcast_to(tf.convert_to_tensor(alpha, tf.float32), tf.shape(images)[:1])
        stretched = min_max_stretch(images)
        tile, halo = _OTHER_TILES_AND_HALOS.get(self.restoration.name, (_TILE, _HALO))
        # Inside a graph the size may be unknown; whoever builds the graph decides about tiles.
        if tf.executing_eagerly() and max(images.shape[1:3]) > tile + 2 * halo:
            return self._tiled(stretched, alpha, fusion, tile, halo)
        return self._graphs[fusion](stretched, alpha)

    def _tiled(self, stretched: tf.Tensor, alpha: tf.Tensor, fusion: str, tile: int, halo: int) -> Enhanced:
        """The same result tile by tile, in memory that depends on the tile for all but the result."""
        batch, height, width = stretched.shape[:3]
        parts = Enhanced(
            *(np.empty((batch, height, width, channels), np.float32) for channels in (3, 3, 1, 3, 1, 3))
        )
        for row in tiles(height, tile, halo, _STRIDE):
            for column in tiles(width, tile, halo, _STRIDE):
                window = stretched[:, row.start : row.stop, column.start : column.stop]
                for whole, part in zip(parts, self._graphs[fusion](window, alpha)):
                    kept = part[:, row.kept, column.kept]
                    whole[:, row.keep_start : row.keep_stop, column.keep_start : column.keep_stop] = kept
        return Enhanced(*(tf.convert_to_tensor(part) for part in parts))

    def _graph(self, fusion: str):
        """Everything after the stretch, as one graph for all sizes."""

        def enhance(stretched, alpha):
            reflectance, illumination = self.decom(stretched, training=False)
            restored = self.restoration([reflectance, illumination], training=False)
            planes = tf.ones_like(illumination) * alpha[:, tf.newaxis, tf.newaxis, tf.newaxis]
            adjusted = self.illumination([illumination, planes], training=False)
            relit = restored * adjusted
            if fusion == "published":
                relit = published_fusion(stretched, reflectance, illumination, restored, adjusted)
            return Enhanced(stretched, reflectance, illumination, restored, adjusted, relit)

        signature = [tf.TensorSpec([None, None, None, 3]), tf.TensorSpec([None])]
        return tf.function(enhance, input_signature=signature)


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
