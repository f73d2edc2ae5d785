"""Pictures whose data end before their last row; the decoders fill the rest with one colour in silence."""

from __future__ import annotations

import math
import re
import struct
import zlib
from typing import BinaryIO

import numpy as np
from PIL import Image

from kind.images.pil import cropped

_MIDDLE_GREY = (127, 128)  # what a JPEG's block becomes that has no data (CMYK: 127)
_BLOCK, _TALLEST_UNIT = 8, 16  # pixels
_SMALLER = 8  # times, at which decoding a JPEG again costs nearly nothing
_MARK = 1  # a level that no grey block has
_MARKER_AFTER_PIXELS = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_PADDING = bytes(16)  # a decoder looks so far ahead; of these it could make some blocks, but no row
_SEQUENTIAL = (0xC0, 0xC1)
_CHUNK = 1 << 20


def is_cut_jpeg(file: BinaryIO, image: Image.Image) -> bool:
    """Whether the last rows of a JPEG are not in the file, which ends with an end marker all the same.

    Args:
        file: the JPEG.
        image: what Pillow made of it, loaded.
    """
    width, height = image.size
    corner = np.asarray(cropped(image, (max(0, width - _BLOCK), max(0, height - _BLOCK), width, height)))
    if not np.isin(corner, _MIDDLE_GREY).all():
        return False
    file.seek(0)
    data = file.read()
    pixels = _sequential_pixels(data)
    if pixels is None:  # of a progressive one only the grey itself tells
        last = np.asarray(cropped(image, (0, max(0, height - _TALLEST_UNIT), width, height)))
        return bool(np.isin(last, _MIDDLE_GREY).all())
    end = _MARKER_AFTER_PIXELS.search(data, pixels)
    return _ends_early(image, data[: end.start() if end else len(data)])


def _sequential_pixels(data: bytes) -> int | None:
    """Where the pixels of a JPEG with one sequential scan begin; None in any other."""
    place, components = 2, 0
    while place + 4 <= len(data):
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if data[place] != 0xFF:
            return None
        if marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD8:
            place += 1 if marker == 0xFF else 2
            continue
        if marker in _SEQUENTIAL and place + 9 < len(data):
            components = data[place + 9]
        elif marker == 0xDA:
            return place + 2 + length if components and data[place + 4] == components else None
        place += 2 + length
    return None


def _ends_early(image: Image.Image, data: bytes) -> bool:
    """Whether a decoder that sees no end marker still waits for the last row."""
    width, height = (-(-side // _SMALLER) for side in image.size)
    colour = tuple([_MARK] * len(image.getbands()))
    smaller = Image.new(image.mode, (width, height), colour if len(colour) > 1 else _MARK)
    decoder = Image._getdecoder(image.mode, "jpeg", (image.mode, ""), (_SMALLER, 0))
    decoder.setimage(smaller.im, (0, 0, width, height))
    decoder.decode(data + _PADDING)
    return bool((np.asarray(cropped(smaller, (width - 1, height - 1, width, height))) == _MARK).all())


def is_cut_png(file: BinaryIO, image: Image.Image) -> bool:
    """Whether a PNG unpacks to fewer rows than its header announces.

    Args:
        file: the PNG.
        image: what Pillow made of it, loaded.
    """
    width, height = image.size
    if np.asarray(cropped(image, (width - 1, height - 1, width, height))).any():
        return False
    file.seek(16)
    width, height, depth, colour, _, _, is_interlaced = struct.unpack(">LLBBBBB", file.read(13))
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    sizes = _passes(width, height) if is_interlaced else [(width, height)]
    expected = sum(rows * (1 + math.ceil(columns * bits / 8)) for columns, rows in sizes if columns and rows)
    return _unpacked_pixels(file, expected) < expected


def _passes(width: int, height: int) -> list[tuple[int, int]]:
    """Columns and rows of Adam7's passes."""
    steps = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    return [
        (max(0, -(-(width - left) // across)), max(0, -(-(height - top) // down)))
        for left, top, across, down in steps
    ]


def _unpacked_pixels(file: BinaryIO, most: int) -> int:
    """Bytes that the IDAT chunks unpack to."""
    unpacking, total, start = zlib.decompressobj(), 0, 8
    while total < most:
        file.seek(start)
        head = file.read(8)
        if len(head) < 8:
            break
        length, kind = struct.unpack(">L4s", head)
        start += 12 + length
        while kind == b"IDAT" and length > 0:
            packed = file.read(min(length, _CHUNK))
            length -= _CHUNK
            while packed:
                total += len(unpacking.decompress(packed, _CHUNK))
                packed = unpacking.unconsumed_tail
            if unpacking.eof:
                return total
    return total


def has_missing_strips(image: Image.Image) -> bool:
    """Whether a TIFF has fewer strips than its rows need; asked before its pixels are read."""
    return max((tile.extents[3] for tile in image.tile), default=0) < image.size[1]
