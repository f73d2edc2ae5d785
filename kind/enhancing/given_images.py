"""What users have for an image, as the pipeline takes it: float32 RGB in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Union

import numpy as np
import tensorflow as tf
from PIL import Image

from kind.errors import UserError
from kind.images.photo import read_photo, read_stored_photo
from kind.images.pil import from_pil

Picture = Union[str, Path, Image.Image, np.ndarray, tf.Tensor]
"""One image: a file, a Pillow image, or an array or tensor [H, W, 3] (of a batch: [N, H, W, 3])."""

_TOLERANCE = 1e-6  # float32 arithmetic may end this far beyond [0, 1]
_EXPECTED = "images expects float32 (or other floats) in [0, 1] or uint8, RGB, [N, H, W, 3] or [H, W, 3]"


def as_levels(images: Picture | Sequence[Picture]) -> np.ndarray | tf.Tensor:
    """As `as_floats`, but files and arrays of unsigned integers stay in these: large ones take less memory.

    Raises:
        UserError: see `as_floats`.
        ImageError: see `as_floats`.
    """
    if isinstance(images, (str, Path)):
        return read_stored_photo(images).colours
    if isinstance(images, np.ndarray) and images.dtype.kind == "u":
        if images.ndim not in (3, 4) or images.shape[-1] != 3:
            raise UserError(f"{_EXPECTED}; received {images.dtype} {list(images.shape)}")
        return _with_pixels(images)
    return as_floats(images)


def as_levels_by_size(images: Picture | Sequence[Picture]) -> np.ndarray | tf.Tensor | list:
    """As `as_levels`; a list of images of different sizes stays a list, of one array or tensor for each.

    Raises:
        UserError: see `as_floats`, but for the sizes.
        ImageError: see `as_floats`.
    """
    if not isinstance(images, (list, tuple)):
        return as_levels(images)
    several = [as_floats(image) for image in images]
    single = all(len(each.shape) == 3 for each in several)
    return several if single and len({tuple(each.shape) for each in several}) > 1 else _stacked(several)


def as_floats(images: Picture | Sequence[Picture]) -> np.ndarray | tf.Tensor:
    """Converts an image, or a batch of images of one size.

    Args:
        images: a path (read upright, see `kind.images.read_photo`); a Pillow image; an array or tensor,
            floats in [0, 1] or unsigned integers of 8 or 16 bits, [H, W, 3] or [N, H, W, 3]; or a list of
            single images of one size.

    Returns:
        float32 [H, W, 3] or [N, H, W, 3], RGB in [0, 1].

    Raises:
        UserError: on another type or shape, no pixels, images of different sizes, or values outside [0, 1].
            The values of a symbolic tensor are not looked at.
        ImageError: when a file cannot be read.
    """
    if isinstance(images, (str, Path)):
        return read_photo(images).pixels
    if isinstance(images, Image.Image):
        return from_pil(images)
    if isinstance(images, (list, tuple)):
        return _stacked([as_floats(image) for image in images])
    if not isinstance(images, np.ndarray):
        images = tf.convert_to_tensor(images)
    dtype = tf.as_dtype(images.dtype)
    rank = len(images.shape) if isinstance(images, np.ndarray) else images.shape.rank
    if (
        not (dtype.is_floating or dtype in (tf.uint8, tf.uint16))
        or rank not in (3, 4)
        or images.shape[-1] != 3
    ):
        raise UserError(f"{_EXPECTED}; received {dtype.name} {list(images.shape)}")
    floats = images
    if dtype != tf.float32:
        is_array = isinstance(images, np.ndarray)
        floats = images.astype(np.float32) if is_array else tf.cast(images, tf.float32)
    _with_pixels(images)
    if not dtype.is_floating:
        return floats / np.float32(dtype.max)
    _check_range(floats)
    return floats


def _with_pixels(images: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
    """The same images; refuses those of no pixels, where their size is known."""
    if 0 in tuple(images.shape):
        raise UserError(f"images expects one pixel at least, received none: {list(images.shape)}")
    return images


def _stacked(images: Sequence) -> np.ndarray:
    shapes = sorted({tuple(image.shape) for image in images})
    if len(shapes) != 1 or len(shapes[0]) != 3:
        raise UserError(
            f"a list of images expects single images of one size; received {list(map(list, shapes))}"
        )
    return np.stack([np.asarray(image) for image in images])


def _check_range(images: np.ndarray | tf.Tensor) -> None:
    """Refuses floats outside [0, 1], such as 8-bit levels that were not divided, and NaN."""
    if not isinstance(images, np.ndarray):
        if not tf.executing_eagerly():
            return
        images = np.asarray(images)  # shares the tensor's memory on a CPU
    low, high = float(images.min()), float(images.max())
    if not (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):
        raise UserError(
            f"images expects floats in [0, 1]; received values from {low:g} to {high:g}: divide levels "
            "by 255, or give uint8"
        )
