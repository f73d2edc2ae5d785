"""The worst, the median and the best case of a method, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kind.errors import UserError
from kind.evaluation.methods import Method, Sample
from kind.evaluation.run import Row
from kind.evaluation.scoring import outputs_by_protocol, read_sample
from kind.reports.cases import choose_cases, write_picture

ERROR_RANGE = 0.5
_RAMP = np.array([[0, 0, 0], [0.5, 0, 0.3], [1, 0.4, 0], [1, 0.9, 0.3], [1, 1, 1]])


class Case(NamedTuple):
    """One image of the report.

    Attributes:
        label: "worst", "median" or "best".
        row: its figures.
        by: the column that chose it.
        pictures: (caption, file beside the report); empty when the image could not be read any more.
    """

    label: str
    row: Row
    by: str
    pictures: list[tuple[str, Path]]

    @property
    def title(self) -> str:
        """Which case it is, by which figure, of which image."""
        return f"{self.label} by {self.by.upper()}: {self.row.image} ({self.row.figures[self.by]:.2f})"

    @property
    def captioned(self) -> list[tuple[str, str, Path]]:
        """The pictures: what each shows in a word, its caption, its file."""
        captions = {"error": f"error map, black 0 to white {ERROR_RANGE:g}"}
        image = self.row.image
        return [(f"{name} of {image}", captions.get(name, name), path) for name, path in self.pictures]


def rank(rows: Sequence[Row]) -> tuple[str, list[Row]]:
    """Sorts the rows of one method and protocol, the worst first.

    Args:
        rows: of one method under one protocol.

    Returns:
        The column that decides: PSNR where there are targets, otherwise NIQE, otherwise LOE; and the rows
        that have a figure in it.
    """
    for column, better in (("psnr", 1), ("niqe", -1), ("loe", -1)):
        known = [row for row in rows if row.figures.get(column) is not None]
        if known:
            return column, sorted(known, key=lambda row: (better * row.figures[column], row.image))
    return "", []


def draw_cases(
    rows: Sequence[Row], methods: Sequence[Method], samples: Sequence[Sample], folder: Path
) -> list[Case]:
    """Makes the pictures of every method that is not a baseline, under every protocol.

    Pictures that are there from an earlier run of the same content are used.

    Args:
        rows: all.
        methods: all.
        samples: all.
        folder: where the pictures go.

    Returns:
        Cases in the order of the rows.
    """
    by_name = {sample.name: sample for sample in samples}
    shown = {method.name: method for method in methods if not method.is_baseline}
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.method in shown:
            groups.setdefault((row.method, row.protocol), []).append(row)
    cases = []
    for group in groups.values():
        column, ranked = rank(group)
        for label, row in choose_cases(ranked):
            pictures = _draw(row, shown[row.method], by_name[row.image], folder)
            cases.append(Case(label, row, column, pictures))
    return cases


def draw_together(
    cases: Sequence[Case],
    rows: Sequence[Row],
    methods: Sequence[Method],
    samples: Sequence[Sample],
    folder: Path,
) -> list[tuple[str, list[tuple[str, str, Path]]]]:
    """Makes the pictures of every method for the images that the first method's cases show.

    Args:
        cases: of `draw_cases`.
        rows: all.
        methods: all; with one there is nothing to compare.
        samples: all.
        folder: where the pictures go.

    Returns:
        A title and the pictures of each image as in `Case.captioned`: the input, each method, the target.
    """
    by_name, by_method = {each.name: each for each in samples}, {each.name: each for each in methods}
    together = []
    for case in cases if len(methods) > 1 else ():
        image, method, protocol = case.row[:3]
        if (method, protocol) != cases[0].row[1:3] or not case.pictures:
            continue
        own = dict(case.pictures)
        pictures = {"input": own["input"]}
        for row in rows:
            if (row.image, row.protocol) == (image, protocol):
                drawn = dict(_draw(row, by_method[row.method], by_name[image], folder))
                pictures.update({row.method: drawn["output"]} if drawn else {})
        pictures.update({"target": own["target"]} if "target" in own else {})
        title = f"{image}, {protocol}: {case.label} by {case.by.upper()} of {method}"
        together.append((title, [(f"{name} of {image}", name, path) for name, path in pictures.items()]))
    return together


def error_map(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Mean absolute error over channels as colour: black at 0, white at 0.5 and beyond.

    Args:
        output: float [H, W, 3] in [0, 1].
        target: the same shape.

    Returns:
        float64 [H, W, 3] in [0, 1].
    """
    error = np.abs(np.asarray(output, np.float64) - target).mean(axis=2) / ERROR_RANGE
    positions = np.linspace(0, 1, len(_RAMP))
    return np.stack([np.interp(error, positions, _RAMP[:, channel]) for channel in range(3)], axis=2)


def _draw(row: Row, method: Method, sample: Sample, folder: Path) -> list[tuple[str, Path]]:
    captions = ["input", "output"] + (["target", "error"] if sample.high else [])
    files = [(caption, folder / f"case-{row.key[:16]}-{row.protocol}-{caption}.jpg") for caption in captions]
    if all(path.is_file() for _, path in files):
        return files
    try:
        dark, target = read_sample(sample)
        output = outputs_by_protocol(method, sample, dark, target)[row.protocol].image
    except UserError:  # scored in an earlier run, and gone or changed within this one
        return []
    images = [dark, output] + ([target, error_map(output, target)] if target is not None else [])
    for (_, path), image in zip(files, images):
        write_picture(path, image)
    return files
