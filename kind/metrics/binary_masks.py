"""Figures of binary masks, such as of what has changed, from counts of right and wrong pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Counts(NamedTuple):
    """Numbers of pixels of one image or a whole set.

    Attributes:
        hits: predicted and true.
        false_alarms: predicted and not true.
        misses: true and not predicted.
        rest: neither.
    """

    hits: int
    false_alarms: int
    misses: int
    rest: int


class MaskFigures(NamedTuple):
    """Figures in [0, 1], κ in [-1, 1]; NaN where one is not defined.

    Attributes:
        f1: 2·precision·recall / (precision + recall).
        iou: intersection over union of predicted and true pixels.
        precision: part of the predicted pixels that are true.
        recall: part of the true pixels that are predicted.
        accuracy: part of all pixels that are right.
        kappa: Cohen's κ: how far the accuracy is above that of chance (Cohen, 1960).
    """

    f1: float
    iou: float
    precision: float
    recall: float
    accuracy: float
    kappa: float


def count_pixels(predicted: np.ndarray, true: np.ndarray) -> Counts:
    """Compares two masks.

    Args:
        predicted: bool, any shape.
        true: bool, the same shape.

    Returns:
        The numbers of pixels.

    Raises:
        ValueError: when the shapes differ.
    """
    if predicted.shape != true.shape:
        raise ValueError(f"masks expect one shape; received {predicted.shape} and {true.shape}")
    hits = int(np.count_nonzero(predicted & true))
    false_alarms = int(np.count_nonzero(predicted)) - hits
    misses = int(np.count_nonzero(true)) - hits
    return Counts(hits, false_alarms, misses, predicted.size - hits - false_alarms - misses)


def figures_of(counts: Counts | np.ndarray) -> MaskFigures:
    """Figures of counts, also of many at a time.

    Args:
        counts: four numbers, see `Counts`, or an array [..., 4] of them.

    Returns:
        Floats, or arrays [...]. Where nothing is true and nothing is predicted, F1 and IoU are not defined;
        precision where nothing is predicted, recall where nothing is true, κ where chance is always right.
    """
    hits, false_alarms, misses, rest = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    total = hits + false_alarms + misses + rest
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = (hits + rest) / total
        chance = (hits + false_alarms) * (hits + misses) + (rest + false_alarms) * (rest + misses)
        chance = chance / total**2
        found = MaskFigures(
            2 * hits / (2 * hits + false_alarms + misses),
            hits / (hits + false_alarms + misses),
            hits / (hits + false_alarms),
            hits / (hits + misses),
            accuracy,
            (accuracy - chance) / (1 - chance),
        )
    return found if np.ndim(hits) else MaskFigures(*map(float, found))


def total_of(counts: Sequence[Counts]) -> Counts:
    """The counts of a whole set."""
    return Counts(*(int(number) for number in np.sum(np.asarray(counts, np.int64), axis=0)))


def resampled_totals(counts: Sequence[Counts], resamples: int, seed: int = 0) -> np.ndarray:
    """Counts of sets of images drawn with replacement, as many as there are: int64 [resamples, 4].

    The same seed draws the same images, so that two methods can be compared image by image.
    """
    every = np.asarray(counts, np.int64)
    random = np.random.default_rng(seed)
    # How often each image is drawn: a multinomial is the same as drawing one after another.
    drawn = random.multinomial(len(every), np.full(len(every), 1 / len(every)), size=resamples)
    return drawn @ every
