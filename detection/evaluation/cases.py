"""The worst, the median and the best image of a method, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from kind.detection.drawing import draw_verdict
from kind.detection.evaluation.figures import ImageFigures, confident
from kind.detection.evaluation.search import Inputs, Method
from kind.detection.evaluation.summary import Evaluation
from kind.errors import UserError
from kind.images.photo import write_photo

_LONGEST_SIDE = 900


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


def choose_cases(figures: Sequence[ImageFigures]) -> list[tuple[str, int]]:
    """Picks worst, median and best image by F1, of equals by right minus wrong.

    Args:
        figures: of each image, by one method.

    Returns:
        (label, position); of two images only worst and best, of one only itself. Images without objects in
        which nothing was found are none of them.
    """
    ranked = sorted(
        (entry.f1, entry.correct - entry.wrong - entry.missed, -position)
        for position, entry in enumerate(figures)
        if entry.f1 is not None
    )
    places = {"worst": 0, "median": (len(ranked) - 1) // 2, "best": len(ranked) - 1}
    wanted = ("worst", "median", "best") if len(ranked) > 2 else ("worst", "best")[: len(ranked)]
    return [(label, -ranked[places[label]][2]) for label in wanted]


def draw_cases(evaluation: Evaluation, inputs: Inputs, folder: Path) -> list[Case]:
    """Draws the chosen images of every method: the photograph, and what was found in what the detector saw.

    Args:
        evaluation: what was found, and how good it is.
        inputs: makes the inputs again.
        folder: where the pictures go; pictures of an earlier report are replaced.

    Returns:
        Cases in the order of the methods.
    """
    cases = []
    for number, (line, figures) in enumerate(zip(evaluation.lines, evaluation.image_figures)):
        for label, position in choose_cases(figures):
            pictures = []
            for part, (caption, pixels) in enumerate(_pictures(evaluation, number, position, inputs), 1):
                pictures.append((caption, folder / f"case-{number + 1}-{label}-{part}.jpg"))
                _write_small(pictures[-1][1], pixels)
            name = evaluation.search.samples[position].name
            cases.append(Case(label, line.method, name, figures[position], pictures))
    used = {path for case in cases for _, path in case.pictures}
    for path in set(folder.glob("case-*.jpg")) - used:
        path.unlink()
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
    seen = inputs.of(photograph, [kind])[kind].numpy()
    found = confident(search.found[number][position], evaluation.confidence)
    drawn = draw_verdict(seen, search.objects[position], found, evaluation.class_names)
    return [("photograph", photograph), (f"found in {kind}", drawn)]


def _write_small(path: Path, pixels: np.ndarray) -> None:
    picture = Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    write_photo(path, np.asarray(picture, np.float32) / 255, quality=90)
