"""Finds objects in dark photographs and videos; draws boxes, and writes all detections as JSON and CSV."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kind.cli.batch import add_batch_arguments, carry_out
from kind.cli.detector_options import (
    add_detector_argument,
    add_threshold_arguments,
    add_view_arguments,
    thresholds_of,
)
from kind.cli.enhancer_options import add_enhancer_arguments, load_enhancer
from kind.cli.jobs import Job, work_through
from kind.cli.options import add_alpha_argument, add_workers_argument, add_writing_arguments
from kind.cli.pipelined import Worked
from kind.cli.planning import folder_of_lists
from kind.cli.searched_videos import LINES, search_videos
from kind.cli.videos import joint_code, split_moving
from kind.detection.inputs import DEFAULT_INPUT, INPUTS, needs_enhancer
from kind.detection.label_files import FORMATS, place_of
from kind.errors import UserError
from kind.images.photo import Photo, write_photo

if TYPE_CHECKING:
    from kind.detection.model import Detector
    from kind.detection.predictor import Thresholds
    from kind.enhancing.enhancer import Enhancer

SHEET_TITLES = ("photograph", "what was found")
FOUND = Path("found")
LISTS = ("detections.json", "images.json", "detections.csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    # Nothing is skipped: the lists of detections are of all photographs.
    add_batch_arguments(parser, ending=None, out=FOUND, skipping=False, videos=True)
    add_detector_argument(parser)
    parser.add_argument(
        "--input",
        choices=tuple(INPUTS),
        default=DEFAULT_INPUT,
        help="input of the detector: "
        + "; ".join(f"{kind}, {text}" for kind, text in INPUTS.items())
        + f" (default: {DEFAULT_INPUT})",
    )
    add_enhancer_arguments(parser)
    add_alpha_argument(parser, "with --input relit: brightening factor of the illumination")
    add_threshold_arguments(parser)
    add_view_arguments(parser)
    add_writing_arguments(parser)
    add_workers_argument(parser)
    parser.add_argument(
        "--labels",
        choices=tuple(FORMATS),
        nargs="+",
        default=(),
        help="also write the boxes as " + "; ".join(f"{form}: {text}" for form, text in FORMATS.items()),
    )
    parser.add_argument(
        "--sheets", action="store_true", help="also write each photograph side by side with its detections"
    )


def run(arguments: argparse.Namespace) -> int:
    """Finds objects in the photographs and prints how many there are in each.

    Returns:
        0 when all photographs were searched, 1 when some could not be, 2 when none could.

    Raises:
        UserError: when nothing can be done, before anything is.
    """
    if arguments.alpha is not None and arguments.input != "relit":
        raise UserError(f"--alpha is for --input relit, not {arguments.input}; leave it out")
    also = ("sheet",) if arguments.sheets else ()
    lists = (*LISTS, *map(place_of, arguments.labels))
    settings = {"lists": lists, "format": arguments.format, "of_videos": LINES}
    return carry_out(arguments, partial(_search, arguments), also, **settings)


def _search(arguments: argparse.Namespace, jobs: Sequence[Job]) -> int:
    from kind.detection.predictor import load_detector

    # First the enhancer: a wrong file in its folder is named before the seconds that a detector takes.
    enhancer = load_enhancer(arguments) if needs_enhancer(arguments.input) else None
    detector, thresholds = load_detector(arguments.detector), thresholds_of(arguments)
    settings = {name: getattr(arguments, name) for name in ("input", "alpha", "quality")}
    photographs, videos = split_moving(jobs)
    if videos and (arguments.sheets or arguments.labels):
        text = "kind: --sheets and --labels are for photographs; of videos, NAME.jsonl lists the objects"
        print(text, file=sys.stderr, flush=True)
    codes = []
    if photographs:
        more = {name: getattr(arguments, name) for name in ("workers", "sheets", "labels")}
        folder = folder_of_lists(arguments.out, jobs)
        codes.append(search(photographs, folder, detector, thresholds, enhancer, **settings, **more))
    if videos:
        codes.append(search_videos(videos, detector, thresholds, enhancer, **settings))
    return joint_code(codes)


def search(
    jobs: Sequence[Job],
    folder: Path,
    net: Detector,
    thresholds: Thresholds,
    enhancer: Enhancer | None,
    *,
    input: str = DEFAULT_INPUT,
    alpha: float | None = None,
    quality: int | None = None,
    workers: int = 1,
    sheets: bool = False,
    labels: Collection[str] = (),
) -> int:
    """Searches one photograph after another, prints a table, and writes all detections.

    Args:
        jobs: see `kind.cli.planning.plan`.
        folder: where the lists of all detections are written.
        net: the detector.
        thresholds: which detections become boxes.
        enhancer: makes the detector's input; None for inputs that need none.
        input: one of `kind.detection.inputs.INPUTS`.
        alpha: of the input "relit"; None is the variant's own.
        quality: see `kind.images.photo.write_photo`.
        workers: see `kind.cli.pipelined.Pipeline`.
        sheets: also write each photograph side by side with its detections.
        labels: annotation formats to write too, of `kind.detection.label_files.FORMATS`.

    Returns:
        0 when all photographs were searched, 1 when some could not be, 2 when none could.

    Raises:
        UserError: when the detections cannot be written.
    """
    from kind.detection.inputs import detector_input
    from kind.detection.predictor import Predictor
    from kind.detection.results import Searched

    find = Predictor(net, thresholds)
    searched: list[Searched] = []

    def work(job: Job, photo: Photo) -> Worked:
        seen = detector_input(enhancer, photo.pixels[None], input, alpha)[0]
        found = find(seen)
        entry = Searched(job.source, photo.pixels.shape[:2], found)
        return Worked(
            str(len(found.scores)),
            partial(_write, job, photo, seen, found, net.class_names, quality, sheets),
            lambda: searched.append(entry),
        )

    try:
        return work_through(jobs, work, "boxes", workers)
    finally:  # an interruption keeps what was found
        if searched:
            write_detections(folder, searched, net.class_names, labels)


def write_detections(
    folder: Path, searched: Sequence, class_names: Sequence[str], labels: Collection[str] = ()
) -> None:
    """Writes all detections to a folder as JSON, CSV and label files, and prints how many there are.

    Args:
        folder: is there already.
        searched: `kind.detection.results.Searched` for each photograph.
        class_names: by class number.
        labels: annotation formats, of `kind.detection.label_files.FORMATS`.

    Raises:
        UserError: when the folder cannot be written to.
    """
    from kind.detection.label_files import write_labels
    from kind.detection.results import write_results

    try:
        files = write_results(folder, searched, class_names)
        for form in labels:
            files += write_labels(folder, form, searched, class_names)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written to ({error.strerror or error})") from error
    boxes = sum(len(entry.found.scores) for entry in searched)
    print(f"{boxes} boxes: {', '.join(map(str, files))}")


def _write(
    job: Job, photo: Photo, seen, found, class_names: Sequence[str], quality: int | None, sheets: bool
) -> None:
    """Writes the boxes on what the detector saw, and the sheet."""
    from kind.detection.drawing import draw_predictions
    from kind.images.contact_sheet import contact_sheet

    drawn: np.ndarray = draw_predictions(seen, found, class_names)
    # Boxes are coloured, opaque and of 8 bits, whatever the photograph was.
    write_photo(job.target, drawn, like=replace(photo, gray=False, alpha=None, bits=8), quality=quality)
    if sheets:
        sheet = contact_sheet([[photo.pixels, drawn]], SHEET_TITLES, longest_side=640)
        write_photo(job.beside("sheet"), sheet)
