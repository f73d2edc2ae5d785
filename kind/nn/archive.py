"""The zip archive that a `.keras` file is, read from its directory before anything in it is unpacked.

A network's file has three entries: `config.json`, `metadata.json` and `model.weights.h5`. Nothing is trusted:
the directory's length, the entries' names, sizes, compression and number are checked first, and an entry is
unpacked only when it is asked for, never past the size that the directory gave.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

from kind.images.zip_directory import directory_of

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"

_LARGEST = {CONFIG: 4 << 20, METADATA: 64 << 10}
"""Bytes of unpacked text; a network of 300 layers stays below a tenth of it."""

_UNSUSPICIOUS, _HIGHEST_RATIO = 32 << 20, 16
"""Weights may unpack to so many bytes, and to more only by this factor; real ones shrink by 1.1 to 3."""

_LARGEST_DIRECTORY = 4096
_ENCRYPTED = 0x1


class UnreadableArchive(ValueError):
    """A file that is not a network's archive; the message says why and names no file."""


class Archive:
    """An open `.keras` file; use it in a `with` block."""

    def __init__(self, path: str | Path) -> None:
        """Reads and checks the directory.

        Args:
            path: the file.

        Raises:
            UnreadableArchive: when it is no zip, or holds anything but a network's entries.
        """
        try:
            _check_directory(Path(path))
            self._zip = zipfile.ZipFile(path)
        except (
            OSError,
            EOFError,
            ValueError,
            RuntimeError,
            NotImplementedError,
            zipfile.BadZipFile,
        ) as error:
            raise UnreadableArchive(f"not a readable .keras file: {error}") from error
        try:
            self._entries = _checked(self._zip.infolist())
        except UnreadableArchive:
            self._zip.close()
            raise

    def __enter__(self) -> Archive:
        """The archive itself."""
        return self

    def __exit__(self, *_) -> None:
        """Closes the file."""
        self._zip.close()

    def size(self, name: str) -> int:
        """Bytes of an entry once it is unpacked."""
        return self._entries[name].file_size

    def read(self, name: str) -> bytes:
        """Unpacks one entry.

        Raises:
            UnreadableArchive: when it is damaged.
        """
        entry = self._entries[name]
        try:
            with self._zip.open(entry) as stream:
                content = stream.read()
        except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
            raise UnreadableArchive(f"not a readable .keras file: {name}: {error}") from error
        except (zlib.error, zipfile.BadZipFile, struct.error) as error:
            raise UnreadableArchive(f"not a readable .keras file: {name}: {error}") from error
        if len(content) != entry.file_size:
            raise UnreadableArchive(f"not a readable .keras file: {name} is cut short")
        return content


def _check_directory(path: Path) -> None:
    """Refuses directories longer than a network's, which `zipfile` would read to the end."""
    with open(path, "rb") as file:
        total, size = directory_of(file)
    if size > _LARGEST_DIRECTORY:
        raise ValueError(f"its directory of {total} entries is not that of a network's three")


def _checked(entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The entries by name."""
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        name = entry.filename
        if name not in (CONFIG, METADATA, WEIGHTS):
            raise UnreadableArchive(f"holds an entry {name!a}; a network's file has none of that name")
        if name in found:
            raise UnreadableArchive(f"holds two entries named {name}; expected one")
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            raise UnreadableArchive(f"{name} is encrypted or compressed by another method than deflate")
        limit = _LARGEST.get(name, max(_UNSUSPICIOUS, _HIGHEST_RATIO * entry.compress_size))
        if entry.file_size > limit:
            raise UnreadableArchive(
                f"its {name} is larger than {limit >> 10:,} KiB once unpacked ({entry.file_size:,} bytes)"
            )
        found[name] = entry
    for name in (CONFIG, WEIGHTS):
        if name not in found:
            raise UnreadableArchive(f"not a readable .keras file: no {name} in it")
    return found
