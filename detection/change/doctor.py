"""Checks a data set of change detection before training: `A/`, `B/` and `label/`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kind.data.pair_checks import Finding
from kind.data.parallel_checks import check_all
from kind.data.severity import ERROR, WARNING, Kind
from kind.detection.change.folders import SIDES, Triplet, by_stem, part_roots
from kind.errors import UserError
from kind.images.photo import read_photo

KINDS = {
    "unreadable": Kind(ERROR, "copy or export the file again, or remove the triplet"),
    "unmatched": Kind(ERROR, "give the file its partners of the same stem, or remove it"),
    "size": Kind(ERROR, "export all three at one size"),
    "no change": Kind(
        ERROR, "no label has a changed pixel: nothing can be learnt; check that changes are white"
    ),
    "equal": Kind(WARNING, "A and B are the same picture: one of them is in the wrong place"),
    "not a mask": Kind(WARNING, "more than two levels: what is brighter than half counts as changed"),
    "all changed": Kind(WARNING, "the label may be inverted: changes are white"),
}

_ALMOST_ALL = 0.95


class MeasuredTriplet(NamedTuple):
    """The measurements of one triplet.

    Attributes:
        triplet: its files.
        changed: part of its pixels that have changed; None when it cannot be told.
        findings: about it alone.
    """

    triplet: Triplet
    changed: float | None
    findings: list[Finding]


class ChangeExamination(NamedTuple):
    """The result of `examine_triplets`.

    Attributes:
        content: what the data set holds, in words.
        measured: every triplet whose three files are there.
        findings: in the order of `KINDS` and of the file names.
    """

    content: str
    measured: list[MeasuredTriplet]
    findings: list[Finding]


def examine_triplets(
    folder: str | Path, show_progress: Callable[[int, int], None] = lambda done, total: None
) -> ChangeExamination:
    """Checks every file of a data set.

    Args:
        folder: see `detection.change.folders`.
        show_progress: called with the number of triplets that are done, and how many there are.

    Returns:
        The findings.

    Raises:
        UserError: when the folders are empty.
    """
    triplets: dict[str, list[Triplet]] = {}
    findings: list[Finding] = []
    for name, root in part_roots(Path(folder)).items():
        files = [by_stem(root / side) for side in SIDES]
        stems = sorted(set().union(*files))
        whole = [stem for stem in stems if all(stem in found for found in files)]
        triplets[name] = [Triplet(stem, *(found[stem] for found in files)) for stem in whole]
        for stem in sorted({*stems} - {*whole}):
            there = tuple(found[stem] for found in files if stem in found)
            missing = [side for side, found in zip(SIDES, files) if stem not in found]
            findings.append(Finding("unmatched", there, f"no partner in {' and '.join(missing)}"))
    every = [triplet for part in triplets.values() for triplet in part]
    if not every and not findings:
        raise UserError(f"{folder}: {', '.join(SIDES)} hold no images")
    measured = check_all(every, _measured, show_progress)
    findings += [finding for one in measured for finding in one.findings]
    shares = [one.changed for one in measured if one.changed is not None]
    if shares and not any(shares):
        findings.append(Finding("no change", (), f"{len(shares)} labels are black"))
    findings.sort(key=lambda finding: (list(KINDS).index(finding.kind), finding.files))
    counts = ", ".join(f"{len(part)} {name}" for name, part in triplets.items())
    mean = f", {np.mean(shares):.1%} of the pixels have changed" if shares else ""
    return ChangeExamination(f"triplets: {counts}{mean}", measured, findings)


def _measured(triplet: Triplet) -> MeasuredTriplet:
    images = []
    for path in triplet[1:]:
        try:
            images.append(read_photo(path).pixels)
        except UserError as error:
            return MeasuredTriplet(triplet, None, [Finding("unreadable", (path,), str(error))])
    if len({image.shape for image in images}) > 1:
        sizes = ", ".join(f"{image.shape[1]}x{image.shape[0]}" for image in images)
        return MeasuredTriplet(triplet, None, [Finding("size", triplet[1:], sizes)])
    before, after, label = images
    found = []
    if np.array_equal(before, after):
        found.append(Finding("equal", triplet[1:3], "the same pixels"))
    levels = np.unique(label)
    if len(levels) > 2:
        found.append(Finding("not a mask", (triplet.label,), f"{len(levels)} levels"))
    changed = float((label.mean(axis=-1) > 0.5).mean())
    if changed > _ALMOST_ALL:
        found.append(Finding("all changed", (triplet.label,), f"{changed:.0%} of the pixels"))
    return MeasuredTriplet(triplet, changed, found)
