"""Photographs in a ZIP archive: listed from its directory, and unpacked one at a time into memory.

Nothing is written anywhere, and nothing is trusted: number, names and sizes of the entries are checked first,
and none is unpacked past the size that the directory gave.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Callable, NamedTuple

from kind.errors import one_line
from kind.images.fetching import MOST_BYTES
from kind.images.finding import natural_order
from kind.images.photo import PHOTO_SUFFIXES, ImageError
from kind.images.zip_directory import directory_of

ZIP_SUFFIX = ".zip"

_LARGEST_DIRECTORY, _MOST_ENTRIES = 16 << 20, 10_000
_MOST_TOGETHER = 64 << 30  # bytes, unpacked: a photograph after the other
_LONGEST_NAME = 1024
_DRIVE = re.compile("[A-Za-z]:")
# Those that turn the direction of writing, too.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_NOT_SHOWN = "__MACOSX"  # attributes of files that macOS adds
_DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    zlib.error,
    zipfile.BadZipFile,
    struct.error,
)


class Zipped(NamedTuple):
    """A photograph in an archive.

    Attributes:
        place: its path there, relative and without "..".
        read: unpacks it; ImageError when it is damaged.
    """

    place: PurePosixPath
    read: Callable[[], bytes]


def is_zip(path: Path) -> bool:
    """Whether a file is called an archive; its content is not looked at."""
    return path.suffix.lower() == ZIP_SUFFIX and path.is_file()


def photos_in_zip(path: Path) -> tuple[list[Zipped], list[PurePosixPath]]:
    """Lists the photographs in an archive, in all of its folders.

    Args:
        path: the archive.

    Returns:
        At least one photograph, in natural order, and what is none; hidden entries are left out.

    Raises:
        ImageError: it is no archive, holds no photograph, or holds what no archive of photographs holds. The
            message names the archive.
    """
    try:
        with path.open("rb") as file:
            count, size = directory_of(file)
            if count > _MOST_ENTRIES or size > _LARGEST_DIRECTORY:
                raise ImageError(
                    f"{path}: holds {count:,} files, more than {_MOST_ENTRIES:,}: unpack it yourself"
                )
            with zipfile.ZipFile(file) as archive:
                entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except ImageError:  # a ValueError too
        raise
    except _DAMAGED as error:
        raise ImageError(f"{path}: is no readable ZIP archive ({_reason(error)}): make it anew") from error
    _check_sizes(path, entries)
    photos, others = [], []
    for entry in entries:
        place = PurePosixPath(entry.filename.replace("\\", "/"))
        if place.suffix.lower() in PHOTO_SUFFIXES:  # nothing is done with the names of others
            place = _place(path, entry.filename)
        if _NOT_SHOWN in place.parts[:1] or any(part.startswith(".") for part in place.parts):
            continue
        if place.suffix.lower() in PHOTO_SUFFIXES and not stat.S_ISLNK(entry.external_attr >> 16):
            photos.append(Zipped(place, partial(_unpacked, path, entry.filename, place)))
        else:
            others.append(place)
    if not photos:
        raise ImageError(f"{path}: no photograph in this archive: expects {' '.join(PHOTO_SUFFIXES)}")
    return sorted(photos, key=lambda one: [natural_order(part) for part in one.place.parts]), others


def _check_sizes(path: Path, entries: Sequence[zipfile.ZipInfo]) -> None:
    """Refuses archives that unpack to what no photographs are, and those whose entries overlap."""
    together = sum(entry.file_size for entry in entries)
    if together > _MOST_TOGETHER:
        raise ImageError(
            f"{path}: unpacks to {together >> 30:,} GiB, more than {_MOST_TOGETHER >> 30}: unpack it yourself"
        )
    if sum(entry.compress_size for entry in entries) > path.stat().st_size:
        raise ImageError(f"{path}: is no sound ZIP archive: its files overlap; make it anew")


def _place(path: Path, name: str) -> PurePosixPath:
    """An entry's path; ImageError for one that leads out of the archive, or that no folder can have."""
    place = PurePosixPath(name.replace("\\", "/"))
    wrong = not place.parts or place.is_absolute() or ".." in place.parts or _DRIVE.match(name)
    if wrong or len(name) > _LONGEST_NAME or _CONTROLS.search(name):
        shown = ascii(name)[:80]
        raise ImageError(f"{path}: holds a file named {shown}, which leads elsewhere: unpack it yourself")
    return place


def _unpacked(path: Path, name: str, place: PurePosixPath) -> bytes:
    shown = one_line(f"{path}/{place}")
    try:
        with zipfile.ZipFile(path) as archive:
            entry = archive.getinfo(name)
            if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _METHODS:
                raise ImageError(
                    f"{shown}: is encrypted, or packed by another method than deflate: unpack it yourself"
                )
            if entry.file_size > MOST_BYTES:
                raise ImageError(f"{shown}: unpacks to more than {MOST_BYTES >> 20} MiB: unpack it yourself")
            with archive.open(entry) as stream:
                data = stream.read(entry.file_size + 1)
    except ImageError:  # a ValueError too
        raise
    except _DAMAGED as error:
        raise ImageError(
            f"{shown}: damaged or incomplete ({_reason(error)}): make the archive anew"
        ) from error
    except KeyError as error:
        raise ImageError(f"{shown}: is no longer in the archive") from error
    if len(data) != entry.file_size:
        raise ImageError(f"{shown}: damaged or incomplete: make the archive anew")
    return data


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())[:200]
