"""Parts of a training mixture: pairs or single bright photographs, and what of them is held out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kind.constants import VALIDATION_EVERY
from kind.data.pair_folders import part_root, sides_of
from kind.data.pairs import SUFFIXES, Pair, find_pairs, is_pair_list
from kind.errors import UserError
from kind.images.finding import entries_of
from kind.training.part_text import Part, read_part

_TEST_PLACES = (0, 5, 10)  # of each 16 photographs by sorted name: 24 of 128
_VALIDATION_PLACE = 13
_PERIOD = 16


class Photograph(NamedTuple):
    """One bright photograph; `name` is its stem."""

    name: str
    path: Path


def parse_part(text: str) -> Part:
    """Reads "NAME=DIR:WEIGHT", then ":all" where nothing is to be held out and ":PRESET"; or a folder.

    Raises:
        UserError: when it has another form, with the form that is expected.
    """
    if "=" not in text and (Path(text).is_dir() or is_pair_list(text)):
        return Part(Path(text).name, Path(text), 1.0)
    part = read_part(text)
    if part is None:
        form = "NAME=DIR:WEIGHT[:all][:PRESET] with a weight above 0"
        raise UserError(f"--data expects DIR, or {form}; received {text!r}")
    return part


def is_pairs(folder: Path) -> bool:
    """Whether a folder holds pairs, or is a list of them, and not single photographs."""
    if is_pair_list(folder) or (folder / "low").is_dir():
        return True
    return bool(part_root(folder, "training") or (folder.is_dir() and sides_of(folder)))


def scene_of(name: str) -> str:
    """The scene that an image shows: its stem without a last "_number"."""
    return re.sub(r"_\d+$", "", name)


def split_scenes(pairs: Sequence[Pair], every: int = VALIDATION_EVERY) -> tuple[list[Pair], list[Pair]]:
    """Holds out every tenth scene by sorted name, from the first on, with all of its exposures.

    Args:
        pairs: in any order. LOL's stems have no "_number": each is a scene.
        every: hold out one scene in this many.

    Returns:
        (training pairs, validation pairs), by sorted name.
    """
    held_out = set(sorted({scene_of(pair.name) for pair in pairs})[::every])
    training = [pair for pair in sorted(pairs) if scene_of(pair.name) not in held_out]
    return training, [pair for pair in sorted(pairs) if scene_of(pair.name) in held_out]


class PhotographSplit(NamedTuple):
    """Bright photographs by what they may be used for."""

    training: list[Photograph]
    validation: list[Photograph]
    test: list[Photograph]


def split_photographs(photographs: Sequence[Photograph]) -> PhotographSplit:
    """Of each 16 by sorted name, holds out three for tests and one for validation: 24 and 8 of 128.

    The test photographs are never trained on and never used to choose between networks.
    """
    places = [(number % _PERIOD, photograph) for number, photograph in enumerate(sorted(photographs))]
    test = [photograph for place, photograph in places if place in _TEST_PLACES]
    validation = [photograph for place, photograph in places if place == _VALIDATION_PLACE]
    held_out = {*test, *validation}
    return PhotographSplit(
        [photograph for _, photograph in places if photograph not in held_out], validation, test
    )


def find_bright_photographs(folder: str | Path) -> list[Photograph]:
    """The photographs of a folder, or of `images/` in it, by sorted name.

    Raises:
        UserError: when there are none.
    """
    folder = Path(folder)
    root = folder / "images" if (folder / "images").is_dir() else folder
    if not root.is_dir():
        raise UserError(f"{folder}: no such folder; expected photographs, or low/ and high/, in it")
    found = [
        Photograph(path.stem, path)
        for path in entries_of(root)
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]
    if not found:
        raise UserError(f"{root}: holds no photographs ({', '.join(SUFFIXES)})")
    return found


def training_pairs(part: Part) -> tuple[list[Pair], list[Pair]]:
    """Training and validation pairs of a part that holds pairs.

    Raises:
        UserError: see `data.pairs.find_pairs`, and when nothing is left to train on.
    """
    pairs = find_pairs(part.folder)
    training, validation = split_scenes(pairs) if part.held_out else (pairs, [])
    if not training:
        raise UserError(f"{part.folder}: too few scenes: every {VALIDATION_EVERY}th is held out")
    return training, validation
