"""Whole numbers in the first directory of a TIFF structure, which TIFF files and EXIF data share."""

from __future__ import annotations

import re
import struct
from collections.abc import Collection
from typing import BinaryIO

ORIENTATION = 0x0112

_INTEGERS = {
    3: "H",
    4: "L",
    6: "b",
    8: "h",
    9: "l",
    16: "Q",
}  # by type; text, bytes and fractions are left out
_CLASSIC, _BIG = 42, 43
_MOST_ENTRIES = 65_535
_FARTHEST = 1 << 40  # bytes; file systems have other limits, from 16 TiB on
_ORIENTATION_IN_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


def read_tags(file: BinaryIO, wanted: Collection[int]) -> dict[int, int]:
    """Reads numbers from the first directory.

    Args:
        file: a TIFF structure, from its byte order mark on; other places may lie anywhere in it.
        wanted: tags.

    Returns:
        The values by tag; those that are missing, of another type or of several values are left out.

    Raises:
        ValueError: the structure is no TIFF, or is cut off.
    """
    order = {b"II": "<", b"MM": ">"}.get(file.read(2))
    if order is None:
        raise ValueError("no byte order mark")
    magic = _unpack(file, order, "H")[0]
    if magic == _BIG:
        _, _, directory = _unpack(file, order, "HHQ")
        if directory > _FARTHEST:
            raise ValueError("a directory beyond the end")
        file.seek(directory)
        count, entry = _unpack(file, order, "Q")[0], struct.Struct(f"{order}HHQ8s")
    elif magic == _CLASSIC or magic == _CLASSIC << 8:
        (directory,) = _unpack(file, order, "L")
        file.seek(directory)
        count, entry = _unpack(file, order, "H")[0], struct.Struct(f"{order}HHL4s")
    else:
        raise ValueError(f"not a TIFF structure: {magic}")
    data = file.read(min(count, _MOST_ENTRIES) * entry.size)
    found = {}
    for tag, kind, values, content in entry.iter_unpack(data[: len(data) // entry.size * entry.size]):
        if tag in wanted and tag not in found and kind in _INTEGERS and values == 1:
            form = struct.Struct(order + _INTEGERS[kind])
            if form.size <= len(content):
                found[tag] = form.unpack_from(content)[0]
    return found


def valid_orientation(value: int | None) -> int:
    """1 to 8 as they are; 1 for everything else."""
    return value if value is not None and 1 <= value <= 8 else 1


def orientation_in_xmp(text: bytes) -> int | None:
    """The orientation that an XMP packet names; None when it names none."""
    found = _ORIENTATION_IN_XMP.search(text)
    return int(found[1]) if found else None


def _unpack(file: BinaryIO, order: str, codes: str) -> tuple[int, ...]:
    form = struct.Struct(order + codes)
    data = file.read(form.size)
    if len(data) < form.size:
        raise ValueError("cut off")
    return form.unpack(data)
