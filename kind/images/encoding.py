"""The only place where pixels become image files; import it by `photo.py`."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from kind.constants import BT601
from kind.files import atomic_write
from kind.images.iso_media import HEIC, register_heic, suffixes
from kind.images.metadata import Metadata, save_options
from kind.images.pixels import ImageError, Photo, StoredPhoto, in_levels, in_sixteen_bits, in_unit_range
from kind.images.writers import write_png, write_tiff

WRITABLE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", *suffixes())

DEFAULT_QUALITY = 95
_DEFAULTS_OF_OTHERS = {"avif": 85, "heic": 85, "heif": 85}  # whose numbers mean more

_ROWS_AT_ONCE = 256  # of a large image: intermediate results would take several times its memory


class _PlainFile(io.FileIO):
    """A file that Pillow writes by Python, whose errors say what is wrong with the place."""

    def fileno(self) -> int:
        raise io.UnsupportedOperation


def can_keep_alpha(suffix: str) -> bool:
    """Tells whether files with this suffix (".png" or "png", any case) can hold transparency."""
    return suffix.lower().lstrip(".") in ("png", "webp", "tif", "tiff", "avif", "heic", "heif")


def holds_sixteen_bits(suffix: str) -> bool:
    """Tells whether files with this suffix (".png" or "png", any case) can hold 16 bits in a sample."""
    return suffix.lower().lstrip(".") in ("png", "tif", "tiff")


def encode_photo(
    pixels: np.ndarray,
    format: str = "png",
    like: Photo | StoredPhoto | None = None,
    quality: int | None = None,
) -> bytes:
    """Encodes pixels as an image file of 8 bits; of 16 as PNG and TIFF, when `like` and `pixels` have them.

    Published code: truncates to 8 bits. Here: rounds, because truncation darkens by half a level and does
    not give back an image that was merely read and written.

    Args:
        pixels: RGB [H, W, 3], uint8 levels, or floats that are clipped to [0, 1].
        format: one of `WRITABLE_SUFFIXES`, the dot left out or not.
        like: the photograph that `pixels` were made from. Its colour profile and metadata are attached and
            its alpha (same H and W) kept where the format can hold them, see `can_keep_alpha`; when it was
            gray, the result is too: RGB with three equal channels, the luma of `pixels`.
        quality: 1 to 100, for JPEG and WebP. None compresses a JPEG as the one that `like` was read from,
            and takes 95, and 4:4:4, otherwise.

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
    file: BinaryIO, pixels: np.ndarray, format: str, like: Photo | StoredPhoto | None, quality: int | None
) -> None:
    kind = format.lower().lstrip(".")
    if f".{kind}" not in WRITABLE_SUFFIXES:
        raise ImageError(f"{format!r} images cannot be written: choose one of {' '.join(WRITABLE_SUFFIXES)}")
    if quality is not None and not 1 <= quality <= 100:
        raise ValueError(f"quality expects 1 to 100, received {quality}")
    pixels = np.asarray(pixels)
    alpha = _alpha_of(pixels, like if can_keep_alpha(kind) else None)
    metadata = Metadata() if like is None else like.metadata
    profile = None if like is None else like.icc_profile
    is_deep = like is not None and like.bits == 16 and pixels.dtype != np.uint8 and holds_sixteen_bits(kind)
    if is_deep or kind in ("tif", "tiff"):
        levels = in_sixteen_bits if is_deep else in_levels
        write = write_png if kind == "png" else write_tiff
        write(file, _level_strips(pixels, alpha, like, levels), pixels.shape[:2], profile, metadata)
        return
    options = _options(kind, quality, metadata)
    if profile and kind != "bmp":
        options["icc_profile"] = profile
    image = _eight_bit(pixels, alpha, like)
    try:
        image.save(file, **options)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the place, not of the picture
            raise
        size = "{}x{}".format(*image.size)
        raise ImageError(f"{size} pixels cannot be encoded as {kind} ({error}): choose .png") from error


def _options(kind: str, quality: int | None, metadata: Metadata) -> dict[str, Any]:
    """What Pillow's `save` takes."""
    options = save_options(metadata, kind)
    if kind == "png":
        # zlib's level 6, Pillow's default, takes nearly three times as long for a hundredth less.
        return {"format": "PNG", "compress_level": 4, **options}
    if kind in ("webp", "avif", "heic", "heif"):
        if kind.startswith("hei"):
            register_heic()
        chosen = _DEFAULTS_OF_OTHERS.get(kind, DEFAULT_QUALITY) if quality is None else quality
        return {"format": {"heic": HEIC, "heif": HEIC}.get(kind, kind.upper()), "quality": chosen, **options}
    if kind == "bmp":
        return {"format": "BMP", **options}
    if quality is None and metadata.jpeg:
        tables, subsampling, is_progressive = metadata.jpeg
        given = {"qtables": [list(table) for table in tables], "progressive": is_progressive}
        return {"format": "JPEG", **given, "subsampling": subsampling, **options}
    subsampling = metadata.jpeg.subsampling if metadata.jpeg else 0
    quality = DEFAULT_QUALITY if quality is None else quality
    return {"format": "JPEG", "quality": quality, "subsampling": subsampling, **options}


def _alpha_of(pixels: np.ndarray, like: Photo | StoredPhoto | None) -> np.ndarray | None:
    """Checks the pixels; the opacity that goes with them, if any."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f"expects pixels of shape [H, W, 3], received {list(pixels.shape)}")
    alpha = None if like is None else like.alpha
    if alpha is not None and alpha.shape != pixels.shape[:2]:
        raise ValueError(f"expects pixels of the alpha's size {alpha.shape}, received {pixels.shape}")
    if pixels.dtype.kind not in "uf":
        raise ValueError(f"expects floats in [0, 1] or unsigned levels, received {pixels.dtype}")
    if pixels.dtype != np.uint8 and not np.isfinite(pixels).all():
        raise ValueError("expects finite pixels, received NaN or infinity")
    return alpha


def _level_strips(
    pixels: np.ndarray,
    alpha: np.ndarray | None,
    like: Photo | StoredPhoto | None,
    levels: Callable[[np.ndarray], np.ndarray],
) -> Iterator[np.ndarray]:
    """Some rows at a time: rounded by `levels`, gray where `like` is, opacity the fourth channel if any."""
    for start in range(0, len(pixels), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        strip = pixels[rows]
        if like is not None and like.gray:
            luma = np.clip(in_unit_range(strip), 0, 1) @ np.float32(BT601)
            strip = np.repeat(luma[..., None], 3, axis=2)
        strip = levels(strip)
        if alpha is not None:
            strip = np.concatenate([strip, levels(in_unit_range(alpha[rows]))[..., None]], axis=2)
        yield np.ascontiguousarray(strip)


def _eight_bit(pixels: np.ndarray, alpha: np.ndarray | None, like: Photo | StoredPhoto | None) -> Image.Image:
    """Rounds to an RGB image; RGBA where there is opacity."""
    height, width = pixels.shape[:2]
    image = Image.new("RGB" if alpha is None else "RGBA", (width, height))
    start = 0
    for strip in _level_strips(pixels, alpha, like, in_levels):
        image.paste(Image.fromarray(strip), (0, start))
        start += len(strip)
    return image


def write_photo(
    path: str | Path,
    pixels: np.ndarray,
    *,
    like: Photo | StoredPhoto | None = None,
    quality: int | None = None,
) -> None:
    """Writes pixels to an image file, which is there wholly or not at all.

    Args:
        path: the file, in the format of its suffix, one of `WRITABLE_SUFFIXES`; missing folders are made.
        pixels: RGB [H, W, 3], uint8 levels, or floats that are clipped to [0, 1] and rounded; see
            `encode_photo`.
        like: the photograph that `pixels` were made from; see `encode_photo`. Its date becomes the file's.
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
            file.close()
            if like is not None and like.metadata.modified is not None:
                os.utime(temporary, ns=(like.metadata.modified,) * 2)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    except OSError as error:
        raise ImageError(
            f"{path}: cannot be written ({error.strerror or error}): choose another place"
        ) from error
