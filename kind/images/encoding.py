"""The only place where pixels become image files; import it by `photo.py`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from kind.constants import BT601
from kind.files import atomic_write
from kind.images.pixels import ImageError, Photo, StoredPhoto, in_levels, in_unit_range

WRITABLE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")

_ROWS_AT_ONCE = 256  # of a large image: intermediate results would take several times its memory


class _PlainFile(io.FileIO):
    """A file that Pillow writes by Python, whose errors say what is wrong with the place."""

    def fileno(self) -> int:
        raise io.UnsupportedOperation


def can_keep_alpha(suffix: str) -> bool:
    """Tells whether files with this suffix (".png" or "png", any case) can hold transparency."""
    return suffix.lower().lstrip(".") in ("png", "webp", "tif", "tiff")


def encode_photo(
    pixels: np.ndarray, format: str = "png", like: Photo | StoredPhoto | None = None, quality: int = 95
) -> bytes:
    """Encodes pixels as an 8-bit image file.

    Published code: truncates to 8 bits. Here: rounds, because truncation darkens by half a level and does
    not give back an image that was merely read and written.

    Args:
        pixels: RGB [H, W, 3], uint8 levels, or floats that are clipped to [0, 1].
        format: one of `WRITABLE_SUFFIXES`, the dot left out or not.
        like: the photograph that `pixels` were made from. Its colour profile is attached and its alpha
            (same H and W) kept where the format can hold them, see `can_keep_alpha`; when it was gray, the
            result is too: RGB with three equal channels, the luma of `pixels`.
        quality: 1 to 100, for JPEG and WebP.

    Returns:
        The bytes of a whole file.

    Raises:
        ImageError: unknown format, or an image that the format cannot hold.
        ValueError: wrong shape, values that are not finite, or a quality out of range.
    """
    file = io.BytesIO()
    _encode(file, pixels, format, like, quality)
    return file.getvalue()


def _encode(
    file: BinaryIO, pixels: np.ndarray, format: str, like: Photo | StoredPhoto | None, quality: int
) -> None:
    kind = format.lower().lstrip(".")
    if f".{kind}" not in WRITABLE_SUFFIXES:
        raise ImageError(f"{format!r} images cannot be written: choose one of {' '.join(WRITABLE_SUFFIXES)}")
    if not 1 <= quality <= 100:
        raise ValueError(f"quality expects 1 to 100, received {quality}")
    options = {
        # zlib's level 6, Pillow's default, takes nearly three times as long for a hundredth less.
        "png": {"format": "PNG", "compress_level": 4},
        "jpg": {"format": "JPEG", "quality": quality, "subsampling": 0},
        "jpeg": {"format": "JPEG", "quality": quality, "subsampling": 0},
        "webp": {"format": "WEBP", "quality": quality},
        "tif": {"format": "TIFF", "compression": "tiff_adobe_deflate"},
        "tiff": {"format": "TIFF", "compression": "tiff_adobe_deflate"},
    }.get(kind, {"format": kind})
    if like is not None and like.icc_profile and kind != "bmp":
        options["icc_profile"] = like.icc_profile
    image = _eight_bit(pixels, like, with_alpha=can_keep_alpha(kind))
    try:
        image.save(file, **options)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the place, not of the picture
            raise
        size = "{}x{}".format(*image.size)
        raise ImageError(f"{size} pixels cannot be encoded as {kind} ({error}): choose .png") from error


def _eight_bit(pixels: np.ndarray, like: Photo | StoredPhoto | None, with_alpha: bool) -> Image.Image:
    """Rounds to an RGB image; RGBA when `like` has an alpha and it is to be kept."""
    pixels = np.asarray(pixels)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f"expects pixels of shape [H, W, 3], received {list(pixels.shape)}")
    alpha = like.alpha if with_alpha and like is not None else None
    if alpha is not None and alpha.shape != pixels.shape[:2]:
        raise ValueError(f"expects pixels of the alpha's size {alpha.shape}, received {pixels.shape}")
    if pixels.dtype != np.uint8 and not np.isfinite(pixels).all():
        raise ValueError("expects finite pixels, received NaN or infinity")
    height, width = pixels.shape[:2]
    image = Image.new("RGB" if alpha is None else "RGBA", (width, height))
    for start in range(0, height, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        strip = pixels[rows]
        if like is not None and like.gray:
            luma = np.clip(in_unit_range(strip), 0, 1) @ np.float32(BT601)
            strip = np.repeat(luma[..., None], 3, axis=2)
        strip = in_levels(strip)
        if alpha is not None:
            strip = np.concatenate([strip, in_levels(in_unit_range(alpha[rows]))[..., None]], axis=2)
        image.paste(Image.fromarray(np.ascontiguousarray(strip)), (0, start))
    return image


def write_photo(
    path: str | Path, pixels: np.ndarray, *, like: Photo | StoredPhoto | None = None, quality: int = 95
) -> None:
    """Writes pixels to an 8-bit image file, which is there wholly or not at all.

    Args:
        path: the file, in the format of its suffix, one of `WRITABLE_SUFFIXES`; missing folders are made.
        pixels: RGB [H, W, 3], uint8 levels, or floats that are clipped to [0, 1] and rounded; see
            `encode_photo`.
        like: the photograph that `pixels` were made from; its profile, alpha and grayness are kept.
        quality: 1 to 100, for JPEG and WebP.

    Raises:
        ImageError: unknown suffix, a place that cannot be written, or an image the format cannot hold.
        ValueError: wrong shape, values that are not finite, or a quality out of range.
    """
    path = Path(path)
    if path.suffix.lower() not in WRITABLE_SUFFIXES:
        raise ImageError(f"{path}: expects one of the suffixes {' '.join(WRITABLE_SUFFIXES)}: rename it")
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        with atomic_write(path) as temporary, io.BufferedWriter(_PlainFile(temporary, "wb")) as file:
            _encode(file, pixels, path.suffix, like, quality)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    except OSError as error:
        raise ImageError(
            f"{path}: cannot be written ({error.strerror or error}): choose another place"
        ) from error
