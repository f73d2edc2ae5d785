"""Which predicted box found which object: one-to-one, best score first, as COCO and Pascal VOC do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kind.metrics.boxes import (
    Found,
    Objects,
    Pairs,
    Predictions,
    Truth,
    area,
    best_of_each,
    flattened_objects,
    flattened_predictions,
    overlapping,
    place_in_run,
)

ALL, SMALL, MEDIUM, LARGE = (0.0, 1e10), (0.0, 32.0**2), (32.0**2, 96.0**2), (96.0**2, 1e10)
"""COCO's ranges of an object's area in square pixels; both ends belong to them."""


class Matches(NamedTuple):
    """The outcome over a set of images; A area ranges, T thresholds, D predictions, G objects.

    Predictions are in the order of the images, then of classes, then of falling scores. One that is neither
    correct nor wrong plays no part.

    Attributes:
        images: how many images there are, also those without predictions or objects.
        classes: how many classes there are.
        image: int [D], of each prediction.
        label: int [D], its class.
        score: float [D].
        position: int [D], its place in the image's `Predictions`.
        matched: int [A, T, D], the object that it found, -1 for none.
        correct: bool [A, T, D].
        wrong: bool [A, T, D].
        totals: int [A, images, classes], objects to be found.
    """

    images: int
    classes: int
    image: np.ndarray
    label: np.ndarray
    score: np.ndarray
    position: np.ndarray
    matched: np.ndarray
    correct: np.ndarray
    wrong: np.ndarray
    totals: np.ndarray


class Verdict(NamedTuple):
    """One image's predictions and objects, in the order in which they were given.

    Attributes:
        correct: bool [P].
        wrong: bool [P]; what is neither correct nor wrong found something that does not count.
        found: bool [G].
    """

    correct: np.ndarray
    wrong: np.ndarray
    found: np.ndarray


def judge_image(objects: Objects, predictions: Predictions, iou: float = 0.5) -> Verdict:
    """Tells right from wrong in one image, for drawing.

    Args:
        objects: what is there.
        predictions: what was predicted, already cut at some score.
        iou: how much boxes must overlap, in (0, 1].

    Returns:
        The verdict by COCO's rules.

    Raises:
        ValueError: as for `match_boxes`.
    """
    labels = [*objects.classes, *predictions.classes, 0]
    most = max(1, len(predictions.scores))
    matches = match_boxes([objects], [predictions], int(max(labels)) + 1, (iou,), (ALL,), most)
    correct, wrong = (np.zeros(len(predictions.scores), bool) for _ in range(2))
    correct[matches.position] = matches.correct[0, 0]
    wrong[matches.position] = matches.wrong[0, 0]
    found = np.zeros(len(objects.classes), bool)
    found[matches.matched[0, 0][matches.matched[0, 0] >= 0]] = True
    return Verdict(correct, wrong, found)


def match_boxes(
    objects: Sequence[Objects],
    predictions: Sequence[Predictions],
    classes: int,
    thresholds: Sequence[float],
    area_ranges: Sequence[tuple[float, float]] = (ALL,),
    max_detections: int = 100,
) -> Matches:
    """Matches by COCO's rules.

    In each image and class predictions choose in order of score: the free object that overlaps most, by the
    threshold at least; one that counts before one that does not. A crowd is never used up, and overlap with
    it is measured by the prediction's area alone. What lies outside an area range does not count.

    Args:
        objects: of each image; empty ones belong in it.
        predictions: of each image, likewise.
        classes: how many there are; class numbers are below.
        thresholds: overlaps (intersection over union) that a match needs, T of them in (0, 1].
        area_ranges: A of them, see `ALL`.
        max_detections: predictions that count in each image and class, the best ones.

    Returns:
        The matches.

    Raises:
        ValueError: when the lists differ in length, an array has another shape, or a class number is outside.
    """
    _check_lengths(objects, predictions)
    found = best_of_each(flattened_predictions(predictions, classes), max_detections)
    truth = flattened_objects(objects, classes)
    lows, highs = (np.array(ends)[:, None] for ends in zip(*area_ranges))
    counted = ~truth.crowd & ~truth.ignored & (truth.areas >= lows) & (truth.areas <= highs)  # [A, G]
    sizes = area(found.boxes)
    inside = (sizes >= lows) & (sizes <= highs)  # [A, D]
    limits = np.minimum(np.asarray(thresholds, float), 1 - 1e-10)  # pycocotools lets 1 be reached, too
    pairs = overlapping(found, truth, limits.min())
    matched = _chosen(pairs, found, truth, counted, limits)
    return _outcome(found, truth, matched, counted, inside, (len(objects), classes))


def match_boxes_voc(
    objects: Sequence[Objects], predictions: Sequence[Predictions], classes: int, iou: float = 0.5
) -> Matches:
    """Matches by Pascal VOC's rules, which differ from COCO's.

    A prediction goes for the object of its class that it overlaps most. When a better one has found that
    object it is wrong, even if it overlaps another object as well. `crowd` means the same as `ignored`.

    Pascal VOC: boxes include their last pixel, so that widths are right - left + 1. Here: right - left.

    Args:
        objects: as for `match_boxes`.
        predictions: likewise, without a limit on their number.
        classes: likewise.
        iou: the overlap that a match needs, in (0, 1].

    Returns:
        The matches, A = T = 1.

    Raises:
        ValueError: as for `match_boxes`.
    """
    _check_lengths(objects, predictions)
    found, truth = flattened_predictions(predictions, classes), flattened_objects(objects, classes)
    truth = truth._replace(ignored=truth.ignored | truth.crowd, crowd=np.zeros_like(truth.crowd))
    pairs = overlapping(found, truth, iou)
    matched = np.full((1, 1, len(found.group)), -1)
    order = np.lexsort((-pairs.truth, pairs.iou, pairs.found))
    best = order[np.diff(pairs.found[order], append=-1) != 0]  # the last of each prediction's
    matched[0, 0, pairs.found[best]] = pairs.truth[best]
    everywhere = np.ones((1, len(found.group)), bool)
    matches = _outcome(found, truth, matched, ~truth.ignored[None], everywhere, (len(objects), classes))
    candidates = np.flatnonzero(matches.correct)
    _, first = np.unique(matched.ravel()[candidates], return_index=True)
    correct = np.zeros_like(matches.correct)
    correct[0, 0, candidates[first]] = True
    return matches._replace(correct=correct, wrong=matches.wrong | (matches.correct & ~correct))


def _check_lengths(objects: Sequence[Objects], predictions: Sequence[Predictions]) -> None:
    if len(objects) != len(predictions):
        raise ValueError(f"{len(objects)} images have objects, but {len(predictions)} have predictions")


def _chosen(pairs: Pairs, found: Found, truth: Truth, counted: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Lets predictions choose, all groups side by side: each group's best, then each second, ….

    Only those that overlap something take part, so that there are few rounds.

    Returns:
        int [A, T, D], see `Matches.matched`.
    """
    matched = np.full((len(counted), len(limits), len(found.group)), -1)
    taken = np.zeros((len(counted), len(limits), len(truth.group)), bool)
    choosers, starts, counts = np.unique(pairs.found, return_index=True, return_counts=True)
    turn = place_in_run(found.group[choosers])
    by_turn = np.argsort(turn, kind="stable")
    for now in np.split(by_turn, np.cumsum(np.bincount(turn))[:-1]) if len(turn) else ():
        lengths = counts[now]
        offsets = np.cumsum(lengths) - lengths
        rows = np.repeat(starts[now] - offsets, lengths) + np.arange(lengths.sum())
        truths, iou = pairs.truth[rows], pairs.iou[rows]
        free = (iou >= limits[:, None]) & (~taken[:, :, truths] | truth.crowd[truths])  # [A, T, p]
        best = _last_best(np.where(free & counted[:, None, truths], iou, -1.0), offsets, lengths)
        other = _last_best(np.where(free, iou, -1.0), offsets, lengths)
        row = np.where(best >= 0, best, other)  # [A, T, choosers]: what counts goes first
        choice = np.where(row >= 0, truths[row], -1)
        matched[:, :, choosers[now]] = choice
        ranges, limit, chooser = np.nonzero(choice >= 0)
        taken[ranges, limit, choice[ranges, limit, chooser]] = True
    return matched


def _last_best(values: np.ndarray, offsets: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """In each stretch of the last axis where the greatest value is, the last of equals; -1 if none ≥ 0."""
    greatest = np.repeat(np.maximum.reduceat(values, offsets, axis=-1), lengths, axis=-1)
    index = np.where((values == greatest) & (values >= 0), np.arange(values.shape[-1]), -1)
    return np.maximum.reduceat(index, offsets, axis=-1)


def _outcome(
    found: Found,
    truth: Truth,
    matched: np.ndarray,
    counted: np.ndarray,
    inside: np.ndarray,
    size: tuple[int, int],
) -> Matches:
    """Right or wrong, by what was matched and whether that counts; `size` is images and classes."""
    images, classes = size
    hit = matched >= 0
    of_counted = np.zeros(matched.shape, bool)
    if len(truth.group):
        of_counted = np.stack([row[index] for row, index in zip(counted, matched)])
    totals = [np.bincount(truth.group[row], minlength=images * classes) for row in counted]
    return Matches(
        images,
        classes,
        found.group // classes,
        found.group % classes,
        found.score,
        found.position,
        matched,
        correct=hit & of_counted,
        wrong=~hit & inside[:, None],
        totals=np.stack(totals).reshape(len(counted), images, classes),
    )
