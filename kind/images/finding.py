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
            have one of `READABLE_SUFFIXES`, in natural order (2.png before 10.png). Hidden ones are left out;
            links that lead nowhere are not.

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
            if not path.exists() and not path.is_symlink():
                raise ImageError(f"{path}: no such file or folder: check the spelling")
            found += _photos_in(path) if path.is_dir() else [path]
        except ImageError:  # a ValueError too
            raise
        except OSError as error:
            raise ImageError(f"{path}: cannot be listed ({error.strerror}): check the permissions") from error
        except ValueError as error:  # a name that no file can have
            raise ImageError(f"{path}: cannot be listed ({error}): check the spelling") from error
    return found


def entries_of(folder: Path) -> list[Path]:
    """Everything directly in a folder, sorted by name.

    Raises:
        ImageError: it cannot be listed.
    """
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise ImageError(f"{folder}: cannot be listed ({error.strerror}): check the permissions") from error


def _photos_in(folder: Path) -> list[Path]:
    photos = [
        entry
        for entry in entries_of(folder)
        if entry.suffix.lower() in READABLE_SUFFIXES and not entry.name.startswith(".") and _is_listed(entry)
    ]
    if not photos:
        raise ImageError(f"{folder}: no photograph in this folder: expects {' '.join(READABLE_SUFFIXES)}")
    return sorted(photos, key=_natural_order)


def _is_listed(entry: Path) -> bool:
    """Whether it is a file, or should be one: whoever reads it names the link."""
    return entry.is_file() or (entry.is_symlink() and not entry.exists())


def _natural_order(path: Path) -> tuple[list[str | int], str]:
    # Splitting at a group alternates text, number, text, so that like is always compared with like.
    parts = re.split(r"(\d+)", path.name.lower())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], path.name
