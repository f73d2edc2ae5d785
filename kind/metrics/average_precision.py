"""Average precision of a detector, as COCO and Pascal VOC define it, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kind.metrics.box_matching import (
    ALL,
    LARGE,
    MEDIUM,
    SMALL,
    Matches,
    match_boxes,
    match_boxes_voc,
)
from kind.metrics.boxes import Objects, Predictions

THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
"""COCO's ten overlaps."""

RESAMPLES = 1000

_RECALLS = np.linspace(0.0, 1.0, 101)
_AREAS = (ALL, SMALL, MEDIUM, LARGE)
_NUMBERS_AT_ONCE = 1 << 22


class AveragePrecision(NamedTuple):
    """COCO's figures, in [0, 1]; NaN (pycocotools: -1) where there is no object to be found.

    Attributes:
        mean: mAP50-95, over classes and the ten overlaps 0.50, 0.55, … 0.95.
        mean_50: at overlap 0.5.
        mean_75: at overlap 0.75.
        small: mAP50-95 of objects up to 32² square pixels.
        medium: of those from there to 96².
        large: of those from 96² on.
        by_class: float [C], mAP50-95 of each class.
        by_class_50: float [C], at overlap 0.5.
    """

    mean: float
    mean_50: float
    mean_75: float
    small: float
    medium: float
    large: float
    by_class: np.ndarray
    by_class_50: np.ndarray


def average_precision(
    objects: Sequence[Objects],
    predictions: Sequence[Predictions],
    classes: int,
    max_detections: int = 100,
) -> AveragePrecision:
    """COCO's average precision, equal to pycocotools (Lin et al., ECCV 2014; https://cocodataset.org).

    Precision is made non-increasing in recall and averaged over the recalls 0, 0.01, … 1.

    Args:
        objects: of each image; images without objects count, since what is predicted there is wrong.
        predictions: of each image, in the same order.
        classes: how many there are, numbered from 0.
        max_detections: that count in each image and class; COCO's own figures are at 100.

    Returns:
        The figures.

    Raises:
        ValueError: as for `match_boxes`.

    Example:
        >>> truth = [Objects([[0, 0, 10, 10]], [0])]
        >>> average_precision(truth, [Predictions([[0, 0, 10, 8]], [0.9], [0])], classes=1).mean_50
        1.0
    """
    matches = match_boxes(objects, predictions, classes, THRESHOLDS, _AREAS, max_detections)
    figures = average_precisions(matches)  # [C, A, T]
    everything = figures[:, 0]
    return AveragePrecision(
        _mean(everything),
        _mean(everything[:, 0]),
        _mean(everything[:, THRESHOLDS.index(0.75)]),
        *(_mean(figures[:, area]) for area in range(1, len(_AREAS))),
        by_class=everything.mean(axis=1),
        by_class_50=everything[:, 0],
    )


def voc_average_precision(
    objects: Sequence[Objects], predictions: Sequence[Predictions], classes: int, iou: float = 0.5
) -> np.ndarray:
    """Pascal VOC's average precision of each class: the whole area under the curve (VOC 2010 and later).

    Args:
        objects: of each image.
        predictions: of each image, in the same order.
        classes: how many there are.
        iou: the overlap that a match needs.

    Returns:
        float [C], NaN for classes without objects; VOC's mAP is `numpy.nanmean` of it.

    Raises:
        ValueError: as for `match_boxes`.
    """
    return average_precisions(match_boxes_voc(objects, predictions, classes, iou), all_points=True)[:, 0, 0]


def average_precisions(matches: Matches, all_points: bool = False) -> np.ndarray:
    """The average precision of each class, area range and threshold.

    Args:
        matches: see `match_boxes`.
        all_points: the area under the curve (Pascal VOC) instead of 101 recalls (COCO).

    Returns:
        float [C, A, T], NaN where there is nothing to be found.
    """
    once = np.ones((1, matches.images), int)
    ranges, thresholds = matches.correct.shape[:2]
    figures = np.full((matches.classes, ranges, thresholds), np.nan)
    for label, index in enumerate(_by_class(matches)):
        for area in range(ranges):
            for threshold in range(thresholds):
                figures[label, area, threshold] = _resampled(
                    matches, label, index, area, threshold, once, all_points
                )[0]
    return figures


def bootstrap_average_precision(matches: Matches, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """The mean average precision of image sets drawn with replacement (Efron, 1979).

    Two detectors on the same images are drawn the same sets with the same seed, so that the differences of
    their results tell how sure the difference is.

    Args:
        matches: with one or more thresholds; the first area range is used.
        resamples: R, how many sets are drawn, each as large as the original.
        seed: of the draws.

    Returns:
        float [R], the mean over classes with objects and over thresholds; NaN for a set without any.

    Raises:
        ValueError: fewer than two images.

    Example:
        >>> samples = bootstrap_average_precision(match_boxes(objects, predictions, 80, (0.5,)))
        >>> low, high = interval(samples)
    """
    if matches.images < 2:
        raise ValueError(f"a bootstrap expects two or more images; received {matches.images}")
    draws = np.random.default_rng(seed).integers(0, matches.images, (resamples, matches.images))
    weights = np.zeros((resamples, matches.images), int)
    np.add.at(weights, (np.arange(resamples)[:, None], draws), 1)
    total, count = np.zeros(resamples), np.zeros(resamples)
    for label, index in enumerate(_by_class(matches)):
        for threshold in range(matches.correct.shape[1]):
            rows = max(1, _NUMBERS_AT_ONCE // max(1, len(index)))
            for begin in range(0, resamples, rows):
                part = slice(begin, begin + rows)
                figures = _resampled(matches, label, index, 0, threshold, weights[part])
                total[part] += np.nan_to_num(figures)
                count[part] += ~np.isnan(figures)
    return np.divide(total, count, out=np.full(resamples, np.nan), where=count > 0)


def _mean(figures: np.ndarray) -> float:
    known = figures[~np.isnan(figures)]
    return float(known.mean()) if known.size else float("nan")


def _by_class(matches: Matches) -> list[np.ndarray]:
    """For each class its predictions, best first; of equals those of earlier images first."""
    order = np.lexsort((-matches.score, matches.label))
    return np.split(order, np.searchsorted(matches.label[order], np.arange(1, matches.classes)))


def _resampled(
    matches: Matches,
    label: int,
    index: np.ndarray,
    area: int,
    threshold: int,
    weights: np.ndarray,
    all_points: bool = False,
) -> np.ndarray:
    """One class's average precision when image i is there weights[r, i] times; float [R].

    Only the correct predictions are looked at: between two of them precision falls, and recall stays.
    """
    totals = weights @ matches.totals[area, :, label]  # [R]
    correct, wrong = (part[area, threshold, index] for part in (matches.correct, matches.wrong))
    times = weights[:, matches.image[index]]  # [R, n]
    hits = np.cumsum(times * correct, axis=1)[:, correct]  # [R, k]
    misses = np.cumsum(times * wrong, axis=1)[:, correct]
    precision = hits / np.maximum(hits + misses, 1)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    if all_points:
        gained = (envelope * times[:, correct]).sum(axis=1)
        return np.divide(gained, totals, out=np.full(len(totals), np.nan), where=totals > 0)
    # All rows are searched at once: in whole numbers, so that each can be moved out of the others' way.
    needed = _needed(totals)  # [R, 101]
    width = int(max(hits.max(initial=0), needed.max())) + 1
    rows = np.arange(len(totals))[:, None]
    where = np.searchsorted((hits + rows * width).ravel(), (needed + rows * width).ravel()).reshape(
        needed.shape
    )
    where -= rows * hits.shape[1]
    padded = np.pad(envelope, ((0, 0), (0, 1)))  # a recall that is never reached has precision 0
    figures = np.take_along_axis(padded, np.minimum(where, hits.shape[1]), axis=1).mean(axis=1)
    return np.where(totals > 0, figures, np.nan)


def _needed(totals: np.ndarray) -> np.ndarray:
    """The hits that each recall needs: the least n with n / total ≥ recall in floats; int [R, 101]."""
    whole = np.maximum(totals, 1)[:, None]
    needed = np.ceil(_RECALLS * whole).astype(int)
    needed -= (needed - 1) / whole >= _RECALLS
    return needed + (needed / whole < _RECALLS)
