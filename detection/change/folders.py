"""Data sets of change detection in the layout of LEVIR-CD and WHU-CD: `A/`, `B/` and `label/`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kind.data.pairs import SUFFIXES
from kind.errors import UserError, listed
from kind.images.finding import entries_of
from kind.images.photo import photo_size, read_photo

SIDES = ("A", "B", "label")
PARTS = {"training": ("train", "training"), "validation": ("val", "validation", "valid"), "test": ("test",)}
"""Folders and lists of each part, by its name."""

_LABEL_LEVEL = 0.5


class Triplet(NamedTuple):
    """Two photographs of one place and what has changed; `name` is the stem that the files share."""

    name: str
    before: Path
    after: Path
    label: Path


def is_change_folder(folder: str | Path) -> bool:
    """Whether a folder holds `A/`, `B/` and `label/`, itself or in a part such as `train/`."""
    folder = Path(folder)
    return any(_has_sides(root) for root in (folder, *(_part_folder(folder, part) for part in PARTS)) if root)


def find_triplets(folder: str | Path, part: str | None = None) -> list[Triplet]:
    """Finds a part of a data set.

    Parts are folders (`train/A/…`) or lists of file names (`list/train.txt` beside `A/`).

    Args:
        folder: of the data set.
        part: a key of `PARTS`; None takes everything that there is.

    Returns:
        Triplets by sorted name; of a data set without such a part none.

    Raises:
        UserError: when folders are missing or empty, a file lacks a partner, or a list names none.
    """
    folder = Path(folder)
    if not is_change_folder(folder):
        raise UserError(f"{folder}: expected {_spoken(SIDES)}, or train/, val/ and test/ that hold them")
    parts = {name: root for name in PARTS if (root := _part_folder(folder, name))}
    if parts:
        roots = list(parts.values()) if part is None else [parts[part]] if part in parts else []
        return sorted(triplet for root in roots for triplet in _triplets(root))
    every = _triplets(folder)
    listing = part and _list_file(folder, part)
    return _chosen(every, listing) if listing else [] if part else every


def part_roots(folder: Path) -> dict[str, Path]:
    """The folder of each part by its name; of a data set without parts itself, called "all"."""
    return {part: root for part in PARTS if (root := _part_folder(folder, part))} or {"all": folder}


def split_triplets(folder: str | Path, every: int) -> tuple[list[Triplet], list[Triplet]]:
    """What a run trains on and what it holds out.

    Args:
        folder: of the data set.
        every: of a data set without a validation part, hold out one triplet in this many by sorted name.

    Returns:
        (training triplets, validation triplets).

    Raises:
        UserError: see `find_triplets`, and when either would be empty.
    """
    training, validation = (find_triplets(folder, part) for part in ("training", "validation"))
    if not training and not validation:
        tests = find_triplets(folder, "test")
        training = [triplet for triplet in find_triplets(folder) if triplet not in tests]
    if not validation:
        training, validation = (
            [one for number, one in enumerate(training) if (number % every == 0) is held]
            for held in (False, True)
        )
    if not training or not validation:
        raise UserError(f"{folder}: too few triplets to train on some and hold out others")
    return training, validation


def part_or_all(folder: str | Path, part: str, every: int) -> list[Triplet]:
    """A part of a data set; of one without parts what `split_triplets` makes, and all for "test".

    Raises:
        UserError: see `find_triplets` and `split_triplets`, and when it has other parts only.
    """
    found = find_triplets(folder, part)
    others = [name for name in PARTS if name != part and find_triplets(folder, name)]
    if not found and others:
        raise UserError(f"{folder}: has no {part} part; it has {' and '.join(others)}")
    if not found and part != "test":
        return split_triplets(folder, every)[part == "validation"]
    return found or find_triplets(folder)


def read_label(path: Path) -> np.ndarray:
    """A label's mask: float32 [H, W, 1], 1 where its file is brighter than half.

    Raises:
        kind.images.photo.ImageError: when the file cannot be read.
    """
    return (read_photo(path).pixels.mean(axis=-1, keepdims=True) > _LABEL_LEVEL).astype(np.float32)


def check_sizes(triplets: Sequence[Triplet]) -> None:
    """Refuses files of one triplet that differ in size.

    Raises:
        UserError: naming them.
    """
    wrong = [one.name for one in triplets if len({photo_size(path) for path in one[1:]}) > 1]
    if wrong:
        raise UserError(f"{_spoken(SIDES)} differ in size: {listed(wrong)}")


def by_stem(folder: Path) -> dict[str, Path]:
    """The images of a folder by stem; hidden files and other suffixes are left aside."""
    return {
        path.stem: path
        for path in entries_of(folder)
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    }


def _triplets(root: Path) -> list[Triplet]:
    files = [by_stem(root / side) for side in SIDES]
    stems = sorted(set().union(*files))
    if not stems:
        raise UserError(f"{root}: {_spoken(SIDES)} hold no images ({', '.join(SUFFIXES)})")
    alone = [
        f"{stem} (not in {side}/)" for side, found in zip(SIDES, files) for stem in stems if stem not in found
    ]
    if alone:
        raise UserError(f"{root}: no partner of the same name for {listed(alone)}")
    return [Triplet(stem, *(found[stem] for found in files)) for stem in stems]


def _chosen(every: Sequence[Triplet], listing: Path) -> list[Triplet]:
    names = {Path(line.strip()).stem for line in listing.read_text().splitlines() if line.strip()}
    missing = sorted(names - {one.name for one in every})
    if missing:
        raise UserError(f"{listing}: names what is not there: {listed(missing)}")
    return [one for one in every if one.name in names]


def _list_file(folder: Path, part: str) -> Path | None:
    return next((file for name in PARTS[part] if (file := folder / "list" / f"{name}.txt").is_file()), None)


def _part_folder(folder: Path, part: str) -> Path | None:
    return next((folder / name for name in PARTS[part] if _has_sides(folder / name)), None)


def _has_sides(folder: Path) -> bool:
    return all((folder / side).is_dir() for side in SIDES)


def _spoken(names: Sequence[str]) -> str:
    return f"{'/, '.join(names[:-1])}/ and {names[-1]}/"
