"""Folders of pairs: the same scene, dark and bright."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kind.errors import UserError, listed
from kind.images.finding import entries_of
from kind.images.photo import photo_size

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
VALIDATION_EVERY = 10
TRAINING_FOLDER = "our485"
TEST_FOLDER = "eval15"


class Pair(NamedTuple):
    """One scene: `name` is the stem that both files share."""

    name: str
    low: Path
    high: Path


def find_pairs(folder: str | Path, part: str = "training") -> list[Pair]:
    """Finds the pairs of a data set.

    Args:
        folder: holds `low/` and `high/`, or LOL's `our485/` and `eval15/` that hold them.
        part: "training" or "test". A plain `low/`, `high/` folder has no parts and is returned either way.

    Returns:
        Pairs sorted by name.

    Raises:
        UserError: when folders are missing or empty, a file has no partner, two files share a stem, or
            partners differ in size. The message names the files.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; expected one that holds low/ and high/")
    named = folder / {"training": TRAINING_FOLDER, "test": TEST_FOLDER}[part]
    root = named if named.is_dir() else folder
    for side in ("low", "high"):
        if not (root / side).is_dir():
            raise UserError(f"{root}: expected folders low/ and high/ (or LOL's our485/ and eval15/) in it")
    low, high = _by_stem(root / "low"), _by_stem(root / "high")
    alone = [
        str(path)
        for one, other in ((low, high), (high, low))
        for stem, path in one.items()
        if stem not in other
    ]
    if alone:
        raise UserError(f"no partner of the same name for {listed(alone)}")
    if not low:
        raise UserError(f"{root}: low/ and high/ hold no images ({', '.join(SUFFIXES)})")
    pairs = [Pair(stem, low[stem], high[stem]) for stem in sorted(low)]
    _check_sizes(pairs)
    return pairs


def split_pairs(
    pairs: Sequence[Pair], validation_every: int = VALIDATION_EVERY
) -> tuple[list[Pair], list[Pair]]:
    """Holds out every tenth pair, by sorted name and from the first on, for validation.

    Args:
        pairs: in any order.
        validation_every: hold out one in this many.

    Returns:
        (training pairs, validation pairs).

    Raises:
        UserError: when nothing would be left to train on.
    """
    pairs = sorted(pairs)
    validation = pairs[::validation_every]
    training = [pair for index, pair in enumerate(pairs) if index % validation_every]
    if not training:
        raise UserError(f"{len(pairs)} pair(s) are too few: every {validation_every}th is held out")
    return training, validation


def _by_stem(folder: Path) -> dict[str, Path]:
    """The images of a folder by stem; hidden files and other suffixes are left aside."""
    found: dict[str, Path] = {}
    for path in entries_of(folder):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in found:
            raise UserError(f"{found[path.stem]} and {path.name} share a stem; keep one of them")
        found[path.stem] = path
    return found


def _check_sizes(pairs: Sequence[Pair]) -> None:
    wrong = []
    for pair in pairs:
        low, high = photo_size(pair.low), photo_size(pair.high)
        if low != high:
            wrong.append(f"{pair.low} ({low[1]}x{low[0]}) and {pair.high} ({high[1]}x{high[0]})")
    if wrong:
        raise UserError(f"partners differ in size: {listed(wrong)}")
