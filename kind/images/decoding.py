"""From the bytes of an image file to the samples it stores, whatever their depth; for `photo.py` alone."""

import contextlib
import io
import logging
import math
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Optional, Union

import numpy as np
import tifffile
from PIL import Image, ImageCms

from kind.errors import UserError
from kind.images.header import read_header_and_metadata
from kind.images.iso_media import AVIF, HEIC, format_of
from kind.images.metadata import Metadata, metadata_of, metadata_of_tiff
from kind.images.missing_rows import has_missing_strips, is_cut_jpeg, is_cut_png
from kind.images.pil import cropped
from kind.images.png_texts import without_texts
from kind.images.raw import is_raw, raw_samples
from kind.images.tiff_tags import ORIENTATION, valid_orientation

READABLE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")

_EIGHT_BIT_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr")
_SIXTEEN_BIT_COLOUR = re.compile("(LA|RGB|RGBA|RGBa|RGBX);16[BLN]")
_COLOUR_PROFILE = 34675  # TIFF's tags
_BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANAR_CONFIGURATION, _SAMPLE_FORMAT = 258, 262, 284, 339
_SIGNED = 2  # of TIFF's sample formats
_ROWS_AT_ONCE = 256  # a copy of a large picture would be as large
_CUT = "its data end before its last row: what is missing is one colour"
_pillow_limit = threading.Lock()
logging.getLogger("tifffile").addHandler(logging.NullHandler())  # its exceptions say the same in one line


@dataclass
class Stored:
    """What a file stores, before any of it is interpreted.

    Attributes:
        samples: unsigned integer or float [H, W, C]; C = 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA.
        icc_profile: the profile of these very samples, of any colour space.
        orientation: the EXIF orientation still to be applied, 1 to 8.
        notes: what the user should be told.
        metadata: what else the file says; it is that of the upright picture.
        is_raw: whether the samples are those of a camera's sensor.
    """

    samples: np.ndarray
    icc_profile: Optional[bytes] = None
    orientation: int = 1
    notes: list[str] = field(default_factory=list)
    metadata: Metadata = Metadata()
    is_raw: bool = False


def stored_samples(file: BinaryIO, pixel_limit: int) -> Stored:
    """Decodes an image file, at its full depth, to the samples of its first frame.

    Args:
        file: a whole PNG, JPEG, WebP, BMP, TIFF, GIF, AVIF, HEIC or raw file, open for reading. What is not
            one of them is refused after its first bytes.
        pixel_limit: a header that announces more pixels is refused before anything is decoded.

    Returns:
        The samples as stored, not yet upright.

    Raises:
        UserError: the format, the layout or the size is not supported. The message does not name the file.
        Exception: damaged data; Pillow and tifffile report it by many types (OSError, SyntaxError, …).
    """
    if is_raw(file):
        samples, metadata = raw_samples(file, lambda width, height: check_size(width, height, pixel_limit))
        return Stored(samples, metadata=metadata, is_raw=True)
    file_format = format_of_file(file)
    whole, stored, exif, xmp = file, Stored(np.empty(0)), b"", b""
    with contextlib.suppress(UserError):  # a header that only Pillow can make something of
        header, exif, xmp = read_header_and_metadata(file)
        check_size(header.width, header.height, pixel_limit)
        stored.orientation = header.orientation
    if file_format == "PNG":
        file, notes = without_texts(file)
        stored.notes += notes
    try:
        image = open_header(file, file_format)
    except SyntaxError:
        if file_format != "TIFF":
            raise
        _by_tifffile(file, pixel_limit, stored)  # a layout that Pillow does not know: floats in RGB
        size = stored.samples.shape[1::-1]
        stored.metadata = metadata_of_tiff(whole, size[::-1] if stored.orientation > 4 else size)
        return stored
    check_size(*image.size, pixel_limit)
    if file_format in (AVIF, HEIC):
        exif, xmp = (image.info.get(name) or b"" for name in ("exif", "xmp"))
        stored.orientation = valid_orientation(image.getexif().get(ORIENTATION))
    size = image.size
    if stored.orientation > 4 and file_format != "TIFF":  # Pillow turns the size of TIFF files itself
        size = size[::-1]
    stored.metadata = metadata_of(image, whole, exif, xmp, size)
    if _misread_by_pillow(image):
        return _by_tifffile(file, pixel_limit, stored)
    if file_format == "TIFF":
        _prepare_tiff(image)
    return _by_pillow(file, image, file_format, stored)


def format_of_file(file: BinaryIO) -> str:
    """Pillow's name for the format of a file, by its first bytes; UserError when it is not known."""
    file.seek(0)
    start = file.read(16)
    Image.init()
    for known in READABLE_FORMATS:
        if Image.OPEN[known][1](start) is True:
            return known
    if known := format_of(start):
        return known
    if start[4:8] == b"ftyp" or start.startswith(b"\x1a\x45\xdf\xa3"):
        raise UserError("a video, not a photograph: kind enhance and kind detect take .mp4 .mov .webm .mkv")
    raise UserError(f"not an image of a known format: expects {', '.join(READABLE_FORMATS)}, AVIF, HEIC")


def open_header(file: BinaryIO, file_format: str) -> Image.Image:
    """Reads the header, as Image.open does, but without its process-wide pixel limit.

    That one warns from 89 megapixels and refuses from 179: less than some phones take.
    """
    file.seek(0)
    with _without_pillows_limit():
        return Image.OPEN[file_format][0](file, "")


@contextlib.contextmanager
def _without_pillows_limit() -> Iterator[None]:
    """Lifts Pillow's limit, which some of its readers look at themselves, while a header is read."""
    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _prepare_tiff(image: Image.Image) -> None:
    """Keeps Pillow from turning a TIFF upright by its own reading of EXIF, and from its pixel limit."""
    image._exif = Image.Exif()
    image._exif._loaded = True
    image._size = image._tile_size
    image.im = Image.core.new(image.mode, image._size)


def check_size(width: int, height: int, pixel_limit: int) -> None:
    """Refuses pictures without pixels or with too many; UserError says the size and names no file."""
    if width < 1 or height < 1:
        raise UserError(f"the header says {width}x{height} pixels: damaged or incomplete")
    if width * height > pixel_limit:
        megapixels = f"{width}x{height} is {width * height / 1e6:.0f} megapixels"
        raise UserError(f"{megapixels}, the limit is {pixel_limit / 1e6:.0f}: make the image smaller first")


def _misread_by_pillow(image: Image.Image) -> bool:
    """Whether this is a TIFF that Pillow opens but gets wrong.

    It takes planes of 16 bits for 8 bits, unsigned 32 bits for signed, signed 8 bits for unsigned, and
    forgets that white may be zero.
    """
    if image.format != "TIFF":
        return False
    if _SIGNED in image.tag_v2.get(_SAMPLE_FORMAT, ()):
        return True
    if max(image.tag_v2.get(_BITS_PER_SAMPLE, (1,))) <= 8:
        return False
    planes_apart = image.tag_v2.get(_PLANAR_CONFIGURATION) == 2
    return image.mode == "I" or planes_apart or image.tag_v2.get(_PHOTOMETRIC) == 0


def _by_pillow(file: BinaryIO, image: Image.Image, file_format: str, stored: Stored) -> Stored:
    profile = image.info.get("icc_profile")
    rawmode, is_strips_short = _rawmode(image), file_format == "TIFF" and has_missing_strips(image)
    if image.mode == "F":
        samples = np.asarray(image)
    elif rawmode == "I;12":
        samples = np.asarray(image) / np.float32(4095)
    elif image.mode.startswith("I;16") or _SIXTEEN_BIT_COLOUR.fullmatch(rawmode):
        samples = _sixteen_bits(file, image, file_format)
    elif image.mode == "CMYK":
        samples = _in_strips(image, _to_rgb_of_cmyk(profile, stored))
        profile = None  # it no longer fits
    elif image.mode in _EIGHT_BIT_MODES:
        samples = _in_strips(image, _gray_or_rgb)
    else:
        raise UserError(f"{image.mode} pixels are not supported: save it as RGB")
    stored.samples = samples if samples.ndim == 3 else samples[..., None]
    _keep_profile(profile, stored)
    is_cut = {"JPEG": is_cut_jpeg, "PNG": is_cut_png}.get(file_format)
    if is_strips_short or (is_cut and is_cut(file, image)):
        stored.notes.append(_CUT)
    frames = _frames(image)
    if frames > 1 and image.format != "MPO":  # the first picture of an MPO is the photograph itself
        stored.notes.append(f"{frames} frames or pages: the first is used")
    return stored


def _frames(image: Image.Image) -> int:
    try:
        with _without_pillows_limit():
            return getattr(image, "n_frames", 1)
    except Exception:  # whatever is wrong with the others, the first one is whole
        return 1


def _keep_profile(profile: object, stored: Stored) -> None:
    if isinstance(profile, bytes):
        stored.icc_profile = profile
    elif profile is not None:
        stored.notes.append("its colour profile is none and is left out")


def _in_strips(image: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """The samples of a converted image, of which only a strip is there at a time."""
    image.load()
    width, height = image.size
    samples = None
    for top in range(0, height, _ROWS_AT_ONCE):
        strip = np.asarray(convert(cropped(image, (0, top, width, min(top + _ROWS_AT_ONCE, height)))))
        if samples is None:
            samples = np.empty((height, *strip.shape[1:]), strip.dtype)
        samples[top : top + len(strip)] = strip
    return samples


def _rawmode(image: Image.Image) -> str:
    """Pillow's name for the samples as they lie in the file, of which `mode` may keep only a part."""
    arguments = image.tile[0].args if image.tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _gray_or_rgb(image: Image.Image) -> Image.Image:
    target = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    return image.convert(target + "A" if image.has_transparency_data else target)


def _sixteen_bits(file: BinaryIO, image: Image.Image, file_format: str) -> np.ndarray:
    """Decodes uint16 [H, W, C].

    Pillow keeps only the high byte of 16-bit colour. Told the other byte order it keeps the low one, so
    that decoding twice gives both.
    """
    transparent = image.info.get("transparency")  # the one value that a PNG without alpha may leave out
    rawmode = _rawmode(image)
    is_premultiplied = rawmode.startswith("RGBa")
    if is_premultiplied:
        rawmode = rawmode.replace("RGBa", "RGBA")
        image = _relabelled(image, rawmode)
    if image.mode.startswith("I;16"):
        samples = np.asarray(image)[..., None]
    elif rawmode.startswith("LA"):
        # Gray and alpha of 16 bits are four bytes a pixel, as RGBA of 8 bits is.
        samples = np.asarray(_relabelled(image, "RGBA")).view(">u2")
    else:
        native_swapped = "B" if sys.byteorder == "little" else "L"
        swapped = rawmode[:-1] + {"B": "L", "L": "B", "N": native_swapped}[rawmode[-1]]
        high = np.asarray(image).astype(np.uint16) << 8
        again = open_header(file, file_format)
        if file_format == "TIFF":
            _prepare_tiff(again)
        samples = high | np.asarray(_relabelled(again, swapped))
    if is_premultiplied:
        samples = _divided_by_alpha(samples)
    if transparent is not None:
        opaque = (samples != np.asarray(transparent)).any(axis=-1, keepdims=True)
        samples = np.concatenate([samples, opaque * np.uint16(65535)], axis=-1)
    return samples


def _divided_by_alpha(samples: np.ndarray) -> np.ndarray:
    """The colours of premultiplied uint16 [H, W, 4]."""
    alpha = np.maximum(samples[..., 3:], 1).astype(np.uint32)
    colours = (samples[..., :3].astype(np.uint32) * 65535 + alpha // 2) // alpha
    return np.concatenate([np.minimum(colours, 65535).astype(np.uint16), samples[..., 3:]], axis=-1)


def _relabelled(image: Image.Image, rawmode: str) -> Image.Image:
    def arguments(old: Union[str, tuple]) -> Union[str, tuple]:
        return (rawmode, *old[1:]) if isinstance(old, tuple) else rawmode

    image.tile = [tile._replace(args=arguments(tile.args)) for tile in image.tile]
    return image


def _to_rgb_of_cmyk(profile: Optional[bytes], stored: Stored) -> Callable[[Image.Image], Image.Image]:
    """How to convert to sRGB: by the profile when it serves."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile or b""))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), "CMYK", "RGB")
    except (ImageCms.PyCMSError, OSError, TypeError):
        stored.notes.append("CMYK without a usable colour profile: colours are approximate")
        return lambda image: image.convert("RGB")
    return lambda image: ImageCms.applyTransform(image, transform)


def _by_tifffile(file: BinaryIO, pixel_limit: int, stored: Stored) -> Stored:
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages[0]
        check_size(page.imagewidth, page.imagelength, pixel_limit)
        white_is_zero, premultiplied = page.photometric == 0, 1 in page.extrasamples
        if page.photometric > 2 or page.axes not in ("YX", "YXS", "SYX") or premultiplied:
            raise UserError(
                "this layout of TIFF is not supported: save it as RGB, any alpha not premultiplied"
            )
        try:
            samples = np.moveaxis(np.atleast_3d(page.asarray()), 0 if page.axes == "SYX" else -1, -1)
        except Exception as error:
            if "imagecodecs" not in str(error):
                raise
            raise UserError(
                "this compression is not supported in a TIFF of this depth: save it with deflate or without"
            ) from error
        colours = 3 if page.photometric == 2 else 1
        has_alpha = 2 in page.extrasamples[:1]
        samples = samples[..., : colours + has_alpha]
        profile = page.tags[_COLOUR_PROFILE].value if _COLOUR_PROFILE in page.tags else None
        if sum(map(bool, page.databytecounts)) < math.prod(page.chunked):
            stored.notes.append(_CUT)
        pages = len(tiff.pages)
    if white_is_zero and samples.dtype.kind in "uf":
        samples = (np.iinfo(samples.dtype).max if samples.dtype.kind == "u" else 1) - samples
    if pages > 1:
        stored.notes.append(f"{pages} frames or pages: the first is used")
    stored.samples = samples
    _keep_profile(profile, stored)
    return stored
