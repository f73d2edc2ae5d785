"""The worst, the median and the best image of a method, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kind.detection.drawing import draw_verdict
from kind.detection.evaluation.figures import ImageFigures, confident
from kind.detection.evaluation.search import Inputs, Method
from kind.detection.evaluation.summary import Evaluation
from kind.errors import UserError
from kind.reports.cases import choose_cases, write_picture


class Case(NamedTuple):
    """One image of the report.

    Attributes:
        label: "worst", "median" or "best".
        method: what searched it.
        image: its name.
        figures: of the image.
        pictures: (caption, file); empty when the image could not be read any more.
    """

    label: str
    method: Method
    image: str
    figures: ImageFigures
    pictures: list[tuple[str, Path]]

    @property
    def title(self) -> str:
        """Which case it is, of which method and image."""
        figures = self.figures
        return (
            f"{self.method.name}: {self.label} by F1: {self.image} ({figures.f1:.2f}; "
            f"{figures.correct} correct, {figures.wrong} wrong, {figures.missed} missed)"
        )

    @property
    def captioned(self) -> list[tuple[str, str, Path]]:
        """The pictures: what each shows, as alternative text and as caption, and its file."""
        return [(f"{caption}: {self.image}", caption, path) for caption, path in self.pictures]


def rank(figures: Sequence[ImageFigures]) -> list[int]:
    """Sorts images by F1, the worst first, of equals by correct predictions minus mistakes.

    Args:
        figures: of each image, by one method.

    Returns:
        Positions of images, those left out in which there is no object and nothing was found.
    """
    ranked = sorted(
        (entry.f1, entry.correct - entry.wrong - entry.missed, -position)
        for position, entry in enumerate(figures)
        if entry.f1 is not None
    )
    return [-position for *_, position in ranked]


def draw_cases(evaluation: Evaluation, inputs: Inputs, folder: Path) -> list[Case]:
    """Draws the chosen images of every method: the photograph, and what was found in what the detector saw.

    Args:
        evaluation: what was found, and how good it is.
        inputs: makes the inputs again.
        folder: where the pictures go.

    Returns:
        Cases in the order of the methods.
    """
    cases = []
    for number, (line, figures) in enumerate(zip(evaluation.lines, evaluation.image_figures)):
        for label, position in choose_cases(rank(figures)):
            pictures = []
            for part, (caption, pixels) in enumerate(_pictures(evaluation, number, position, inputs), 1):
                pictures.append((caption, folder / f"case-{number + 1}-{label}-{part}.jpg"))
                write_picture(pictures[-1][1], pixels)
            name = evaluation.search.samples[position].name
            cases.append(Case(label, line.method, name, figures[position], pictures))
    return cases


def _pictures(
    evaluation: Evaluation, number: int, position: int, inputs: Inputs
) -> list[tuple[str, np.ndarray]]:
    """The photograph, and what a method found in what it saw; none when it cannot be read any more."""
    kind = evaluation.lines[number].method.input
    search = evaluation.search
    try:
        photograph = inputs.photograph(search.samples[position])
    except UserError:  # searched in an earlier run, and gone or changed since
        return []
    seen = np.asarray(inputs.of(photograph, [kind])[kind])
    found = confident(search.found[number][position], evaluation.confidence)
    drawn = draw_verdict(seen, search.objects[position], found, evaluation.class_names)
    return [("photograph", photograph), (f"found in {kind}", drawn)]
