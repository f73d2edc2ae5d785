"""The content of a report, computed from predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from kind.constants import CONFIDENCE
from kind.detection.evaluation.figures import COUNTED, ImageFigures, Line, compared, figures_of_image
from kind.detection.evaluation.search import Method, Search


class Evaluation(NamedTuple):
    """The content of a report.

    Attributes:
        facts: name and value: data, detectors, definitions.
        notes: what a reader must know before quoting a figure.
        class_names: the data set's.
        counts: objects of each class that are to be found.
        lines: one for each method.
        search: the images, and what was found.
        image_figures: for each method, of each image.
        confidence: that these are at.
        counted: boxes of one class in one image that count.
        old_classes: names of the classes that were known before others were learned; none when that is no
            question here.
    """

    facts: Sequence[tuple[str, str]]
    notes: Sequence[str]
    class_names: Sequence[str]
    counts: Sequence[int]
    lines: Sequence[Line]
    search: Search
    image_figures: Sequence[Sequence[ImageFigures]]
    confidence: float
    counted: int = COUNTED
    old_classes: Sequence[str] = ()


def summarise(
    search: Search,
    methods: Sequence[Method],
    class_names: Sequence[str],
    *,
    facts: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
    counted: int = COUNTED,
    confidence: float = CONFIDENCE,
    old_classes: Sequence[str] = (),
) -> Evaluation:
    """Scores what was found.

    Args:
        search: what was found.
        methods: by which methods, in the same order.
        class_names: the data set's.
        facts: what the header says.
        notes: what a reader must know; what is missing is added to them.
        counted: boxes of one class in one image that count.
        confidence: of the figures image by image, and of the pictures.
        old_classes: see `Evaluation`.

    Returns:
        The evaluation.
    """
    counts = Counter(
        int(label)
        for objects in search.objects
        for label, crowd, ignored in zip(objects.classes, objects.crowd, objects.ignored)
        if not (crowd or ignored)
    )
    notes = list(notes)
    if search.left_out:
        notes.append(f"left out: {', '.join(entry.image for entry in search.left_out)}")
    if not counts:
        notes.append("there is no object to be found in these images, so no figure is defined")
    return Evaluation(
        facts,
        notes,
        class_names,
        [counts[label] for label in range(len(class_names))],
        compared(search, methods, len(class_names), counted),
        search,
        [
            [figures_of_image(*pair, confidence) for pair in zip(search.objects, found)]
            for found in search.found
        ],
        confidence,
        counted,
        old_classes,
    )
