"""Figures of `benchmarks.detection_inputs`: one detector on one input of one set of photographs in one light.

Each is kept in a JSON file of its own, written by rename, so that a stopped experiment goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kind.constants import MAX_DETECTIONS, SCORED_CONFIDENCE
from kind.errors import UserError

if TYPE_CHECKING:
    from kind.data.annotations.annotated import AnnotatedImage
    from kind.detection.predictor import Predictor

FIGURES = {"map_50": "mAP50", "map": "mAP50-95"}
"""The figures' keys and headings."""

_DIGITS = 6
_VERSION = 1  # raise it when figures come about in another way: kept ones are then measured again


class Cell(NamedTuple):
    """The figures of one detector on one input.

    Attributes:
        figures: by key of `FIGURES`, in [0, 1]; None where there is no object to be found.
        drawn: float [R], the same on sets of photographs drawn with replacement, the same sets for all cells
            of the same photographs; None of fewer than ten photographs.
    """

    figures: dict[str, float | None]
    drawn: dict[str, np.ndarray | None]


class Estimate(NamedTuple):
    """A value and its 95 % interval, None where there is none."""

    value: float
    interval: tuple[float, float] | None


class Finder(NamedTuple):
    """A detector at work.

    Attributes:
        name: what tables call it.
        class_names: what it knows.
        find: finds objects.
        identity: all that its predictions depend on beside the image.
        size: longer side of what it sees, in pixels.
    """

    name: str
    class_names: tuple[str, ...]
    find: Predictor
    identity: str
    size: int


def load_finder(name: str, path: Path | None) -> Finder:
    """Reads a detector, or the one that ships.

    Raises:
        UserError: when it cannot be used.
    """
    from kind.detection.predictor import Predictor, Thresholds, load_detector
    from kind.nn.saving import weights_digest

    net = load_detector(path)
    own = Thresholds(confidence=SCORED_CONFIDENCE, max_detections=MAX_DETECTIONS).of(net)
    names = tuple(net.class_names)
    return Finder(name, names, Predictor(net, own), f"{weights_digest(net)} {names} {own}", own.size)


def measure(
    finder: Finder,
    images: Sequence[AnnotatedImage],
    class_names: Sequence[str],
    progress: Callable[[int, int], None] | None = None,
) -> Cell:
    """Searches every image and scores what is found.

    Args:
        finder: the detector.
        images: what it is given, with what is there.
        class_names: the data set's.
        progress: called with how many images are done and how many there are.

    Returns:
        The figures by COCO's rules.

    Raises:
        UserError: when an image cannot be read.
    """
    from kind.detection.evaluation.class_matching import match_classes
    from kind.images.photo import read_photo

    classes, found = match_classes(finder.class_names, class_names, finder.name), []
    for done, image in enumerate(images, 1):
        found.append(classes.translated(finder.find(read_photo(image.path).pixels)))
        if progress:
            progress(done, len(images))
    return scored([image.objects() for image in images], found, len(class_names))


def scored(objects: Sequence, found: Sequence, classes: int) -> Cell:
    """The figures of predictions; see `kind.metrics.average_precision`."""
    from kind.metrics.average_precision import THRESHOLDS, average_precision, bootstrap_average_precision
    from kind.metrics.box_matching import match_boxes
    from kind.reports.bootstrap import FEWEST_IMAGES

    whole = average_precision(objects, found, classes)
    figures = {"map_50": whole.mean_50, "map": whole.mean}
    drawn: dict[str, np.ndarray | None] = dict.fromkeys(FIGURES)
    if len(objects) >= FEWEST_IMAGES:
        for key, thresholds in (("map_50", THRESHOLDS[:1]), ("map", THRESHOLDS)):
            drawn[key] = bootstrap_average_precision(match_boxes(objects, found, classes, thresholds))
    return Cell({key: None if np.isnan(value) else float(value) for key, value in figures.items()}, drawn)


def kept(folder: Path, name: str, identity: str, make: Callable[[], Cell]) -> Cell:
    """The figures of a cell from its file, which is made where there is none.

    Args:
        folder: of the files.
        name: of the cell, for readers of the folder.
        identity: all that the figures depend on.
        make: measures.

    Returns:
        The cell, the same whether it was kept or made.
    """
    from kind.reports.writing import write_json

    path = cell_file(folder, name, identity)
    if there := _read(path):
        return there
    cell = make()
    drawn = {key: None if values is None else _rounded(values) for key, values in cell.drawn.items()}
    write_json(path, {"name": name, "figures": cell.figures, "drawn": drawn}, indent=None)
    return _parsed(path.read_bytes())


def is_kept(folder: Path, name: str, identity: str) -> bool:
    """Whether a cell has a file that can be read."""
    return _read(cell_file(folder, name, identity)) is not None


def cell_file(folder: Path, name: str, identity: str) -> Path:
    """Where a cell is kept; see `kept`."""
    key = hashlib.sha256(f"{_VERSION} {identity}".encode()).hexdigest()[:16]
    return folder / f"{name.replace(' ', '-').replace('/', '-')}-{key}.json"


def _read(path: Path) -> Cell | None:
    """A kept cell; None where there is none, or not one of ours."""
    try:
        return _parsed(path.read_bytes())
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _parsed(content: bytes) -> Cell:
    record = json.loads(content)
    drawn = {
        key: None
        if record["drawn"][key] is None
        else np.array([float(value) for value in record["drawn"][key]])
        for key in FIGURES
    }
    return Cell({key: record["figures"][key] for key in FIGURES}, drawn)


def _rounded(values: np.ndarray) -> list[float]:
    return np.round(values, _DIGITS).tolist()


def estimate(value: float, drawn: np.ndarray | None) -> Estimate:
    """A value with the interval of its bootstrap samples, float [R]."""
    from kind.reports.bootstrap import percentile_interval

    known = drawn is not None and not np.isnan(drawn).all()
    return Estimate(value, percentile_interval(drawn) if known else None)


def difference(cell: Cell, reference: Cell, key: str) -> Estimate | None:
    """A cell minus another of the same photographs, paired; None where either has no figure."""
    value, other = cell.figures[key], reference.figures[key]
    if value is None or other is None:
        return None
    both = cell.drawn[key] is not None and reference.drawn[key] is not None
    return estimate(value - other, cell.drawn[key] - reference.drawn[key] if both else None)


def recovered(cell: Cell, raw: Cell, bright: Cell, key: str) -> Estimate | None:
    """How much of what darkness took an input gives back: (input - raw) / (bright - raw).

    Args:
        cell: of the input.
        raw: of the dark twins as they are.
        bright: of the photographs as they are, by the same detector.
        key: of `FIGURES`.

    Returns:
        The share; None where darkness took nothing. It has an interval only where what darkness took has one
        above 0: a quotient by what may be 0 may be anything.
    """
    gained, lost = difference(cell, raw, key), difference(bright, raw, key)
    if gained is None or lost is None or not lost.value > 0:
        return None
    drawn = None
    if gained.interval and lost.interval and lost.interval[0] > 0:
        below = bright.drawn[key] - raw.drawn[key]
        drawn = np.full_like(below, np.nan)
        np.divide(cell.drawn[key] - raw.drawn[key], below, out=drawn, where=below > 0)
    return estimate(gained.value / lost.value, drawn)


def mean_difference(cells: Sequence[Cell], references: Sequence[Cell], key: str) -> Estimate | None:
    """The mean of paired differences over seeds; both photographs and seeds are drawn with replacement.

    Args:
        cells: one for each seed.
        references: likewise, by the same seeds.
        key: of `FIGURES`.

    Returns:
        The mean and its interval; None where a figure is missing.

    Raises:
        UserError: when there is not one of each for every seed.
    """
    if not cells or len(cells) != len(references):
        raise UserError(f"expected a figure of every seed; received {len(cells)} and {len(references)}")
    found = [difference(*pair, key) for pair in zip(cells, references)]
    if None in found:
        return None
    drawn = None
    if all(entry.interval for entry in found):
        samples = np.stack([one.drawn[key] - other.drawn[key] for one, other in zip(cells, references)])
        seeds = np.random.default_rng(0).integers(0, len(samples), (samples.shape[1], len(samples)))
        drawn = samples[seeds, np.arange(samples.shape[1])[:, np.newaxis]].mean(axis=1)
    return estimate(float(np.mean([entry.value for entry in found])), drawn)
