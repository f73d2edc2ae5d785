"""Finds objects in dark photographs: boxes drawn on each, and all of them as JSON and CSV."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.jobs import (
    Job,
    add_inputs_argument,
    add_workers_argument,
    add_writing_arguments,
    check_quality,
    check_workers,
    plan,
    work_through,
)
from kind.cli.options import add_old_name
from kind.cli.pipelined import Worked
from kind.cli.relighting import add_alpha_argument, add_weights_argument, check_alpha, load_enhancer
from kind.detection.inputs import DEFAULT_INPUT, INPUTS, needs_enhancer
from kind.detection.label_files import FORMATS
from kind.errors import UserError
from kind.images.photo import Photo, write_photo

if TYPE_CHECKING:
    from kind.detection.predictor import Thresholds

SHEET_TITLES = ("photograph", "what was found")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_inputs_argument(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="a folder; or for a single photograph also a file, beside which the JSON and CSV go",
    )
    parser.add_argument(
        "--detector",
        type=Path,
        metavar="FILE",
        help=".keras file, run folder, or KerasCV preset: its name, such as yolo_v8_m_pascalvoc, or a folder "
        "with a saved one (default: the detector that ships)",
    )
    parser.add_argument(
        "--input",
        choices=tuple(INPUTS),
        default=DEFAULT_INPUT,
        help="; ".join(f"{kind}: {text}" for kind, text in INPUTS.items()) + f" (default: {DEFAULT_INPUT})",
    )
    add_weights_argument(parser)
    add_alpha_argument(parser, "of --input relit: how much brighter")
    add_threshold_arguments(parser, confidence=0.25, max_detections=300)
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
        "--sheets", action="store_true", help="also write each photograph beside what was found in it"
    )


def add_threshold_arguments(
    parser: argparse.ArgumentParser,
    *,
    confidence: float,
    max_detections: int,
    image_size: str = "--image-size",
) -> None:
    """Declares what becomes a box, with these defaults; `thresholds_of` reads it.

    Args:
        parser: of the command.
        confidence: the default.
        max_detections: the default.
        image_size: name of the option for the detector's image size, where a command has another use of it.
    """
    parser.add_argument(
        "--confidence",
        type=float,
        default=confidence,
        metavar="SCORE",
        help=f"confidence threshold: scores of this and less give no box, 0 to 1 (default: {confidence:g})",
    )
    parser.add_argument(
        "--iou",
        type=float,
        default=0.7,
        metavar="IOU",
        help="IoU threshold of non-maximum suppression, per class, 0 to 1 (default: 0.7)",
    )
    parser.add_argument(
        "--max-detections",
        type=int,
        default=max_detections,
        metavar="N",
        help=f"boxes a photograph; thousands for crowds (default: {max_detections})",
    )
    parser.add_argument(
        image_size,
        dest="detector_image_size",
        type=int,
        metavar="PIXELS",
        help="longer side of the detector's input, a multiple of 32; larger finds smaller objects "
        "(default: the size of its training)",
    )
    if image_size != "--size":
        add_old_name(parser, "--size", image_size)


def thresholds_of(arguments: argparse.Namespace) -> Thresholds:
    """The parsed thresholds; UserError when one is out of range."""
    from kind.detection.predictor import Thresholds

    return Thresholds(
        arguments.detector_image_size, arguments.confidence, arguments.iou, arguments.max_detections
    )


def run(arguments: argparse.Namespace) -> int:
    """Finds objects in the photographs and prints how many there are in each.

    Returns:
        0 when all photographs were searched, 1 when some could not be, 2 when none could.

    Raises:
        UserError: when nothing can be done, before anything is.
    """
    jobs = plan(
        arguments.inputs, arguments.out, arguments.format, also=("sheet",) if arguments.sheets else ()
    )
    check_alpha(arguments.alpha)
    check_quality(arguments)
    check_workers(arguments)

    from kind.detection.drawing import draw_predictions
    from kind.detection.inputs import detector_input
    from kind.detection.label_files import write_labels
    from kind.detection.predictor import Predictor, load_detector
    from kind.detection.results import Searched, write_results

    thresholds = thresholds_of(arguments)
    net = load_detector(arguments.detector)
    enhancer = load_enhancer(arguments) if needs_enhancer(arguments.input) else None
    find = Predictor(net, thresholds)
    searched: list[Searched] = []

    def work(job: Job, photo: Photo) -> Worked:
        seen = detector_input(enhancer, photo.pixels[None], arguments.input, arguments.alpha)[0]
        found = find(seen)

        def write() -> None:
            drawn = draw_predictions(seen, found, net.class_names)
            # Boxes are coloured and opaque, whatever the photograph was.
            like = replace(photo, gray=False, alpha=None)
            write_photo(job.target, drawn, like=like, quality=arguments.quality)
            if arguments.sheets:
                _write_sheet(job, photo, drawn)

        entry = Searched(job.source, photo.pixels.shape[:2], found)
        return Worked(str(len(found.scores)), write, lambda: searched.append(entry))

    try:
        return work_through(jobs, work, "boxes", arguments.workers)
    finally:  # an interruption keeps what was found
        if searched:
            folder = jobs[0].target.parent
            try:
                files = write_results(folder, searched, net.class_names)
                for form in arguments.labels:
                    files += write_labels(folder, form, searched, net.class_names)
            except OSError as error:
                raise UserError(f"{folder}: cannot be written to ({error.strerror or error})") from error
            boxes = sum(len(entry.found.scores) for entry in searched)
            print(f"{boxes} boxes: {', '.join(map(str, files))}")


def _write_sheet(job: Job, photo: Photo, drawn) -> None:
    from kind.images.contact_sheet import contact_sheet

    write_photo(job.beside("sheet"), contact_sheet([[photo.pixels, drawn]], SHEET_TITLES, longest_side=640))
