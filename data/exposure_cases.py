"""Photographs and pairs as cases of `kind.evaluation.exposures`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from kind.data.dark_twins import MEASURED, twin
from kind.data.pairs import Pair, find_pairs
from kind.data.photographs import (
    Photograph,
    find_bright_photographs,
    is_pairs,
    split_photographs,
    split_scenes,
)
from kind.errors import UserError
from kind.evaluation.exposures import Case
from kind.images.photo import read_photo


def chosen_images(folder: Path, split: str) -> list[Photograph] | list[Pair]:
    """The photographs or pairs of a folder that a split names.

    Args:
        folder: holds bright photographs (perhaps in `images/`), or pairs in `low/` and `high/`.
        split: "test", "validation", "training" or "all", by the rule that the light variant's
            training holds images out by. Pairs have no test split there.

    Returns:
        Photographs, or pairs, by sorted name.

    Raises:
        UserError: when the folder holds neither, or the split is empty.
    """
    if is_pairs(folder):
        pairs = find_pairs(folder)
        if split == "all":
            return pairs
        if split == "test":
            raise UserError(f"{folder}: pairs have no test split here; give --split validation or all")
        training, validation = split_scenes(pairs)
        return training if split == "training" else validation
    photographs = find_bright_photographs(folder)
    chosen = photographs if split == "all" else getattr(split_photographs(photographs), split)
    if not chosen:
        raise UserError(
            f"{folder}: split {split} of {len(photographs)} photographs is empty; give --split all"
        )
    return chosen


def cases_of(images: Sequence[Photograph] | Sequence[Pair], name: str, seed: int) -> Iterator[Case]:
    """Makes every degradation of `kind.data.dark_twins.MEASURED` of each photograph; pairs are as they are.

    Args:
        images: see `chosen_images`.
        name: group of the pairs.
        seed: photograph number i is degraded with (seed, i).

    Yields:
        Cases, one image in memory at a time.

    Raises:
        UserError: when an image cannot be read.
    """
    for number, image in enumerate(images):
        if isinstance(image, Pair):
            yield name, read_photo(image.low).pixels, read_photo(image.high).pixels
            continue
        truth: np.ndarray = read_photo(image.path).pixels
        for degradation, kind in MEASURED.items():
            dark = twin(tf.constant(truth), tf.constant([seed, number]), kind).numpy()
            yield degradation, dark, truth


def case_count(images: Sequence[Photograph] | Sequence[Pair]) -> int:
    """How many cases `cases_of` yields."""
    return len(images) * (1 if images and isinstance(images[0], Pair) else len(MEASURED))
