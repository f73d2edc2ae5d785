"""The only place where bytes become [0, 1] floats and back."""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

import numpy as np
from PIL import Image

from kind.constants import BT601
from kind.errors import UserError
from kind.files import atomic_write
from kind.images.decoding import Stored, check_size, stored_samples
from kind.images.header import read_header

PIXEL_LIMIT = 200_000_000
"""More pixels than this are refused before decoding; the largest phone sensors have just under as many."""

READABLE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
WRITABLE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")

_ROWS_AT_ONCE = 256  # of a large image: intermediate results would take several times its memory


class ImageError(UserError):
    """An image that cannot be read or written; the one-line message names it and says what to do."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photograph, upright, together with what should survive until it is written again.

    Attributes:
        pixels: float32 [H, W, 3], RGB in [0, 1], with the file's transfer curve (sRGB as a rule; not linear).
        alpha: float32 [H, W] in [0, 1], 1 where opaque; None when the file carries no transparency.
        icc_profile: the file's RGB colour profile, which describes `pixels`; None without one.
        gray: whether the file was grayscale; the three channels are then equal.
        notes: what the user should be told, e.g. "12 frames or pages: the first is used".
    """

    pixels: np.ndarray
    alpha: Optional[np.ndarray] = None
    icc_profile: Optional[bytes] = None
    gray: bool = False
    notes: tuple[str, ...] = ()


def read_photo(path: Union[str, Path]) -> Photo:
    """Reads a photograph from a file; its content, not its suffix, tells the format.

    Args:
        path: a PNG, JPEG, WebP, BMP, TIFF or GIF file; see `decode_photo`.

    Returns:
        The photograph, upright.

    Raises:
        ImageError: the file cannot be read, or is not a whole image of a known format.

    Example:
        >>> photo = read_photo("night.jpg")
        >>> write_photo("brighter.png", photo.pixels**0.5, like=photo)
    """
    return decode_photo(_file_bytes(Path(path)), str(path))


def photo_size(path: Union[str, Path]) -> tuple[int, int]:
    """Tells the size of a photograph, upright, from its header; only what has a damaged one is decoded.

    Args:
        path: as for `read_photo`.

    Returns:
        (height, width) in pixels.

    Raises:
        ImageError: the file cannot be read, or does not begin like an image of a known format, or it has more
            than `PIXEL_LIMIT` pixels.
    """
    data = _file_bytes(Path(path))
    try:
        size = read_header(data).upright_size
    except UserError:
        return decode_photo(data, str(path)).pixels.shape[:2]
    with _naming(str(path)):
        check_size(*size[::-1], PIXEL_LIMIT)
    return size


def _file_bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ImageError(f"{path}: is a folder: name an image file in it")
        if path.exists() and not path.is_file():
            raise ImageError(f"{path}: is not a regular file: name an image file")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file: check the spelling") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}): check the permissions") from error
    if not data:
        raise ImageError(f"{path}: the file is empty (0 bytes): copy or download it again")
    return data


def decode_photo(data: bytes, name: str) -> Photo:
    """Decodes the bytes of an image file.

    8-bit values are divided by 255 and 16-bit values by 65535; floats in a TIFF are used as they are,
    clipped to [0, 1] with a note. Of several frames or pages the first is used, with a note. CMYK becomes
    sRGB, by way of its colour profile where it has one. EXIF orientation is applied.

    Args:
        data: a whole PNG, JPEG, WebP, BMP, TIFF or GIF file.
        name: what error messages call it.

    Returns:
        The photograph, upright.

    Raises:
        ImageError: unknown format, damaged or cut short, more than `PIXEL_LIMIT` pixels, or NaN inside.
    """
    if not data:
        raise ImageError(f"{name}: no bytes to decode: send a whole image file")
    with _naming(name):
        return _interpreted(stored_samples(data, PIXEL_LIMIT))


@contextlib.contextmanager
def _naming(name: str) -> Iterator[None]:
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


def _interpreted(stored: Stored) -> Photo:
    notes = list(stored.notes)
    profile = stored.icc_profile
    if profile and profile[16:20] != b"RGB ":  # the colour space in a profile's header; gray has its own
        profile = None
        notes.append("its colour profile is not for RGB and is left out")
    samples = _upright(_in_unit_range(stored.samples, notes), stored.orientation)
    gray, with_alpha = samples.shape[2] < 3, samples.shape[2] in (2, 4)
    return Photo(
        pixels=np.repeat(samples[..., :1], 3, axis=2) if gray else np.ascontiguousarray(samples[..., :3]),
        alpha=np.ascontiguousarray(samples[..., -1]) if with_alpha else None,
        icc_profile=profile,
        gray=gray,
        notes=tuple(notes),
    )


def _in_unit_range(samples: np.ndarray, notes: list[str]) -> np.ndarray:
    if samples.dtype.kind == "u":
        return np.divide(samples, np.float32(np.iinfo(samples.dtype).max), dtype=np.float32)
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


def can_keep_alpha(suffix: str) -> bool:
    """Tells whether files with this suffix (".png" or "png", any case) can hold transparency."""
    return suffix.lower().lstrip(".") in ("png", "webp", "tif", "tiff")


def encode_photo(
    pixels: np.ndarray, format: str = "png", like: Optional[Photo] = None, quality: int = 95
) -> bytes:
    """Encodes pixels as an 8-bit image file.

    Published code: truncates to 8 bits. Here: rounds, because truncation darkens by half a level and does
    not give back an image that was merely read and written.

    Args:
        pixels: float [H, W, 3] RGB, clipped to [0, 1].
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
    levels = _eight_bit(pixels, like, with_alpha=can_keep_alpha(kind))
    file = io.BytesIO()
    try:
        Image.fromarray(levels).save(file, **options)
    except (OSError, ValueError) as error:
        size = f"{levels.shape[1]}x{levels.shape[0]}"
        raise ImageError(f"{size} pixels cannot be encoded as {kind} ({error}): choose .png") from error
    return file.getvalue()


def _eight_bit(pixels: np.ndarray, like: Optional[Photo], with_alpha: bool) -> np.ndarray:
    """Rounds to uint8 [H, W, 3], or [H, W, 4] when `like` has an alpha and it is to be kept."""
    pixels = np.asarray(pixels)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f"expects pixels of shape [H, W, 3], received {list(pixels.shape)}")
    if not np.isfinite(pixels).all():
        raise ValueError("expects finite pixels, received NaN or infinity")
    if like is not None and like.gray:
        pixels = np.repeat((np.clip(pixels, 0, 1) @ np.float32(BT601))[..., None], 3, axis=2)
    if with_alpha and like is not None and like.alpha is not None:
        if like.alpha.shape != pixels.shape[:2]:
            raise ValueError(
                f"expects pixels of the alpha's size {like.alpha.shape}, received {pixels.shape}"
            )
        pixels = np.concatenate([pixels, like.alpha[..., None]], axis=2)
    levels = np.empty(pixels.shape, np.uint8)
    for start in range(0, len(pixels), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        levels[rows] = np.rint(np.clip(pixels[rows], 0, 1) * 255)
    return levels


def write_photo(
    path: Union[str, Path], pixels: np.ndarray, *, like: Optional[Photo] = None, quality: int = 95
) -> None:
    """Writes pixels to an 8-bit image file, which is there wholly or not at all.

    Args:
        path: the file, in the format of its suffix, one of `WRITABLE_SUFFIXES`; missing folders are made.
        pixels: float [H, W, 3] RGB, clipped to [0, 1] and rounded; see `encode_photo`.
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
        data = encode_photo(pixels, path.suffix, like, quality)
        if path.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        with atomic_write(path) as temporary:
            temporary.write_bytes(data)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    except OSError as error:
        raise ImageError(
            f"{path}: cannot be written ({error.strerror or error}): choose another place"
        ) from error
