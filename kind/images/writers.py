"""PNG of 16 bits in a sample, and TIFF, which Pillow cannot write in colour or not with EXIF data.

For `encoding.py` alone.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IFDRational, ImageFileDirectory_v2

from kind.images.metadata import Metadata, tiff_tags, tolerant

_LONG, _UNDEFINED = 4, 7  # TIFF's types
_START = b"II*\0\x08\0\0\0"  # of a TIFF whose first directory follows at once
_METRE = 0.0254  # of an inch
_DEFLATE, _HORIZONTAL = 8, 2  # TIFF's compression and predictor
_ICC_PROFILE, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _INCH = 34675, 282, 283, 296, 2


def write_png(
    file: BinaryIO,
    strips: Iterable[np.ndarray],
    size: tuple[int, int],
    profile: bytes | None,
    metadata: Metadata,
) -> None:
    """Writes a PNG of 16 bits.

    Args:
        file: open for writing.
        strips: uint16 [rows, W, C], from the top on; C is 3, or 4 with opacity.
        size: height and width.
        profile: ICC.
        metadata: EXIF, XMP and resolution are written.
    """
    strips = iter(strips)
    first = next(strips)
    file.write(b"\x89PNG\r\n\x1a\n")
    colour_type = 6 if first.shape[2] == 4 else 2
    _chunk(file, b"IHDR", struct.pack(">LLBBBBB", size[1], size[0], 16, colour_type, 0, 0, 0))
    if profile:
        _chunk(file, b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
    if metadata.dpi:
        _chunk(file, b"pHYs", struct.pack(">LLB", *(round(value / _METRE) for value in metadata.dpi), 1))
    if metadata.exif:
        _chunk(file, b"eXIf", metadata.exif)
    if metadata.xmp:
        _chunk(file, b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp)
    packer, above = zlib.compressobj(4), None
    for strip in _with_first(first, strips):
        rows = np.ascontiguousarray(strip.astype(">u2")).view(np.uint8).reshape(len(strip), -1)
        before = np.zeros_like(rows[:1]) if above is None else above
        above = rows[-1:]
        # Filter 2, up: what a row adds to the one above it.
        filtered = rows - np.concatenate([before, rows[:-1]])
        lines = np.concatenate([np.full((len(rows), 1), 2, np.uint8), filtered], axis=1)
        if data := packer.compress(lines.tobytes()):
            _chunk(file, b"IDAT", data)
    _chunk(file, b"IDAT", packer.flush())
    _chunk(file, b"IEND", b"")


def write_tiff(
    file: BinaryIO,
    strips: Iterable[np.ndarray],
    size: tuple[int, int],
    profile: bytes | None,
    metadata: Metadata,
) -> None:
    """Writes a TIFF of uint8 or uint16, compressed; see `write_png`. IPTC is written, too."""
    packed, rows, channels, bits = [], 0, 3, 8
    for strip in strips:
        rows, channels, bits = max(rows, len(strip)), strip.shape[2], 8 * strip.itemsize
        steps = strip.astype(strip.dtype.newbyteorder("<"))
        steps[:, 1:] -= strip[:, :-1]
        packed.append(zlib.compress(steps.tobytes(), 4))
    sizes = tuple(map(len, packed))
    layout = {256: size[1], 257: size[0], 258: (bits,) * channels, 259: _DEFLATE, 262: 2, 277: channels}
    layout |= {278: rows, 279: sizes, 284: 1, 317: _HORIZONTAL, 339: (1,) * channels}
    layout[273] = tuple(int(start) for start in np.cumsum((0, *sizes[:-1])))
    if channels == 4:
        layout[338] = 2
    if profile:
        layout[_ICC_PROFILE] = profile
    if metadata.dpi:
        across, down = map(IFDRational, metadata.dpi)
        layout |= {_X_RESOLUTION: across, _Y_RESOLUTION: down, _RESOLUTION_UNIT: _INCH}
    directory, described = b"", tiff_tags(metadata)
    with tolerant():  # Pillow cannot write everything that it reads of damaged EXIF data
        directory = _directory(layout, described)
    directory = directory or _directory(layout, None)
    file.write(_START)
    file.write(directory)
    for data in packed:
        file.write(data)


def _directory(layout: Mapping[int, object], described: Image.Exif | None) -> bytes:
    """The first directory of a TIFF, which lies at byte 8; its strips follow it."""
    tags = ImageFileDirectory_v2(_START)
    for tag in described or ():
        tags[tag] = described.get_ifd(tag) if tag in described._ifds else described[tag]
    for tag, value in layout.items():
        tags[tag] = value
    tags.tagtype.update({273: _LONG, 279: _LONG, _ICC_PROFILE: _UNDEFINED})
    return tags.tobytes(8)


def _with_first(first: np.ndarray, rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from rest


def _chunk(file: BinaryIO, kind: bytes, content: bytes) -> None:
    file.write(struct.pack(">L", len(content)) + kind + content)
    file.write(struct.pack(">L", zlib.crc32(kind + content)))
