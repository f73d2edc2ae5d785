"""The directory of a ZIP archive, looked at before `zipfile` reads all of it."""

from __future__ import annotations

import struct
from typing import BinaryIO

_END, _END_SIZE, _LONGEST_COMMENT = b"PK\5\6", 22, 0xFFFF


def directory_of(file: BinaryIO) -> tuple[int, int]:
    """Number of entries of a ZIP archive, and length of its directory in bytes, from the archive's end.

    Raises:
        ValueError: it is no archive, or one of several parts or of more than 65,534 entries (ZIP64).
        OSError: it cannot be read.
    """
    length = file.seek(0, 2)
    file.seek(max(0, length - _LONGEST_COMMENT - _END_SIZE))
    tail = file.read()
    start = tail.rfind(_END)
    if start < 0 or len(tail) - start < _END_SIZE:
        raise ValueError("File is not a zip file")
    disk, _, entries, total, size = struct.unpack("<4HI", tail[start + 4 : start + 16])
    if disk or entries != total or b"PK\6\7" in tail[max(0, start - 20) : start]:
        raise ValueError(f"its directory of {total} entries is of several parts, or ZIP64")
    return total, size
