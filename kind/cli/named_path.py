"""`[NAME=]PATH` on a command line: a path, and what reports call it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class NamedPath(NamedTuple):
    """A path and its name in reports."""

    name: str
    path: Path

    @classmethod
    def parse(cls, text: str) -> NamedPath:
        """Reads `NAME=PATH` or `PATH`; a path that exists and contains = is taken as it is.

        Without NAME it is the folder's own name, or the file's without its suffix.
        """
        name, separator, rest = text.partition("=")
        if separator and name and not Path(text).exists():
            return cls(name, Path(rest))
        path = Path(text)
        return cls(path.resolve().name if path.is_dir() else path.stem, path)
