"""Whole numbers in the directories of a TIFF structure, which TIFF files and EXIF data share."""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterator
from typing import BinaryIO

ORIENTATION = 0x0112
PHOTOMETRIC = 262
SUB_DIRECTORIES = 330

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
_MOST_BELOW = 16
_PLACES = {4: "L", 13: "L", 16: "Q", 18: "Q"}  # types of places
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
    return _read_directory(file, *_first_directory(file), wanted)


def directories(file: BinaryIO, wanted: Collection[int]) -> Iterator[dict[int, int]]:
    """As `read_tags`, of the first directory and of those that it lists below itself (tag 330), 16 at most.

    Yields:
        The values by tag, of one directory after another.

    Raises:
        ValueError: the structure is no TIFF, or is cut off.
    """
    order, is_big, first = _first_directory(file)
    yield _read_directory(file, order, is_big, first, wanted)
    for place in _below(file, order, is_big, first):
        yield _read_directory(file, order, is_big, place, wanted)


def _first_directory(file: BinaryIO) -> tuple[str, bool, int]:
    """Byte order, whether places have eight bytes, and the place of the first directory."""
    order = {b"II": "<", b"MM": ">"}.get(file.read(2))
    if order is None:
        raise ValueError("no byte order mark")
    magic = _unpack(file, order, "H")[0]
    if magic == _BIG:
        _, _, directory = _unpack(file, order, "HHQ")
        if directory > _FARTHEST:
            raise ValueError("a directory beyond the end")
        return order, True, directory
    if magic == _CLASSIC or magic == _CLASSIC << 8:
        return order, False, _unpack(file, order, "L")[0]
    raise ValueError(f"not a TIFF structure: {magic}")


def _entries(
    file: BinaryIO, order: str, is_big: bool, directory: int
) -> Iterator[tuple[int, int, int, bytes]]:
    """Tag, type, number of values, and the values or their place, of each entry."""
    file.seek(directory)
    count = _unpack(file, order, "Q" if is_big else "H")[0]
    entry = struct.Struct(f"{order}HHQ8s" if is_big else f"{order}HHL4s")
    data = file.read(min(count, _MOST_ENTRIES) * entry.size)
    return entry.iter_unpack(data[: len(data) // entry.size * entry.size])


def _read_directory(
    file: BinaryIO, order: str, is_big: bool, directory: int, wanted: Collection[int]
) -> dict[int, int]:
    found = {}
    for tag, kind, values, content in _entries(file, order, is_big, directory):
        if tag in wanted and tag not in found and kind in _INTEGERS and values == 1:
            form = struct.Struct(order + _INTEGERS[kind])
            if form.size <= len(content):
                found[tag] = form.unpack_from(content)[0]
    return found


def _below(file: BinaryIO, order: str, is_big: bool, directory: int) -> list[int]:
    """Places of the directories that a directory lists."""
    for tag, kind, values, content in _entries(file, order, is_big, directory):
        if tag == SUB_DIRECTORIES and kind in _PLACES:
            form = struct.Struct(f"{order}{min(values, _MOST_BELOW)}{_PLACES[kind]}")
            if form.size > len(content):
                file.seek(struct.unpack(f"{order}{'Q' if is_big else 'L'}", content)[0])
                content = file.read(form.size)
            return [place for place in form.unpack_from(content) if place <= _FARTHEST]
    return []


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
