"""Pillow images to and from floats in [0, 1]."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from kind.images.pixels import in_levels


def from_pil(image: Image.Image) -> np.ndarray:
    """Makes an array of a Pillow image: upright by its EXIF orientation, without transparency.

    Args:
        image: of 8 bits in any mode, or grayscale of 16 bits.

    Returns:
        float32 [H, W, 3], RGB in [0, 1]; three equal channels when the image is grayscale.

    Raises:
        ValueError: on the modes "I" and "F", whose range is not known.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F"):
        raise ValueError(f"expected a Pillow image of 8 or 16 bits; received mode {image.mode!r}")
    if image.mode.startswith("I;16"):
        gray = np.asarray(image).astype(np.float32) / np.float32(np.iinfo(np.uint16).max)
        return np.repeat(gray[..., np.newaxis], 3, axis=2)
    return np.asarray(image.convert("RGB"), np.float32) / np.float32(255)


def to_pil(pixels: np.ndarray) -> Image.Image:
    """Makes a Pillow image of an array.

    Args:
        pixels: [H, W, 3] or [H, W, 1], uint8, or floats that are clipped to [0, 1] and rounded.

    Returns:
        An image of mode RGB.
    """
    levels = in_levels(np.asarray(pixels))
    return Image.fromarray(np.repeat(levels, 3 // levels.shape[2], axis=2))


def cropped(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """A part of a loaded image; `Image.crop` refuses what is larger than Pillow's process-wide limit."""
    return image._new(image.im.crop(box))
