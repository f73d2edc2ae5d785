"""The pairs of a data set that are evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from kind.constants import VALIDATION_EVERY
from kind.data.pair_folders import part_root
from kind.data.pairs import Pair, find_pairs
from kind.data.photographs import split_scenes
from kind.errors import UserError
from kind.reports.names import distinct_names

SPLITS = ("validation", "training", "test", "all")


class Split(NamedTuple):
    """A part of a data set.

    Attributes:
        name: one of `SPLITS`.
        pairs: sorted by name, those of `our485/` before those of `eval15/`.
        total: how many pairs were looked at to choose them.
        trained: how many of `pairs` a training run on the folder trains on.
    """

    name: str
    pairs: list[Pair]
    total: int
    trained: int


def choose_split(
    folder: Path, name: str | None = None, validation_every: int = VALIDATION_EVERY, scenes_every: int = 1
) -> Split:
    """Chooses the pairs to evaluate.

    Args:
        folder: see `data.pairs.find_pairs`.
        name: "validation" is what a training run on the folder holds out; "training" are the other pairs
            that it is given; "test" is `eval15/`; "all" is everything. By default "test" where there is
            `eval15/`, otherwise "all".
        validation_every: the run holds out one pair in this many, by sorted name.
        scenes_every: the run holds out one scene in this many, see `data.photographs.split_scenes`. Of both
            rules, 1 is none; validation is what is held out by both.

    Returns:
        The split.

    Raises:
        UserError: when the folder has no such split, it is empty, or see `find_pairs`.
    """
    has_test = part_root(folder, "test") is not None
    name = name or ("test" if has_test else "all")
    if name == "test" and not has_test:
        raise UserError(
            f"{folder}: has no eval15/ or Test/ and so no test split; choose all, training or validation"
        )
    test = find_pairs(folder, "test") if has_test and name in ("test", "all") else []
    has_training = part_root(folder, "training") is not None or not has_test
    rest = find_pairs(folder, "training") if has_training and name != "test" else []
    held_out = {*rest[::validation_every]} & {*split_scenes(rest, scenes_every)[1]}
    training = [pair for pair in rest if pair not in held_out]
    validation = [pair for pair in rest if pair in held_out]
    pairs = {"training": training, "validation": validation, "test": test, "all": [*rest, *test]}[name]
    if not pairs:
        raise UserError(f"{folder}: the {name} split is empty; choose another one")
    return Split(name, pairs, len(rest) + len(test), len(set(training) & set(pairs)))


def display_names(pairs: list[Pair]) -> list[str]:
    """The pairs' names, as `our485/NAME` and `eval15/NAME` where a name occurs in both parts."""
    return distinct_names([pair.name for pair in pairs], [pair.low.parent.parent.name for pair in pairs])
