"""Precision over recall, F1 over confidence, and which class is taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kind.detection.evaluation.figures import confident
from kind.metrics.box_matching import match_boxes
from kind.metrics.boxes import Objects, Predictions

IOU = 0.5
RECALLS = np.linspace(0.0, 1.0, 101)
CONFIDENCES = np.linspace(0.0, 1.0, 101)
BACKGROUND, OTHERS = "background", "others"


class Curves(NamedTuple):
    """One method at IoU threshold 0.5.

    Attributes:
        precision: float [101] at `RECALLS`, interpolated as for COCO, mean over the classes with objects;
            None without objects.
        f1: float [101] of all classes together, of predictions with a score over each of `CONFIDENCES`; None
            without objects.
    """

    precision: np.ndarray | None
    f1: np.ndarray | None

    @property
    def best(self) -> tuple[float, float]:
        """The highest F1 and the confidence that gives it."""
        place = int(self.f1.argmax())
        return float(self.f1[place]), float(CONFIDENCES[place])


class Confusion(NamedTuple):
    """How often which class was taken for which.

    Attributes:
        names: of the classes that occur, the commonest first, then "others" where there are too many, and
            "background".
        counts: int [K, K], objects of a class (row) that were found as a class (column). The last row counts
            predictions where nothing is, the last column objects that were missed.
    """

    names: list[str]
    counts: np.ndarray


def curves_of(objects: Sequence[Objects], found: Sequence[Predictions], classes: int, counted: int) -> Curves:
    """Makes the curves of one method.

    Args:
        objects: of each image.
        found: of each image, in the same order.
        classes: how many there are.
        counted: boxes of one class in one image that count, the best ones.

    Returns:
        The curves.
    """
    matches = match_boxes(objects, found, classes, (IOU,), max_detections=counted)
    correct, wrong, totals = matches.correct[0, 0], matches.wrong[0, 0], matches.totals[0].sum(axis=0)
    if not totals.any():
        return Curves(None, None)
    curves = []
    for label in np.flatnonzero(totals):
        order = np.flatnonzero(matches.label == label)
        order = order[np.argsort(-matches.score[order], kind="stable")]
        hits, misses = np.cumsum(correct[order]), np.cumsum(wrong[order])
        precision = np.maximum.accumulate((hits / np.maximum(hits + misses, 1))[::-1])[::-1]
        where = np.searchsorted(hits / totals[label], RECALLS)
        curves.append(np.append(precision, 0.0)[where])  # 0 where a recall is never reached
    over = matches.score > CONFIDENCES[:, None]
    right, false = (over & correct).sum(axis=1), (over & wrong).sum(axis=1)
    return Curves(np.mean(curves, axis=0), 2 * right / (right + false + totals.sum()))


def confusion_of(
    objects: Sequence[Objects],
    found: Sequence[Predictions],
    class_names: Sequence[str],
    confidence: float,
    most: int = 20,
) -> Confusion:
    """Matches boxes whatever their classes, and counts pairs of classes.

    Args:
        objects: of each image; what does not count is left out, with the predictions that found it.
        found: of each image.
        class_names: the data set's.
        confidence: predictions with this score and less are left out.
        most: classes that are shown; the rarest beyond are "others".

    Returns:
        The counts.
    """
    pairs: Counter[tuple[int, int]] = Counter()
    for truth, predictions in zip(objects, found):
        pairs.update(_pairs(truth, confident(predictions, confidence)))
    times = Counter(label for pair, count in pairs.items() for label in pair * count if label >= 0)
    shown = [label for label, _ in sorted(times.items(), key=lambda item: (-item[1], item[0]))]
    has_others = len(shown) > most
    shown = shown[: most - 1] if has_others else shown
    names = [*(class_names[label] for label in shown), *([OTHERS] if has_others else []), BACKGROUND]
    places = {label: place for place, label in enumerate(shown)}
    counts = np.zeros((len(names), len(names)), int)
    for pair, count in pairs.items():
        row, column = (places.get(label, len(shown)) if label >= 0 else len(names) - 1 for label in pair)
        counts[row, column] += count
    return Confusion(names, counts)


def _pairs(objects: Objects, found: Predictions) -> list[tuple[int, int]]:
    """(true class, predicted class) of one image, -1 for nothing."""
    truth, labels = np.asarray(objects.classes, int), np.asarray(found.classes, int)
    counts = ~(np.asarray(objects.crowd, bool) | np.asarray(objects.ignored, bool))
    as_one = objects._replace(classes=np.zeros(len(truth), int))
    most = max(1, len(labels))
    matches = match_boxes(
        [as_one], [found._replace(classes=np.zeros(len(labels), int))], 1, (IOU,), max_detections=most
    )
    partner = np.full(len(labels), -1)
    partner[matches.position] = matches.matched[0, 0]
    pairs = [(int(truth[index]), -1) for index in np.flatnonzero(counts) if index not in partner]
    for label, index in zip(labels, partner):
        if index < 0 or counts[index]:
            pairs.append((int(truth[index]) if index >= 0 else -1, int(label)))
    return pairs
