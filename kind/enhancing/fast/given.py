"""What users have for an image; as `kind.enhancing.given_images`, without tensors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kind.errors import UserError
from kind.images.photo import read_stored_photo
from kind.images.pil import from_pil
from kind.images.pixels import in_unit_range

_EXPECTED = "images expects floats in [0, 1] or unsigned integers, RGB, [N, H, W, 3] or [H, W, 3]"
_TOLERANCE = 1e-6


def given_images(images: str | Path | Image.Image | np.ndarray | Sequence) -> np.ndarray | list[np.ndarray]:
    """Converts.

    Args:
        images: a path, a Pillow image, an array [H, W, 3] or [N, H, W, 3], or a list of single images.

    Returns:
        An array, of unsigned integers or float32 in [0, 1]; of a list of images of several sizes, a list.

    Raises:
        UserError: on another shape, type or range, or an image without pixels.
        ImageError: when a file cannot be read.
    """
    if isinstance(images, (list, tuple)):
        several = [given_images(image) for image in images]
        if not several or any(isinstance(image, list) or image.ndim != 3 for image in several):
            raise UserError("a list of images expects single images")
        if len({image.dtype for image in several}) > 1:
            several = [in_unit_range(image) for image in several]
        return np.stack(several) if len({image.shape for image in several}) == 1 else several
    if isinstance(images, (str, Path)):
        return read_stored_photo(images).colours
    if isinstance(images, Image.Image):
        return from_pil(images)
    images = np.asarray(images)
    if images.dtype.kind not in "uf" or images.ndim not in (3, 4) or images.shape[-1] != 3:
        raise UserError(f"{_EXPECTED}; received {images.dtype} {list(images.shape)}")
    if not images.size:
        raise UserError(f"images expects one pixel at least, received none: {list(images.shape)}")
    if images.dtype.kind == "u":
        return images
    low, high = float(images.min()), float(images.max())
    if not (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):
        raise UserError(f"{_EXPECTED}; received values from {low:g} to {high:g}: divide levels by 255")
    return images.astype(np.float32, copy=False)
