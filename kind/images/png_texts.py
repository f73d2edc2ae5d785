"""PNG files without the texts in them, which may unpack to more than Pillow takes."""

from __future__ import annotations

import io
import struct
import zlib
from typing import BinaryIO

_SIGNATURE = 8  # bytes
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_LONGEST_TEXT, _LONGEST_TEXTS = 1 << 20, 1 << 26  # bytes unpacked, each and together: Pillow's own limits
_MOST_READ = 1 << 22  # bytes of a packed part; zlib shrinks a MiB of anything to less
_MOST_CHUNKS = 1 << 20


def without_texts(file: BinaryIO) -> tuple[BinaryIO, list[str]]:
    """A PNG without its texts, none of which is used, and without a colour profile that is too large.

    For one text of more than 1 MiB, or 64 MiB of them, Pillow refuses the picture, though its pixels are
    whole.

    Args:
        file: the PNG.

    Returns:
        A file to read instead, and what the user is told.
    """
    spans, notes, unpacked, is_long = [(0, _SIGNATURE)], [], 0, False
    start = _SIGNATURE
    for _ in range(_MOST_CHUNKS):
        file.seek(start)
        head = file.read(8)
        if len(head) < 8:
            break
        length, kind = struct.unpack(">L4s", head)
        end = start + 12 + length
        if kind in _TEXTS:
            size = _unpacked_size(kind, file.read(min(length, _MOST_READ)))
            unpacked, is_long = unpacked + size, is_long or (kind != b"tEXt" and size > _LONGEST_TEXT)
        elif kind == b"iCCP" and _unpacked_size(kind, file.read(min(length, _MOST_READ))) > _LONGEST_TEXT:
            notes.append("its colour profile is larger than 1 MiB and is left out")
        elif spans[-1][1] == start:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
        start = end
        if kind == b"IEND":
            break
    else:
        raise ValueError("too many chunks")
    if is_long or unpacked > _LONGEST_TEXTS:
        notes.append("the texts in it are larger than a picture's and are left out")
    return (file if len(spans) == 1 else io.BufferedReader(_Spans(file, spans))), notes


def _unpacked_size(kind: bytes, content: bytes) -> int:
    """Bytes that a chunk unpacks to, counted no further than the limit of one."""
    _, _, rest = content.partition(b"\0")
    if kind == b"iTXt" and rest[:1] == b"\1":
        packed = rest[2:].split(b"\0", 2)[-1]
    elif kind in (b"zTXt", b"iCCP"):
        packed = rest[1:]
    else:
        return len(rest)
    try:
        return len(zlib.decompressobj().decompress(packed, _LONGEST_TEXT + 1))
    except zlib.error:  # Pillow leaves it out
        return 0


class _Spans(io.RawIOBase):
    """Parts of a file, one behind the other."""

    def __init__(self, file: BinaryIO, spans: list[tuple[int, int]]) -> None:
        self._file, self._spans, self._place = file, spans, 0
        self._length = sum(end - start for start, end in spans)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._length}[whence]
        self._place = max(0, origin + offset)
        return self._place

    def readinto(self, buffer) -> int:
        skipped = self._place
        for start, end in self._spans:
            if skipped < end - start:
                self._file.seek(start + skipped)
                data = self._file.read(min(len(buffer), end - start - skipped))
                buffer[: len(data)] = data
                self._place += len(data)
                return len(data)
            skipped -= end - start
        return 0
