"""What a file says of its photograph beside the pixels: camera, date, place, copyright, resolution."""

from __future__ import annotations

import contextlib
import re
import struct
import threading
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from PIL import Image, JpegImagePlugin

#: What a TIFF's first directory says of the photograph; the rest says how the pixels lie in the file.
_DESCRIBING = (270, 271, 272, 305, 306, 315, 316, 18246, 33432)
_EXIF_DIRECTORY, _GPS_DIRECTORY, _XMP, _IPTC = 34665, 34853, 700, 33723
_ORIENTATION, _PIXEL_WIDTH, _PIXEL_HEIGHT = 0x0112, 0xA002, 0xA003
_MAKER_NOTE = 37500
_RESOLUTIONS, _RESOLUTION_UNIT = (282, 283), 296
_RESOLUTION_UNITS = {2: 1.0, 3: 2.54}  # an inch in inches and in centimetres
_IPTC_RESOURCE = 0x0404  # of Photoshop's image resources in a JPEG
_SHORT, _LONG = 3, 4
_MOST_BYTES = 1 << 20  # of a part: more is no description of a photograph
_MOST_IN_JPEG = 65_000  # bytes of a segment
_ORIENTATION_IN_XMP = re.compile(rb'(tiff:Orientation(?:="|>))[0-9]')


_warnings = threading.Lock()  # what is done about them is the same for all threads


class JpegSettings(NamedTuple):
    """How a JPEG was compressed.

    Attributes:
        tables: quantization tables, of 64 numbers from 1 to 255 each.
        subsampling: of colour as Pillow numbers it: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0.
        progressive: whether it was.
    """

    tables: tuple[tuple[int, ...], ...]
    subsampling: int
    progressive: bool


@dataclass(frozen=True)
class Metadata:
    """What survives until the photograph is written again. Parts that are damaged or very large do not.

    Attributes:
        exif: a TIFF structure, without the six letters that JPEG puts before it; its orientation is 1, and
            it leads to no thumbnail.
        xmp: the packet; its orientation is 1.
        iptc: records of IPTC's Information Interchange Model.
        dpi: pixels in an inch, across and down.
        jpeg: how it was compressed, None of other formats.
        modified: the date of the file in nanoseconds since 1970; None of what is no file.
    """

    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    dpi: tuple[float, float] | None = None
    jpeg: JpegSettings | None = None
    modified: int | None = None

    def stripped(self) -> Metadata:
        """The same without what tells of the photograph; how it was compressed stays."""
        return Metadata(jpeg=self.jpeg)


def metadata_of(
    image: Image.Image, file: BinaryIO, exif: bytes, xmp: bytes, size: tuple[int, int]
) -> Metadata:
    """Collects the metadata of an image.

    Args:
        image: as Pillow has opened it.
        file: the file of a TIFF.
        exif: from the header.
        xmp: from the header.
        size: width and height of the picture once it is upright.
    """
    iptc = b""
    with tolerant():
        if image.format == "TIFF":
            exif, xmp, iptc = _of_tiff(image, file)
        elif image.format in ("JPEG", "MPO"):
            iptc = image.info.get("photoshop", {}).get(_IPTC_RESOURCE, b"")
    parts = [part if len(part) <= _MOST_BYTES else b"" for part in (exif, xmp, iptc)]
    jpeg = None
    with tolerant():
        jpeg = _jpeg_settings(image)
    return Metadata(
        upright_exif(parts[0], size),
        upright_xmp(parts[1]),
        parts[2],
        _dpi(image.info.get("dpi")),
        jpeg,
    )


def metadata_of_tiff(file: BinaryIO, size: tuple[int, int]) -> Metadata:
    """Collects the metadata of a TIFF that Pillow cannot open.

    Args:
        file: all of it.
        size: width and height of the picture once it is upright.
    """
    exif = xmp = iptc = b""
    dpi = None
    with tolerant():
        stored = _tags_of(file)
        exif, xmp, iptc = _described(stored), _as_bytes(stored.get(_XMP)), _as_bytes(stored.get(_IPTC))
        of_an_inch = _RESOLUTION_UNITS[stored.get(_RESOLUTION_UNIT, 2)]
        dpi = _dpi([float(stored[tag]) * of_an_inch for tag in _RESOLUTIONS])
    parts = [part if len(part) <= _MOST_BYTES else b"" for part in (exif, xmp, iptc)]
    return Metadata(upright_exif(parts[0], size), upright_xmp(parts[1]), parts[2], dpi)


def upright_xmp(xmp: bytes) -> bytes:
    """An XMP packet whose orientation is 1, if it names one."""
    return _ORIENTATION_IN_XMP.sub(rb"\g<1>1", xmp)


@contextlib.contextmanager
def tolerant() -> Iterator[None]:
    """Gives up on metadata that is damaged: Pillow raises many types, and warns."""
    with _warnings, warnings.catch_warnings(), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")
        yield


def _of_tiff(image: Image.Image, file: BinaryIO) -> tuple[bytes, bytes, bytes]:
    """EXIF, XMP and IPTC of a TIFF; its own directory is that of the EXIF data, too."""
    kept = Image.Exif()
    _describe(kept, _tags_of(file))
    exif = kept.tobytes() if len(kept) else b""
    xmp, iptc = (_as_bytes(image.tag_v2.get(tag)) for tag in (_XMP, _IPTC))
    return exif.removeprefix(b"Exif\0\0"), xmp, iptc


def described_by_tiff(file: BinaryIO) -> tuple[bytes, bytes]:
    """EXIF and XMP of a file that is a TIFF structure, such as a raw file; its maker's notes are left out.

    Raises:
        Exception: it is damaged; Pillow raises many types.
    """
    stored = _tags_of(file)
    return _described(stored), _as_bytes(stored.get(_XMP))


def _tags_of(file: BinaryIO) -> Image.Exif:
    """The tags of a TIFF structure's first directory."""
    stored = Image.Exif()
    file.seek(0)
    stored.load_from_fp(file)
    return stored


def _described(stored: Image.Exif) -> bytes:
    """EXIF data of what tells of the photograph, without its maker's notes."""
    kept = Image.Exif()
    _describe(kept, stored)
    kept._ifds.get(_EXIF_DIRECTORY, {}).pop(_MAKER_NOTE, None)  # large, and full of places in its file
    exif = kept.tobytes() if len(kept) else b""
    return exif.removeprefix(b"Exif\0\0")


def _describe(tags: Image.Exif, stored: Image.Exif) -> None:
    """Takes over what tells of the photograph, and the directories of EXIF and place."""
    for tag in _DESCRIBING:
        if tag in stored:
            tags[tag] = stored[tag]
    for tag in (_EXIF_DIRECTORY, _GPS_DIRECTORY):
        if below := dict(stored.get_ifd(tag)):
            tags._ifds[tag] = below
            tags[tag] = 0  # the place, which is known once it is written


def _as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else b""


def _jpeg_settings(image: Image.Image) -> JpegSettings | None:
    if image.format not in ("JPEG", "MPO"):
        return None
    tables = tuple(tuple(table) for _, table in sorted(image.quantization.items()))
    sound = all(len(table) == 64 and min(table) > 0 and max(table) < 256 for table in tables)
    if not 1 <= len(tables) <= 3 or not sound:
        return None
    subsampling = JpegImagePlugin.get_sampling(image)
    is_progressive = bool(image.info.get("progressive"))
    return JpegSettings(tables, subsampling if subsampling in (0, 1, 2) else 0, is_progressive)


def _dpi(value: Any) -> tuple[float, float] | None:
    with contextlib.suppress(TypeError, ValueError, ZeroDivisionError):
        across, down = map(float, value)
        if 1 <= across <= 65_535 and 1 <= down <= 65_535:
            return across, down
    return None


def upright_exif(exif: bytes, size: tuple[int, int]) -> bytes:
    """EXIF data of a picture that has been turned upright: everything else stays where it is.

    Args:
        exif: a TIFF structure, or nothing.
        size: width and height of the upright picture.

    Returns:
        As many bytes, with orientation 1, this size, and no way to the thumbnail, which shows the picture as
        it was; nothing when the structure is damaged.
    """
    data = bytearray(exif.removeprefix(b"Exif\0\0"))
    try:
        order = {b"II": "<", b"MM": ">"}[bytes(data[:2])]
        magic, first = struct.unpack_from(f"{order}HL", data, 2)
        if magic != 42:
            return b""
        below = _set(data, order, first, {_ORIENTATION: 1})
        (count,) = struct.unpack_from(f"{order}H", data, first)
        struct.pack_into(f"{order}L", data, first + 2 + 12 * count, 0)
        if below is not None:
            with contextlib.suppress(struct.error):
                _set(data, order, below, {_PIXEL_WIDTH: size[0], _PIXEL_HEIGHT: size[1]})
    except (KeyError, struct.error):
        return b""
    return bytes(data)


def _set(data: bytearray, order: str, start: int, values: Mapping[int, int]) -> int | None:
    """Sets whole numbers in a directory; returns where the directory of EXIF's own tags is."""
    (count,) = struct.unpack_from(f"{order}H", data, start)
    below = None
    for place in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(f"{order}HHL", data, place)
        if tag in values and number == 1 and kind in (_SHORT, _LONG):
            is_short = kind == _SHORT and values[tag] < 1 << 16
            struct.pack_into(f"{order}H", data, place + 2, _SHORT if is_short else _LONG)
            form = f"{order}Hxx" if is_short else f"{order}L"
            struct.pack_into(form, data, place + 8, values[tag])
        elif tag == _EXIF_DIRECTORY and kind == _LONG:
            (below,) = struct.unpack_from(f"{order}L", data, place + 8)
    return below


def save_options(metadata: Metadata, kind: str) -> dict[str, Any]:
    """What Pillow's `save` takes to write metadata, but for TIFF.

    Args:
        metadata: of the photograph.
        kind: "jpg", "jpeg", "png", "webp", "avif", "heic", "heif" or "bmp".
    """
    is_jpeg = kind in ("jpg", "jpeg")
    most = _MOST_IN_JPEG if is_jpeg else _MOST_BYTES
    options: dict[str, Any] = {}
    if metadata.dpi and kind in ("jpg", "jpeg", "png", "bmp"):
        options["dpi"] = metadata.dpi
    if kind == "bmp":
        return options
    if metadata.exif and len(metadata.exif) <= most:
        options["exif"] = b"Exif\0\0" + metadata.exif
    if metadata.xmp and len(metadata.xmp) <= most:
        if kind == "png":
            from PIL.PngImagePlugin import PngInfo

            options["pnginfo"] = PngInfo()
            options["pnginfo"].add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
        else:
            options["xmp"] = metadata.xmp
    if is_jpeg and metadata.iptc and len(metadata.iptc) <= most:
        options["extra"] = _iptc_segment(metadata.iptc)
    return options


def _iptc_segment(iptc: bytes) -> bytes:
    """A JPEG segment with IPTC records, as Photoshop writes them."""
    resource = struct.pack(">4sHHL", b"8BIM", _IPTC_RESOURCE, 0, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    content = b"Photoshop 3.0\0" + resource
    return struct.pack(">2sH", b"\xff\xed", len(content) + 2) + content


def tiff_tags(metadata: Metadata) -> Image.Exif | None:
    """What a TIFF's first directory says of the photograph; None when it is nothing."""
    tags = Image.Exif()
    with tolerant():
        if metadata.exif:
            stored = Image.Exif()
            stored.load(b"Exif\0\0" + metadata.exif)
            _describe(tags, stored)
    if metadata.xmp:
        tags[_XMP] = metadata.xmp
    if metadata.iptc:
        tags[_IPTC] = metadata.iptc
    return tags if len(tags) else None
