"""The size and orientation of an image, read from its header without decoding the pixels."""

from __future__ import annotations

import contextlib
import io
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Union

from kind.errors import UserError
from kind.images.tiff_tags import ORIENTATION, orientation_in_xmp, read_tags, valid_orientation

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")

_WIDTH, _LENGTH = 256, 257  # TIFF's tags
_EXIF, _XMP_IN_JPEG = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_PNG_METADATA = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")
_EXIF_AS_TEXT, _XMP_IN_PNG = b"Raw profile type exif\0", b"XML:com.adobe.xmp\0"
_MOST_PARTS = 1 << 16  # chunks, segments or blocks; a file that has more is taken for damaged
_MOST_METADATA = 1 << 20  # bytes of EXIF or XMP, unpacked
_MOST_BETWEEN = 1 << 18  # bytes of a JPEG that belong to no segment
_STEP = 1 << 12
_MARKER = re.compile(rb"\xff[^\0\xff]")


class Header(NamedTuple):
    """The header of an image.

    Attributes:
        width: pixels in a row, as stored.
        height: rows, as stored.
        orientation: EXIF's, 1 to 8, still to be applied; 1 is upright, 5 to 8 swap width and height.
    """

    width: int
    height: int
    orientation: int

    @property
    def upright_size(self) -> tuple[int, int]:
        """(height, width) once the orientation is applied."""
        return (self.width, self.height) if self.orientation > 4 else (self.height, self.width)


#: Width and height as stored, or the whole header; EXIF data; an XMP packet.
_Read = tuple[Union[Header, tuple[int, int]], bytes, bytes]


def read_header(source: BinaryIO | bytes | str | Path) -> Header:
    """Reads size and orientation of a PNG, JPEG, WebP, BMP, TIFF or GIF.

    No pixel is decoded and no thumbnail or colour profile read: time and memory do not depend on the size of
    the picture. Of several frames or pages the first counts. An orientation that is missing, damaged, outside
    1 to 8, or stored as anything but a whole number is 1.

    Args:
        source: the file, open for reading; its bytes; or its path.

    Returns:
        The header; width and height are 1 or more.

    Raises:
        UserError: the format is not supported, or the header is damaged. The message does not name the file.
        OSError: the file cannot be read.

    Example:
        >>> height, width = read_header("night.jpg").upright_size
    """
    return read_header_and_metadata(source)[0]


def read_size(source: BinaryIO | bytes | str | Path) -> tuple[int, int]:
    """Reads width and height, as stored; as `read_header`, but metadata are passed over."""
    with _opened(source) as file:
        header, _, _ = _read(file, metadata=False)
    return header.width, header.height


def read_header_and_metadata(source: BinaryIO | bytes | str | Path) -> tuple[Header, bytes, bytes]:
    """As `read_header`, with the EXIF data (a TIFF structure) and the XMP packet; empty where there is none.

    Those of TIFF files, which have them everywhere, are left out.

    Raises:
        UserError: see `read_header`.
        OSError: likewise.
    """
    with _opened(source) as file:
        return _read(file, metadata=True)


def _read(file: BinaryIO, metadata: bool) -> tuple[Header, bytes, bytes]:
    file.seek(0)
    start = file.read(16)
    read = next((read for known, read, _ in _READERS if known(start)), None)
    if read is None:
        raise UserError(f"not an image of a known format: expects {', '.join(FORMATS)}")
    file.seek(0)
    try:
        size, exif, xmp = read(file, metadata)
    except (ValueError, struct.error, OverflowError) as error:
        raise UserError(f"the header is damaged or incomplete ({error})") from error
    exif, xmp = _without(_EXIF, exif), _without(_XMP_IN_JPEG, xmp)
    header = size if isinstance(size, Header) else Header(*size, _orientation(exif, xmp))
    if header.width < 1 or header.height < 1:
        raise UserError(f"the header says {header.width}x{header.height} pixels: damaged or incomplete")
    return header, exif, xmp


def _without(prefix: bytes, data: bytes) -> bytes:
    """The data behind a prefix, however often that is repeated."""
    start = 0
    while data.startswith(prefix, start):
        start += len(prefix)
    return data[start:]


def suffix_of(data: bytes) -> str:
    """The suffix that files like these have, such as ".jpg"; "" when the format is not known."""
    return next((suffix for known, _, suffix in _READERS if known(data[:16])), "")


def _opened(source: BinaryIO | bytes | str | Path) -> contextlib.AbstractContextManager[BinaryIO]:
    if isinstance(source, (str, Path)):
        return open(source, "rb")
    return io.BytesIO(source) if isinstance(source, bytes) else contextlib.nullcontext(source)


def _png(file: BinaryIO, metadata: bool) -> _Read:
    file.seek(8)
    length, kind, width, height = struct.unpack(">L4sLL", file.read(16))
    if kind != b"IHDR" or length < 13:
        raise ValueError("it does not begin with IHDR")
    if not metadata:
        return (width, height), b"", b""
    exif, xmp = None, None
    file.seek(8 + 12 + length)
    for kind, length in _chunks(file, ">L4s", kind_first=False, check=4):
        content = file.read(min(length, _MOST_METADATA)) if kind in _PNG_METADATA else b""
        # Of texts the first counts, even a damaged one: to unpack thousands would take minutes.
        if kind == b"eXIf":
            exif = content
        elif kind in (b"tEXt", b"zTXt") and exif is None and content.startswith(_EXIF_AS_TEXT):
            exif = _exif_of_text(content[len(_EXIF_AS_TEXT) :], is_packed=kind == b"zTXt")
        elif kind == b"iTXt" and xmp is None and content.startswith(_XMP_IN_PNG):
            xmp = _unpacked_itxt(content[len(_XMP_IN_PNG) :])
    return (width, height), exif or b"", xmp or b""


def _exif_of_text(content: bytes, is_packed: bool) -> bytes:
    """EXIF data as ImageMagick writes it: three lines, then hexadecimal digits."""
    if is_packed:
        content = _inflated(content[1:])
    try:
        return bytes.fromhex("".join(content.decode("latin-1").split("\n")[3:]))
    except ValueError:
        return b""


def _unpacked_itxt(content: bytes) -> bytes:
    is_packed, text = content[:1] == b"\1", content[2:].split(b"\0", 2)[-1]
    return _inflated(text) if is_packed else text


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _MOST_METADATA)
    except zlib.error:
        return b""


def _jpeg(file: BinaryIO, metadata: bool) -> _Read:
    file.seek(2)
    size, exif, xmp = (0, 0), b"", b""
    end, between = file.tell(), 0
    for _ in range(_MOST_PARTS):
        marker = _next_marker(file)
        between += file.tell() - end
        if between > _MOST_BETWEEN:
            raise ValueError("too much between its segments")
        if marker in (0xDA, 0xD9):  # the pixels begin, or there are none
            break
        end = file.tell()
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            continue
        (length,) = struct.unpack(">H", file.read(2))
        end = file.tell() + max(length - 2, 0)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            size = struct.unpack(">xHH", file.read(5))
            if not metadata:
                break
        elif marker == 0xE1 and metadata:
            content = file.read(end - file.tell())
            if content.startswith(_EXIF):
                exif = exif or content
            elif content.startswith(_XMP_IN_JPEG):
                xmp = xmp or content
        file.seek(end)
    height, width = size
    return (width, height), exif, xmp


def _next_marker(file: BinaryIO) -> int:
    """Reads up to the end of the next marker, over what does not belong there."""
    place, seen = file.tell(), b""
    for length in (2, *[_STEP] * (_MOST_BETWEEN // _STEP)):
        more = file.read(length)
        seen += more
        if found := _MARKER.search(seen):
            file.seek(place + found.end())
            return found[0][1]
        if len(more) < length:
            raise ValueError("cut off")
    raise ValueError("no marker")


def _webp(file: BinaryIO, metadata: bool) -> _Read:
    file.seek(12)
    size, exif, xmp = None, b"", b""
    for kind, length in _chunks(file, "<4sL", kind_first=True, check=0):
        if kind == b"VP8X" and size is None:
            content = file.read(10)
            size = [int.from_bytes(content[start : start + 3], "little") + 1 for start in (4, 7)]
            if not metadata:
                break
        elif kind == b"VP8 " and size is None:
            size = [value & 0x3FFF for value in struct.unpack("<6xHH", file.read(10))]
            break  # without VP8X there is no metadata
        elif kind == b"VP8L" and size is None:
            (bits,) = struct.unpack("<xL", file.read(5))
            size = [(bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1]
            break
        elif kind == b"EXIF":
            exif = exif or file.read(min(length, _MOST_METADATA))
        elif kind == b"XMP ":
            xmp = xmp or file.read(min(length, _MOST_METADATA))
    if size is None:
        raise ValueError("no picture in it")
    return (size[0], size[1]), exif, xmp


def _bmp(file: BinaryIO, _metadata: bool) -> _Read:
    file.seek(14)
    (length,) = struct.unpack("<L", file.read(4))
    width, height = struct.unpack("<HH", file.read(4)) if length == 12 else struct.unpack("<ll", file.read(8))
    return Header(width, abs(height), 1), b"", b""


def _tiff(file: BinaryIO, _metadata: bool) -> _Read:
    tags = read_tags(file, (_WIDTH, _LENGTH, ORIENTATION))
    header = Header(tags.get(_WIDTH, 0), tags.get(_LENGTH, 0), valid_orientation(tags.get(ORIENTATION)))
    return header, b"", b""


def _gif(file: BinaryIO, _metadata: bool) -> _Read:
    file.seek(6)
    width, height, flags = struct.unpack("<HHBxx", file.read(7))
    file.seek(_colour_table(flags), io.SEEK_CUR)
    parts = iter(range(_MOST_PARTS))
    for _ in parts:
        kind = file.read(1)
        if kind == b",":  # the first frame, which may reach beyond the screen
            left, top, columns, rows = struct.unpack("<HHHH", file.read(8))
            return Header(max(width, left + columns), max(height, top + rows), 1), b"", b""
        if kind != b"!":
            return Header(width, height, 1), b"", b""
        file.seek(1, io.SEEK_CUR)
        for _ in parts:
            length = file.read(1)
            if length in (b"\0", b""):
                break
            file.seek(length[0], io.SEEK_CUR)
    raise ValueError("too many blocks")


def _colour_table(flags: int) -> int:
    """Bytes of the colour table that the flags of a GIF announce."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _chunks(file: BinaryIO, form: str, *, kind_first: bool, check: int) -> Iterator[tuple[bytes, int]]:
    """Yields kind and length of each chunk from here on, with the file at its content.

    Args:
        file: at the beginning of a chunk.
        form: of the two numbers before the content.
        kind_first: whether the kind is the first of the two.
        check: bytes of the checksum behind the content; without one, contents have an even length.
    """
    for _ in range(_MOST_PARTS):
        head = file.read(8)
        if len(head) < 8:
            return
        first, second = struct.unpack(form, head)
        kind, length = (first, second) if kind_first else (second, first)
        end = file.tell() + length + (check or length % 2)
        yield kind, length
        file.seek(end)
    raise ValueError("too many chunks")


def _orientation(exif: bytes, xmp: bytes) -> int:
    """EXIF's orientation, else XMP's, else 1."""
    value = None
    with contextlib.suppress(ValueError, OverflowError):
        value = read_tags(io.BytesIO(exif), (ORIENTATION,)).get(ORIENTATION)
    return valid_orientation(orientation_in_xmp(xmp) if value is None else value)


_READERS = (
    (lambda start: start.startswith(b"\x89PNG\r\n\x1a\n"), _png, ".png"),
    (lambda start: start.startswith(b"\xff\xd8\xff"), _jpeg, ".jpg"),
    (lambda start: start[:4] == b"RIFF" and start[8:12] == b"WEBP", _webp, ".webp"),
    (lambda start: start.startswith(b"BM"), _bmp, ".bmp"),
    (lambda start: start[:4] in (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+"), _tiff, ".tif"),
    (lambda start: start.startswith((b"GIF87a", b"GIF89a")), _gif, ".gif"),
)
