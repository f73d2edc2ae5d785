"""Which photographs the files and folders of a command line stand for."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kind.images.photo import PHOTO_SUFFIXES, ImageError


class Found(NamedTuple):
    """What a folder holds.

    Attributes:
        photos: files with one of `PHOTO_SUFFIXES`, in natural order (2.png before 10.png), each folder's
            own before those in its folders.
        passed_over: everything else that is not hidden, likewise.
    """

    photos: list[Path]
    passed_over: list[Path]


def find_photos(inputs: Sequence[str | Path]) -> list[Path]:
    """Lists the photographs that the files and folders of a command line stand for.

    Args:
        inputs: files, taken as they are, and folders, which stand for the files directly in them that
            have one of `PHOTO_SUFFIXES`, in natural order (2.png before 10.png). Hidden ones are left out;
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
        found += photos_in(path).photos if is_folder(path) else [path]
    return found


def is_folder(path: Path) -> bool:
    """Tells a folder from a file.

    Raises:
        ImageError: there is neither, or the system does not say.
    """
    try:
        if not path.exists() and not path.is_symlink():
            raise ImageError(f"{path}: no such file or folder: check the spelling")
        return path.is_dir()
    except ImageError:  # a ValueError too
        raise
    except OSError as error:
        raise _unlisted(path, error) from error
    except ValueError as error:  # a name that no file can have
        raise ImageError(f"{path}: cannot be listed ({error}): check the spelling") from error


def photos_in(
    folder: Path, *, recursive: bool = False, but: Path | None = None, also: Sequence[str] = ()
) -> Found:
    """Lists what a folder holds.

    Args:
        folder: is there.
        recursive: also what its folders hold, and theirs; links to folders are not followed.
        but: a folder that is not looked into.
        also: further suffixes of what is taken for photographs.

    Returns:
        At least one photograph, and what is none. Hidden entries are left out; links that lead nowhere count
        as the files that they should be.

    Raises:
        ImageError: a folder cannot be listed, or none holds a photograph.
    """
    found = Found([], [])
    suffixes = (*PHOTO_SUFFIXES, *also)
    _walk(folder, recursive, but and but.resolve(), suffixes, found)
    if not found.photos:
        where = "this folder and those in it" if recursive else "this folder"
        raise ImageError(f"{folder}: no photograph in {where}: expects {' '.join(suffixes)}")
    return found


def _walk(folder: Path, recursive: bool, but: Path | None, suffixes: Sequence[str], found: Found) -> None:
    below = []
    for entry in sorted(entries_of(folder), key=lambda path: natural_order(path.name)):
        if entry.name.startswith("."):
            continue
        if os.path.isdir(entry):
            if recursive and not entry.is_symlink():
                below.append(entry)
            elif not recursive:
                found.passed_over.append(entry)
        elif entry.suffix.lower() in suffixes and _is_listed(entry):
            found.photos.append(entry)
        else:
            found.passed_over.append(entry)
    for entry in below:
        if entry.resolve() != but:
            _walk(entry, recursive, but, suffixes, found)


def entries_of(folder: Path) -> list[Path]:
    """Everything directly in a folder, sorted by name.

    Raises:
        ImageError: it cannot be listed.
    """
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise _unlisted(folder, error) from error


def _unlisted(path: Path, error: OSError) -> ImageError:
    return ImageError(f"{path}: cannot be listed ({error.strerror}): check the permissions")


def _is_listed(entry: Path) -> bool:
    """Whether it is a file, or should be one: whoever reads it names the link."""
    return entry.is_file() or (entry.is_symlink() and not entry.exists())


def natural_order(name: str) -> tuple[list[str | int], str]:
    """What names are sorted by, so that 2.png comes before 10.png."""
    # Splitting at a group alternates text, number, text, so that like is always compared with like.
    parts = re.split(r"(\d+)", name.lower())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], name
