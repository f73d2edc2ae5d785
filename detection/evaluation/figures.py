"""Figures of several methods on the same images, and their differences with confidence intervals."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from kind.detection.evaluation.search import Method, Search
from kind.metrics.average_precision import (
    THRESHOLDS,
    AveragePrecision,
    average_precision,
    bootstrap_average_precision,
    voc_average_precision,
)
from kind.metrics.box_matching import judge_image, match_boxes
from kind.metrics.boxes import Objects, Predictions
from kind.reports.bootstrap import FEWEST_IMAGES, percentile_interval

COLUMNS = {
    "map": "mAP50-95",
    "map_50": "mAP50",
    "map_75": "mAP75",
    "small": "small",
    "medium": "medium",
    "large": "large",
    "voc_50": "VOC AP50",
}
"""The figures' keys and headings."""

SURE = ("map", "map_50")
"""The figures with intervals and differences."""

COUNTED = 100
"""Boxes of one class in one image that count, the best ones, as in COCO's own figures."""

Interval = tuple[float, float]


class Difference(NamedTuple):
    """A method's figure minus the first method's on the same images, and its 95 % interval if any."""

    value: float
    interval: Interval | None


class Line(NamedTuple):
    """One method.

    Attributes:
        method: the detector and its input.
        figures: by key of `COLUMNS`, in [0, 1]; None where there is no object to be found.
        intervals: bootstrap 95 % intervals over images, by key of `SURE`; None of fewer than `FEWEST_IMAGES`.
        differences: to the first method, by key of `SURE`; empty for the first.
        by_class: mAP50-95 and AP50 of each class of the data set, None for one without objects.
    """

    method: Method
    figures: dict[str, float | None]
    intervals: dict[str, Interval | None]
    differences: dict[str, Difference]
    by_class: list[tuple[float | None, float | None]]


class ImageFigures(NamedTuple):
    """One image by one method, at the confidence that pictures are drawn with.

    Attributes:
        correct: predictions that found an object.
        wrong: predictions that did not.
        missed: objects that were not found.
        f1: 2·correct / (2·correct + wrong + missed); None where there is nothing and nothing was found.
    """

    correct: int
    wrong: int
    missed: int
    f1: float | None


def compared(search: Search, methods: Sequence[Method], classes: int, counted: int = COUNTED) -> list[Line]:
    """Scores every method on all images.

    Args:
        search: what was found.
        methods: which methods, in the same order.
        classes: how many the data set has.
        counted: boxes of one class in one image that count.

    Returns:
        One line for each method.
    """
    lines: list[Line] = []
    first: dict[str, np.ndarray | None] = {}
    for method, found in zip(methods, search.found):
        figures, by_class = _figures(search.objects, found, classes, counted)
        drawn = _drawn(search.objects, found, classes, counted)
        first = first or drawn
        differences = {key: _difference(key, figures, lines[0], drawn, first) for key in SURE if lines}
        lines.append(
            Line(
                method,
                figures,
                {key: _interval(samples) for key, samples in drawn.items()},
                {key: value for key, value in differences.items() if value},
                by_class,
            )
        )
    return lines


class Means(NamedTuple):
    """Means over some classes, in [0, 1]; None where none of them has an object."""

    map: float | None
    map_50: float | None


def means_over(line: Line, classes: Collection[int]) -> Means:
    """The means of a line's figures over those of some classes that have objects.

    Args:
        line: of one method.
        classes: class numbers of the data set.

    Returns:
        mAP50-95 and mAP50.
    """
    chosen = [line.by_class[number] for number in classes]
    columns = ([values[place] for values in chosen if values[place] is not None] for place in (0, 1))
    return Means(*(float(np.mean(column)) if column else None for column in columns))


def figures_of_image(objects: Objects, found: Predictions, confidence: float) -> ImageFigures:
    """Counts correct and wrong predictions and missed objects of one image at IoU threshold 0.5.

    Args:
        objects: what is there.
        found: all predictions.
        confidence: those with this score and less are left out.

    Returns:
        The counts; crowds and difficult objects count neither way.
    """
    verdict = judge_image(objects, confident(found, confidence))
    counts = ~(np.asarray(objects.crowd, bool) | np.asarray(objects.ignored, bool))
    correct, wrong = int(verdict.correct.sum()), int(verdict.wrong.sum())
    missed = int((counts & ~verdict.found).sum())
    total = 2 * correct + wrong + missed
    return ImageFigures(correct, wrong, missed, 2 * correct / total if total else None)


def confident(found: Predictions, confidence: float) -> Predictions:
    """The predictions with a higher score."""
    kept = found.scores > confidence
    return Predictions(*(part[kept] for part in found))


def _figures(
    objects: Sequence[Objects], found: Sequence[Predictions], classes: int, counted: int
) -> tuple[dict[str, float | None], list[tuple[float | None, float | None]]]:
    coco: AveragePrecision = average_precision(objects, found, classes, counted)
    voc = voc_average_precision(objects, found, classes)
    values = (coco.mean, coco.mean_50, coco.mean_75, coco.small, coco.medium, coco.large)
    voc_mean = float(voc[~np.isnan(voc)].mean()) if not np.isnan(voc).all() else float("nan")
    by_class = [(_known(whole), _known(half)) for whole, half in zip(coco.by_class, coco.by_class_50)]
    return dict(zip(COLUMNS, map(_known, (*values, voc_mean)))), by_class


def _drawn(
    objects: Sequence[Objects], found: Sequence[Predictions], classes: int, counted: int
) -> dict[str, np.ndarray | None]:
    """The figures of `SURE` on sets of images drawn with replacement, the same sets for every method."""
    if len(objects) < FEWEST_IMAGES:
        return dict.fromkeys(SURE)
    thresholds = {"map": THRESHOLDS, "map_50": THRESHOLDS[:1]}
    return {
        key: bootstrap_average_precision(
            match_boxes(objects, found, classes, thresholds[key], max_detections=counted)
        )
        for key in SURE
    }


def _interval(samples: np.ndarray | None) -> Interval | None:
    return None if samples is None or np.isnan(samples).all() else percentile_interval(samples)


def _difference(
    key: str,
    figures: dict[str, float | None],
    first: Line,
    drawn: dict[str, np.ndarray | None],
    drawn_first: dict[str, np.ndarray | None],
) -> Difference | None:
    value, reference = figures[key], first.figures[key]
    if value is None or reference is None:
        return None
    both = drawn[key] is not None and drawn_first[key] is not None
    return Difference(value - reference, _interval(drawn[key] - drawn_first[key]) if both else None)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
