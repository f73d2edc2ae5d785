"""Boxes of many images in flat arrays: what is there, what was predicted, and what overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_PAIRS_AT_ONCE = 1 << 17  # as many as fit in a processor's cache


class Objects(NamedTuple):
    """What is in one image.

    Attributes:
        boxes: float [G, 4], left, top, right, bottom in pixels; G may be 0.
        classes: int [G], from 0.
        crowd: bool [G], regions with many objects in one box: predictions inside count neither way, however
            many. None when there are none.
        ignored: bool [G], objects that need not be found (Pascal VOC's `difficult`); likewise None.
        areas: float [G], square pixels, by which objects are small or large; None takes the boxes'.
    """

    boxes: np.ndarray
    classes: np.ndarray
    crowd: np.ndarray | None = None
    ignored: np.ndarray | None = None
    areas: np.ndarray | None = None


class Predictions(NamedTuple):
    """What a detector says is in one image: boxes float [P, 4], scores float [P], classes int [P]."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


class Found(NamedTuple):
    """Predictions of all images, sorted by image, class and falling score; fields as in `Matches`.

    A group is what one image has of one class: image · classes + label.
    """

    group: np.ndarray
    score: np.ndarray
    boxes: np.ndarray
    position: np.ndarray


class Truth(NamedTuple):
    """Objects of all images; fields as in `Found` and `Objects`."""

    group: np.ndarray
    boxes: np.ndarray
    crowd: np.ndarray
    ignored: np.ndarray
    areas: np.ndarray


class Pairs(NamedTuple):
    """Predictions and objects of one group that overlap enough, in the order of predictions.

    Attributes:
        found: int [P], index into `Found`.
        truth: int [P], index into `Truth`.
        iou: float [P].
    """

    found: np.ndarray
    truth: np.ndarray
    iou: np.ndarray


def flattened_objects(objects: Sequence[Objects], classes: int) -> Truth:
    """All images' objects; ValueError when an image's arrays do not fit together."""
    parts = [_checked(item, ("crowd", "ignored", "areas"), classes) for item in objects]
    none = [np.zeros(len(part.classes), bool) for part in parts]
    return Truth(
        _groups(parts, classes),
        _joined([part.boxes for part in parts], (4,)),
        _joined([no if p.crowd is None else p.crowd for p, no in zip(parts, none)]).astype(bool),
        _joined([no if p.ignored is None else p.ignored for p, no in zip(parts, none)]).astype(bool),
        _joined([area(p.boxes) if p.areas is None else p.areas for p in parts]),
    )


def flattened_predictions(predictions: Sequence[Predictions], classes: int) -> Found:
    """All images' predictions; ValueError when an image's arrays do not fit together."""
    parts = [_checked(item, ("scores",), classes) for item in predictions]
    found = Found(
        _groups(parts, classes),
        _joined([part.scores for part in parts]),
        _joined([part.boxes for part in parts], (4,)),
        _joined([np.arange(len(part.classes)) for part in parts]).astype(int),
    )
    return _picked(found, np.lexsort((-found.score, found.group)))


def best_of_each(found: Found, most: int) -> Found:
    """The best predictions of each image and class."""
    return _picked(found, place_in_run(found.group) < most)


def place_in_run(values: np.ndarray) -> np.ndarray:
    """How many equal values stand right before each: [7, 7, 5, 5, 5] → [0, 1, 0, 1, 2]."""
    starts = np.flatnonzero(np.diff(values, prepend=-1))  # groups are never negative
    return np.arange(len(values)) - np.repeat(starts, np.diff(starts, append=len(values)))


def area(boxes: np.ndarray) -> np.ndarray:
    """Square pixels of boxes: [..., 4] → [...]."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def overlapping(found: Found, truth: Truth, least: float) -> Pairs:
    """All pairs of a group with an overlap of `least` or more."""
    order = np.argsort(truth.group, kind="stable")
    first, last = (np.searchsorted(truth.group[order], found.group, side) for side in ("left", "right"))
    ends = np.cumsum(last - first)
    parts, begin = [Pairs(np.zeros(0, int), np.zeros(0, int), np.zeros(0))], 0
    while begin < len(ends):
        done = ends[begin - 1] if begin else 0
        end = max(int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, "right")), begin + 1)
        counts = (last - first)[begin:end]
        rows = np.repeat(np.arange(begin, end), counts)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        columns = order[first[rows] + within]
        iou = _overlap(found.boxes[rows], truth.boxes[columns], truth.crowd[columns])
        kept = iou >= least
        parts.append(Pairs(rows[kept], columns[kept], iou[kept]))
        begin = end
    return Pairs(*(np.concatenate(values) for values in zip(*parts)))


def _overlap(boxes: np.ndarray, others: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """Intersection over union, or over the first box's area where the second is a crowd; [n, 4] → [n]."""
    sides = np.minimum(boxes[:, 2:], others[:, 2:]) - np.maximum(boxes[:, :2], others[:, :2])
    shared = np.maximum(sides[:, 0], 0) * np.maximum(sides[:, 1], 0)
    union = np.where(crowd, area(boxes), area(boxes) + area(others) - shared)
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _groups(parts: Sequence, classes: int) -> np.ndarray:
    """Image · classes + label of every box."""
    image = np.repeat(np.arange(len(parts)), [len(part.classes) for part in parts])
    return image * classes + _joined([part.classes for part in parts]).astype(int)


def _checked(item, others: Sequence[str], classes: int):
    """One image's arrays with the right shapes; Python lists and float32 become float64 arrays."""
    item = item._replace(boxes=np.asarray(item.boxes, float).reshape(-1, 4), classes=np.asarray(item.classes))
    count = len(item.classes)
    lengths = [
        len(item.boxes),
        *(len(getattr(item, name)) for name in others if getattr(item, name) is not None),
    ]
    if any(length != count for length in lengths):
        raise ValueError(f"an image's arrays expect one length; received {count} classes and {lengths}")
    if count and not (item.classes.min() >= 0 and item.classes.max() < classes):
        raise ValueError(
            f"class numbers expect 0 to {classes - 1}; received {sorted(set(item.classes.tolist()))}"
        )
    return item


def _joined(parts: Sequence[np.ndarray], shape: tuple[int, ...] = ()) -> np.ndarray:
    return np.concatenate([np.zeros((0, *shape)), *parts])


def _picked(found: Found, index: np.ndarray) -> Found:
    return Found(*(values[index] for values in found))
