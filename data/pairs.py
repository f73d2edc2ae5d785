"""Folders of pairs: the same scene, dark and bright."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kind.constants import VALIDATION_EVERY
from kind.data.pair_folders import PairFolder, pair_folder
from kind.data.pair_lists import PairGlobs, find_by_globs, read_pair_list
from kind.errors import UserError, listed
from kind.images.finding import entries_of
from kind.images.photo import photo_size

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


class Pair(NamedTuple):
    """One scene: `name` is the stem that both files share."""

    name: str
    low: Path
    high: Path


def find_pairs(folder: str | Path | PairGlobs, part: str = "training") -> list[Pair]:
    """Finds the pairs of a data set.

    Args:
        folder: holds `low/` and `high/`, or parts that hold them, see `data.pair_folders`; or a CSV of pairs,
            or two patterns, see `data.pair_lists`.
        part: "training" or "test". What has no parts is returned either way.

    Returns:
        Pairs sorted by name.

    Raises:
        UserError: when folders are missing or empty, a file has no partner, two files share a stem, or
            partners differ in size. The message names the files.
    """
    if isinstance(folder, PairGlobs) or is_pair_list(folder):
        named = find_by_globs(folder) if isinstance(folder, PairGlobs) else read_pair_list(Path(folder))
        pairs = sorted(Pair(*one) for one in named)
        _check_sizes(pairs)
        return pairs
    sides = pair_folder(Path(folder), part)
    low, high = same_stems(sides, _by_stem(sides.low), _by_stem(sides.high))
    alone = [
        str(path)
        for one, other in ((low, high), (high, low))
        for stem, path in one.items()
        if stem not in other
    ]
    if alone:
        raise UserError(f"no partner of the same name for {listed(alone)}")
    if not low:
        raise UserError(no_images(sides))
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


def is_pair_list(path: str | Path) -> bool:
    """Whether a path is that of a CSV of pairs, by its suffix."""
    path = Path(path)
    return path.suffix.lower() == ".csv" and not path.is_dir()


def same_stems(
    sides: PairFolder, low: dict[str, Path], high: dict[str, Path]
) -> tuple[dict[str, Path], dict[str, Path]]:
    """Lets LOL-v2's `Low/low00001.png` and `Normal/normal00001.png` be partners, called "00001".

    Args:
        sides: the two folders.
        low: images of the first by stem.
        high: images of the second by stem.

    Returns:
        The same images by stem; where no stem is in both, and each begins with its folder's name, without it.
    """
    if low.keys() & high.keys():
        return low, high
    bare = [
        {stem[len(folder.name) :]: path for stem, path in images.items()}
        for folder, images in zip(sides, (low, high))
        if all(stem.lower().startswith(folder.name.lower()) for stem in images)
    ]
    return (bare[0], bare[1]) if len(bare) == 2 and bare[0].keys() & bare[1].keys() else (low, high)


def no_images(sides: PairFolder) -> str:
    """The message about a set without images."""
    names = f"{sides.low.name}/ and {sides.high.name}/"
    return f"{sides.low.parent}: {names} hold no images ({', '.join(SUFFIXES)})"


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
