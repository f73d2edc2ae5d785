"""Where the sides of a paired data set lie, by the names that published sets give their folders."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from kind.errors import UserError, listed

SIDES = (("low", "high"), ("low", "normal"), ("input", "target"))
"""Folders of dark and of bright images, in any case of letters; the first pair that is there counts."""
PARTS = {"training": ("our485", "train", "training"), "test": ("eval15", "test")}
"""Folders of the parts of a set, each with both sides in it, likewise."""

EXPECTED = (
    "expected folders low/ and high/ (or low/ and normal/, input/ and target/, LOL's our485/ and eval15/, "
    "LOL-v2's Train/ and Test/) in it"
)
_ALWAYS_PARTS = ("our485", "eval15")  # a Test/ without sides may be anything, these may not


class PairFolder(NamedTuple):
    """The two folders of a set, or of a part of one."""

    low: Path
    high: Path


def pair_folder(folder: Path, part: str) -> PairFolder:
    """Where a part of a data set lies.

    Args:
        folder: of the set.
        part: a key of `PARTS`. A set without parts is returned either way.

    Returns:
        Its two folders.

    Raises:
        UserError: when there are none; the message names the folders that there are.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; expected one that holds low/ and high/")
    folder = _single_set(folder)
    root = part_root(folder, part) or folder
    sides = sides_of(root)
    if sides is None:
        found = [f"{name}/" for name in sorted(_folders(root).values())]
        raise UserError(f"{root}: {EXPECTED}; found {listed(found) if found else 'no folders'}")
    return sides


def part_root(folder: Path, part: str) -> Path | None:
    """The folder of a part, a key of `PARTS`; None of a set without this part, or no folder."""
    if not folder.is_dir():
        return None
    folder = _single_set(folder)
    there = _folders(folder)
    for name in PARTS[part]:
        root = folder / there[name] if name in there else None
        if root and (name in _ALWAYS_PARTS or sides_of(root)):
            return root
    return None


def sides_of(folder: Path) -> PairFolder | None:
    """The folders of dark and bright images directly in a folder; None without both."""
    there = _folders(folder)
    for low, high in SIDES:
        if low in there and high in there:
            return PairFolder(folder / there[low], folder / there[high])
    return None


def _single_set(folder: Path) -> Path:
    """The folder itself, or the only set in it, as LOL-v2 has `Real_captured/` and `Synthetic/`."""
    if sides_of(folder) or any(name in _folders(folder) for names in PARTS.values() for name in names):
        return folder
    sets = [
        name
        for name in sorted(_folders(folder).values())
        if any(
            part in _folders(folder / name) and sides_of(folder / name / _folders(folder / name)[part])
            for part in PARTS["training"]
        )
    ]
    if len(sets) > 1:
        raise UserError(f"{folder}: holds several sets: {listed(sets)}; name one, such as {folder / sets[0]}")
    return folder / sets[0] if sets else folder


def _folders(folder: Path) -> dict[str, str]:
    """The folders in a folder, by name in small letters; a name in small letters itself goes first."""
    try:
        names = [entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[:1] != "."]
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed ({error.strerror}): check the permissions") from error
    return {name.lower(): name for name in sorted(names)}  # capitals sort before small letters
