"""Matches a detector's classes with those of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kind.errors import UserError
from kind.metrics.boxes import Predictions

# What Pascal VOC and ExDark call COCO's classes, in the form of `_simple`.
_COCO_NAMES = {
    "aeroplane": "airplane",
    "motorbike": "motorcycle",
    "people": "person",
    "sofa": "couch",
    "table": "diningtable",
    "tvmonitor": "tv",
}


class ClassMatching(NamedTuple):
    """The common classes.

    Attributes:
        numbers: int [D], for each class of the detector that of the data set, -1 where it has none.
        unknown: names of the data set's classes that the detector does not know.
    """

    numbers: np.ndarray
    unknown: tuple[str, ...]

    def translated(self, found: Predictions) -> Predictions:
        """Predictions with the data set's class numbers; those of other classes are left out."""
        classes = self.numbers[found.classes]
        kept = classes >= 0
        return Predictions(found.boxes[kept], found.scores[kept], classes[kept])


def match_classes(detector: Sequence[str], data: Sequence[str], of: str) -> ClassMatching:
    """Matches classes by name, whatever their case, blanks and hyphens, and by VOC's and ExDark's synonyms.

    Args:
        detector: the detector's class names.
        data: the data set's.
        of: the detector's name, for messages.

    Returns:
        The matching.

    Raises:
        UserError: when they have no class in common.
    """
    numbers = {_simple(name): number for number, name in enumerate(data)}
    matched = np.array([numbers.get(_simple(name), -1) for name in detector], int)
    if len(matched) and (matched < 0).all():  # who found nothing names no class
        raise UserError(
            f"{of}: knows none of the data set's classes: it finds {_some(detector)}; the data set has "
            f"{_some(data)}"
        )
    known = set(matched.tolist())
    return ClassMatching(matched, tuple(name for number, name in enumerate(data) if number not in known))


def _simple(name: str) -> str:
    letters = "".join(letter for letter in name.casefold() if letter.isalnum())
    return _COCO_NAMES.get(letters, letters)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
