"""The only place where bytes become pixels; `encoding.py` has the way back."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kind.errors import UserError
from kind.images import raw
from kind.images.decoding import Stored, check_size, stored_samples
from kind.images.encoding import (
    DEFAULT_QUALITY,
    WRITABLE_SUFFIXES,
    can_keep_alpha,
    encode_photo,
    holds_sixteen_bits,
    write_photo,
)
from kind.images.header import read_header
from kind.images.iso_media import suffixes
from kind.images.pixels import ImageError, Photo, StoredPhoto
from kind.images.raw import is_raw, raw_size

__all__ = [
    "DEFAULT_QUALITY",
    "PHOTO_SUFFIXES",
    "PIXEL_LIMIT",
    "READABLE_SUFFIXES",
    "WRITABLE_SUFFIXES",
    "ImageError",
    "Photo",
    "StoredPhoto",
    "can_keep_alpha",
    "decode_photo",
    "decode_stored_photo",
    "encode_photo",
    "holds_sixteen_bits",
    "photo_size",
    "read_photo",
    "read_stored_photo",
    "write_photo",
]

PIXEL_LIMIT = 200_000_000
"""More pixels than this are refused before decoding; the largest phone sensors have just under as many."""

#: What data sets may consist of: the size of these is read from their headers.
READABLE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
PHOTO_SUFFIXES = (*READABLE_SUFFIXES, *suffixes(), *raw.suffixes())
"""What is a photograph in a folder."""


def read_photo(path: str | Path) -> Photo:
    """Reads a photograph from a file; its content, not its suffix, tells the format.

    Args:
        path: a PNG, JPEG, WebP, BMP, TIFF, GIF, AVIF, HEIC or raw file; see `decode_photo`.

    Returns:
        The photograph, upright.

    Raises:
        ImageError: the file cannot be read, or is not a whole image of a known format.

    Example:
        >>> photo = read_photo("night.jpg")
        >>> write_photo("brighter.png", photo.pixels**0.5, like=photo)
    """
    return read_stored_photo(path).in_floats()


def read_stored_photo(path: str | Path) -> StoredPhoto:
    """As `read_photo`, but in the numbers that the file has.

    Raises:
        ImageError: see `read_photo`.
    """
    with opened(Path(path)) as file, naming(str(path)):
        photo = _interpreted(stored_samples(file, PIXEL_LIMIT))
        modified = os.fstat(file.fileno()).st_mtime_ns
        return replace(photo, metadata=replace(photo.metadata, modified=modified))


def photo_size(path: str | Path) -> tuple[int, int]:
    """Tells the size of a photograph, upright, from its header; only what has a damaged one is decoded.

    Args:
        path: as for `read_photo`.

    Returns:
        (height, width) in pixels.

    Raises:
        ImageError: the file cannot be read, or does not begin like an image of a known format, or it has more
            than `PIXEL_LIMIT` pixels.
    """
    with opened(Path(path)) as file:
        with naming(str(path)):
            if is_raw(file):
                size = raw_size(file)
                check_size(*size[::-1], PIXEL_LIMIT)
                return size
        file.seek(0)
        try:
            size = read_header(file).upright_size
        except UserError:
            size = None
        with naming(str(path)):
            if size is None:
                file.seek(0)
                return _interpreted(stored_samples(file, PIXEL_LIMIT)).size
            check_size(*size[::-1], PIXEL_LIMIT)
    return size


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file, which is not empty; what cannot be opened is named."""
    try:
        if path.is_dir():
            raise ImageError(f"{path}: is a folder: name an image file in it")
        if path.exists() and not path.is_file():
            raise ImageError(f"{path}: is not a regular file: name an image file")
        file = path.open("rb")
    except FileNotFoundError as error:
        if path.is_symlink():
            raise ImageError(f"{path}: is a link to a file that is not there: mend or remove it") from error
        raise ImageError(f"{path}: no such file: check the spelling") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}): check the permissions") from error
    except ValueError as error:  # a name that no file can have
        raise ImageError(f"{path}: cannot be read ({error}): check the spelling") from error
    with file:
        if not os.fstat(file.fileno()).st_size:
            raise ImageError(f"{path}: the file is empty (0 bytes): copy or download it again")
        yield file


def decode_photo(data: bytes, name: str) -> Photo:
    """Decodes the bytes of an image file.

    8-bit values are divided by 255 and 16-bit values by 65535; floats in a TIFF are used as they are,
    clipped to [0, 1] with a note. Of several frames or pages the first is used, with a note. CMYK becomes
    sRGB, by way of its colour profile where it has one. EXIF orientation is applied.

    Args:
        data: a whole PNG, JPEG, WebP, BMP, TIFF, GIF, AVIF, HEIC or raw file.
        name: what error messages call it.

    Returns:
        The photograph, upright.

    Raises:
        ImageError: unknown format, damaged or cut short, more than `PIXEL_LIMIT` pixels, or NaN inside.
    """
    return decode_stored_photo(data, name).in_floats()


def decode_stored_photo(data: bytes, name: str) -> StoredPhoto:
    """As `decode_photo`, but in the numbers that the file has.

    Raises:
        ImageError: see `decode_photo`.
    """
    if not data:
        raise ImageError(f"{name}: no bytes to decode: send a whole image file")
    with naming(name):
        return _interpreted(stored_samples(io.BytesIO(data), PIXEL_LIMIT))


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Turns whatever the decoders raise into an ImageError that names the image."""
    try:
        yield
    except UserError as error:
        raise ImageError(f"{name}: {error}") from error
    except MemoryError as error:
        raise ImageError(f"{name}: does not fit into memory: make the image smaller first") from error
    except Exception as error:  # the decoders report damage as OSError, SyntaxError, KeyError and many more
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{name}: damaged or incomplete ({reason}): copy or export it again") from error


def _interpreted(stored: Stored) -> StoredPhoto:
    notes = list(stored.notes)
    profile = stored.icc_profile
    if profile and profile[16:20] != b"RGB ":  # the colour space in a profile's header; gray has its own
        profile = None
        notes.append("its colour profile is not for RGB and is left out")
    samples = _upright(_checked(stored.samples, notes), stored.orientation)
    colours = 1 if samples.shape[2] < 3 else 3
    alpha = samples[..., -1] if samples.shape[2] in (2, 4) else None
    return StoredPhoto(samples[..., :colours], alpha, profile, tuple(notes), stored.metadata, stored.is_raw)


def _checked(samples: np.ndarray, notes: list[str]) -> np.ndarray:
    """Unsigned integers as they are; floats float32 in [0, 1]."""
    if 0 in samples.shape:
        raise UserError("it has no pixels: damaged or incomplete")
    if samples.dtype.kind == "u":
        return samples
    if samples.dtype.kind != "f":
        raise UserError(f"{samples.dtype} values are not supported: save 8 or 16 bits or floats in [0, 1]")
    if not np.isfinite(samples).all():
        raise UserError("holds NaN or infinite values: mend them and save it again")
    low, high = samples.min(), samples.max()
    if low < 0 or high > 1:
        notes.append(f"values from {low:g} to {high:g} are clipped to [0, 1]")
    return np.clip(samples, 0, 1).astype(np.float32)


def _upright(samples: np.ndarray, orientation: int) -> np.ndarray:
    """Undoes an EXIF orientation: 1 to 4 keep rows as rows, 5 to 8 lie on the side."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples
