"""Which photographs the files and folders of a command line stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from kind.images.photo import READABLE_SUFFIXES, ImageError


def find_photos(inputs: Sequence[str | Path]) -> list[Path]:
    """Lists the photographs that the files and folders of a command line stand for.

    Args:
        inputs: files, taken as they are, and folders, which stand for the files directly in them that
            have one of `READABLE_SUFFIXES`, hidden ones left out, in natural order (2.png before 10.png).

    Returns:
        At least one path, in the order of `inputs`.

    Raises:
        ImageError: nothing was given, a path does not exist, or a folder holds no photograph.
    """
    if not inputs:
        raise ImageError("no photograph given: name at least one file or folder")
    found: list[Path] = []
    for path in map(Path, inputs):
        try:
            if not path.exists():
                raise ImageError(f"{path}: no such file or folder: check the spelling")
            found += _photos_in(path) if path.is_dir() else [path]
        except OSError as error:
            raise ImageError(f"{path}: cannot be listed ({error.strerror}): check the permissions") from error
    return found


def _photos_in(folder: Path) -> list[Path]:
    photos = [
        entry
        for entry in folder.iterdir()
        if entry.suffix.lower() in READABLE_SUFFIXES and not entry.name.startswith(".") and entry.is_file()
    ]
    if not photos:
        raise ImageError(f"{folder}: no photograph in this folder: expects {' '.join(READABLE_SUFFIXES)}")
    return sorted(photos, key=_natural_order)


def _natural_order(path: Path) -> tuple[list[str | int], str]:
    # Splitting at a group alternates text, number, text, so that like is always compared with like.
    parts = re.split(r"(\d+)", path.name.lower())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], path.name
