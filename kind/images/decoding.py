"""From the bytes of an image file to the samples it stores, whatever their depth; for `photo.py` alone."""

import io
import re
import struct
import sys
import zlib
from dataclasses import dataclass, field
from typing import Optional, Union

import numpy as np
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from kind.errors import UserError

READABLE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")

_EIGHT_BIT_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr")
_SIXTEEN_BIT_COLOUR = re.compile("(LA|RGB|RGBA|RGBX);16[BLN]")
_ORIENTATION, _COLOUR_PROFILE = 0x0112, 34675  # EXIF shares the numbers of TIFF's tags
_BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANAR_CONFIGURATION, _SAMPLE_FORMAT = 258, 262, 284, 339
_SIGNED = 2  # of TIFF's sample formats


@dataclass
class Stored:
    """What a file stores, before any of it is interpreted.

    Attributes:
        samples: unsigned integer or float [H, W, C]; C = 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA.
        icc_profile: the profile of these very samples, of any colour space.
        orientation: the EXIF orientation still to be applied, 1 to 8.
        notes: what the user should be told.
    """

    samples: np.ndarray
    icc_profile: Optional[bytes] = None
    orientation: int = 1
    notes: list[str] = field(default_factory=list)


def stored_samples(data: bytes, pixel_limit: int) -> Stored:
    """Decodes an image file, at its full depth, to the samples of its first frame.

    Args:
        data: a whole PNG, JPEG, WebP, BMP, TIFF or GIF file.
        pixel_limit: a header that announces more pixels is refused before anything is decoded.

    Returns:
        The samples as stored, not yet upright.

    Raises:
        UserError: the format, the layout or the size is not supported. The message does not name the file.
        Exception: damaged data; Pillow and tifffile report it by many types (OSError, SyntaxError, …).
    """
    file_format = _format_of(data)
    data, notes = _without_long_parts(data) if file_format == "PNG" else (data, [])
    try:
        image = _open(data, file_format)
    except SyntaxError:
        if file_format != "TIFF":
            raise
        return _by_tifffile(data, pixel_limit)  # a layout that Pillow does not know, such as floats in RGB
    check_size(*image.size, pixel_limit)
    if _misread_by_pillow(image):
        return _by_tifffile(data, pixel_limit)
    stored = _by_pillow(data, image, file_format)
    stored.notes += notes
    return stored


def _format_of(data: bytes) -> str:
    Image.init()
    for known in READABLE_FORMATS:
        if Image.OPEN[known][1](data[:16]) is True:
            return known
    raise UserError(f"not an image of a known format: expects {', '.join(READABLE_FORMATS)}")


def _open(data: bytes, file_format: str) -> Image.Image:
    """Reads the header, as Image.open does, but without its process-wide pixel limit.

    That one warns from 89 megapixels and refuses from 179: less than some phones take.
    """
    return Image.OPEN[file_format][0](io.BytesIO(data), "")


def _without_long_parts(data: bytes) -> tuple[bytes, list[str]]:
    """A PNG without texts and profiles that unpack to more than Pillow takes, and what the user is told.

    For one of them Pillow refuses the picture, though its pixels are whole.
    """
    if not any(kind in data for kind in (b"zTXt", b"iTXt", b"iCCP")):
        return data, []
    parts, notes, start = [data[:8]], [], 8
    while start + 12 <= len(data):
        length, kind = struct.unpack_from(">L4s", data, start)
        end = start + 12 + length
        if not _is_long(kind, data[start + 8 : end - 4]):
            parts.append(data[start:end])
        elif kind == b"iCCP":
            notes.append("its colour profile is larger than 1 MiB and is left out")
        start = end
    return b"".join([*parts, data[start:]]), notes


def _is_long(kind: bytes, content: bytes) -> bool:
    """Whether a chunk is packed and unpacks to more than Pillow takes."""
    _, _, rest = content.partition(b"\0")
    if kind == b"iTXt" and rest[:1] == b"\1":
        packed = rest[2:].split(b"\0", 2)[-1]
    elif kind in (b"zTXt", b"iCCP"):
        packed = rest[1:]
    else:
        return False
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(packed, PngImagePlugin.MAX_TEXT_CHUNK)
    except zlib.error:  # Pillow leaves it out
        return False
    return bool(unpacking.unconsumed_tail)


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


def _by_pillow(data: bytes, image: Image.Image, file_format: str) -> Stored:
    stored = Stored(np.empty(0), image.info.get("icc_profile"))
    rawmode = _rawmode(image)
    if image.mode == "F":
        samples = np.asarray(image)
    elif rawmode == "I;12":
        samples = np.asarray(image) / np.float32(4095)
    elif image.mode.startswith("I;16") or _SIXTEEN_BIT_COLOUR.fullmatch(rawmode):
        samples = _sixteen_bits(data, image, file_format)
    elif image.mode == "CMYK":
        samples = np.asarray(_rgb_of_cmyk(image, stored))
    elif image.mode in _EIGHT_BIT_MODES:
        samples = np.asarray(_gray_or_rgb(image))
    else:
        raise UserError(f"{image.mode} pixels are not supported: save it as RGB")
    stored.samples = samples if samples.ndim == 3 else samples[..., None]
    stored.orientation = _orientation(image, stored)  # after decoding, which turns a TIFF upright by itself
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # the first picture of an MPO is the photograph itself
        stored.notes.append(f"{frames} frames or pages: the first is used")
    return stored


def _rawmode(image: Image.Image) -> str:
    """Pillow's name for the samples as they lie in the file, of which `mode` may keep only a part."""
    arguments = image.tile[0].args if image.tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _gray_or_rgb(image: Image.Image) -> Image.Image:
    target = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    return image.convert(target + "A" if image.has_transparency_data else target)


def _sixteen_bits(data: bytes, image: Image.Image, file_format: str) -> np.ndarray:
    """Decodes uint16 [H, W, C].

    Pillow keeps only the high byte of 16-bit colour. Told the other byte order it keeps the low one, so
    that decoding twice gives both.
    """
    transparent = image.info.get("transparency")  # the one value that a PNG without alpha may leave out
    rawmode = _rawmode(image)
    if image.mode.startswith("I;16"):
        samples = np.asarray(image)[..., None]
    elif rawmode.startswith("LA"):
        # Gray and alpha of 16 bits are four bytes a pixel, as RGBA of 8 bits is.
        samples = np.asarray(_relabelled(image, "RGBA")).view(">u2")
    else:
        native_swapped = "B" if sys.byteorder == "little" else "L"
        swapped = rawmode[:-1] + {"B": "L", "L": "B", "N": native_swapped}[rawmode[-1]]
        low = np.asarray(_relabelled(_open(data, file_format), swapped))
        samples = np.asarray(image).astype(np.uint16) << 8 | low
    if transparent is not None:
        opaque = (samples != np.asarray(transparent)).any(axis=-1, keepdims=True)
        samples = np.concatenate([samples, opaque * np.uint16(65535)], axis=-1)
    return samples


def _relabelled(image: Image.Image, rawmode: str) -> Image.Image:
    def arguments(old: Union[str, tuple]) -> Union[str, tuple]:
        return (rawmode, *old[1:]) if isinstance(old, tuple) else rawmode

    image.tile = [tile._replace(args=arguments(tile.args)) for tile in image.tile]
    return image


def _rgb_of_cmyk(image: Image.Image, stored: Stored) -> Image.Image:
    """Converts to sRGB, by the profile when it serves; either way the profile no longer fits the result."""
    image.load()
    profile, stored.icc_profile = stored.icc_profile, None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile or b""))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        stored.notes.append("CMYK without a usable colour profile: colours are approximate")
        return image.convert("RGB")


def _orientation(image: Image.Image, stored: Stored) -> int:
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # whatever is wrong with the metadata, the picture itself is whole
        stored.notes.append("its EXIF data is damaged: the orientation is unknown")
        return 1


def _by_tifffile(data: bytes, pixel_limit: int) -> Stored:
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
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
        tags = {code: page.tags[code].value for code in (_COLOUR_PROFILE, _ORIENTATION) if code in page.tags}
        pages = len(tiff.pages)
    if white_is_zero and samples.dtype.kind == "u":
        samples = np.iinfo(samples.dtype).max - samples
    notes = [f"{pages} frames or pages: the first is used"] if pages > 1 else []
    return Stored(samples, tags.get(_COLOUR_PROFILE), tags.get(_ORIENTATION, 1), notes)
