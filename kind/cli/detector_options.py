"""Options of the commands that find objects; imports no TensorFlow, see `kind.cli.options`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.options import Checked, add_old_name, is_fraction
from kind.constants import CONFIDENCE, DETECTOR_MULTIPLE, IOU, MAX_DETECTIONS

if TYPE_CHECKING:
    from kind.detection.predictor import Thresholds


def add_detector_argument(parser: argparse.ArgumentParser, default: str = "the shipped detector") -> None:
    """Declares --detector, the file or run folder of one detector; None is the shipped one."""
    parser.add_argument(
        "--detector",
        type=Path,
        metavar="FILE",
        help=".keras file, run folder, or KerasCV preset: its name, such as yolo_v8_m_pascalvoc, or a folder "
        f"with a saved one (default: {default})",
    )


def add_start_argument(parser: argparse.ArgumentParser) -> None:
    """Declares --detector, what a detector's training starts from."""
    parser.add_argument(
        "--detector",
        metavar="FILE-OR-SIZE",
        help="detector to start from: a .keras file or run folder, shipped for the one that ships, or for a "
        "new one its size: tiny, n, s, m, l, x, yolox-nano … yolox-x",
    )


def add_confidence_argument(parser: argparse.ArgumentParser, default: float = CONFIDENCE) -> None:
    """Declares --confidence."""
    parser.add_argument(
        "--confidence",
        action=Checked,
        type=float,
        accepts=is_fraction,
        expected="a number from 0 to 1",
        default=default,
        metavar="SCORE",
        help=f"score threshold, 0 to 1: boxes with this score or less are left out (default: {default:g})",
    )


def add_threshold_arguments(
    parser: argparse.ArgumentParser,
    *,
    confidence: float = CONFIDENCE,
    max_detections: int = MAX_DETECTIONS,
    image_size: str = "--image-size",
) -> None:
    """Declares which detections become boxes; `thresholds_of` reads them.

    Args:
        parser: of the command.
        confidence: default of --confidence.
        max_detections: default of --max-detections.
        image_size: name of the option for the size of the detector's input, also available as --size.
    """
    add_confidence_argument(parser, confidence)
    parser.add_argument(
        "--iou",
        action=Checked,
        type=float,
        accepts=is_fraction,
        expected="a number from 0 to 1",
        default=IOU,
        metavar="OVERLAP",
        help=f"IoU threshold of non-maximum suppression, per class, 0 to 1 (default: {IOU:g})",
    )
    parser.add_argument(
        "--max-detections",
        action=Checked,
        type=int,
        accepts=lambda count: count >= 1,
        expected="1 or more",
        default=max_detections,
        metavar="N",
        help="maximum number of boxes per photograph; crowds need thousands (default: %(default)s)",
    )
    parser.add_argument(
        image_size,  # checked by `Thresholds`, as it is from Python
        type=int,
        dest="detector_image_size",
        metavar="PIXELS",
        help=f"longer side of the detector's input, a multiple of {DETECTOR_MULTIPLE}; larger finds smaller "
        "objects (default: the size it was trained with)",
    )
    add_old_name(parser, "--size", image_size)


def add_view_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the views of each photograph besides the photograph itself; `thresholds_of` reads them."""
    parser.add_argument(
        "--multi-scale",
        action="store_true",
        help="multi-scale test-time augmentation at 0.75, 1 and 1.5 times the input size: finds more, and "
        "takes some four times as long",
    )
    parser.add_argument(
        "--flip", action="store_true", help="horizontal-flip test-time augmentation: takes twice as long"
    )


def thresholds_of(arguments: argparse.Namespace) -> Thresholds:
    """The values of `add_threshold_arguments`, and of `add_view_arguments` where they are declared."""
    from kind.detection.predictor import SCALES, Thresholds

    views = {"flip": getattr(arguments, "flip", False)}
    if getattr(arguments, "multi_scale", False):
        views["scales"] = SCALES
    return Thresholds(
        arguments.detector_image_size, arguments.confidence, arguments.iou, arguments.max_detections, **views
    )
