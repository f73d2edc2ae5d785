"""Exports the pipeline: as a SavedModel for servers, for TensorFlow Lite or as ONNX."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.options import (
    add_detector_argument,
    add_enhancer_arguments,
    add_threshold_arguments,
    thresholds_of,
)
from kind.constants import MAX_PIXELS
from kind.detection.inputs import DEFAULT_INPUT, INPUTS
from kind.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from kind.detection.model import Detector
    from kind.detection.predictor import Thresholds
    from kind.export.parity import Deviation
    from kind.export.signatures import ServedDetector

FORMATS = ("saved_model", "tflite", "onnx")

_MAX_DETECTIONS = 100
_IMAGE_SIZE = (400, 600)
_CALIBRATION_PHOTOGRAPHS = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="the model's folder; its name is the model's, and each export adds a version",
    )
    parser.add_argument(
        "--format", choices=FORMATS, default=FORMATS[0], help="what is written (default: saved_model)"
    )
    add_enhancer_arguments(parser, precision="float32")
    objects = parser.add_argument_group("objects, in a SavedModel")
    add_detector_argument(objects, "the shipped detector, if there is one")
    objects.add_argument("--no-detector", action="store_true", help="leave objects out")
    objects.add_argument(
        "--input",
        choices=tuple(INPUTS),
        default=DEFAULT_INPUT,
        help=f"what the detector sees, the one that it was trained for (default: {DEFAULT_INPUT})",
    )
    add_threshold_arguments(objects, max_detections=_MAX_DETECTIONS, image_size="--detector-image-size")
    parser.add_argument(
        "--max-pixels",
        type=int,
        default=MAX_PIXELS,
        metavar="N",
        help=f"SavedModel: larger images are refused (default: {MAX_PIXELS:,})",
    )
    parser.add_argument(
        "--image-size",
        type=_size,
        default=_IMAGE_SIZE,
        metavar="HxW",
        help="tflite: the one size of images (default: {}x{})".format(*_IMAGE_SIZE),
    )
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="FOLDER",
        help="tflite: also write an 8-bit model, whose ranges come from the dark photographs in this folder",
    )


def _size(text: str) -> tuple[int, int]:
    """HxW → (height, width)."""
    try:
        height, width = map(int, text.split("x"))
    except ValueError:
        height = width = 0
    if height < 1 or width < 1:
        raise argparse.ArgumentTypeError(f"expects HEIGHTxWIDTH such as 400x600, received {text!r}")
    return height, width


def run(arguments: argparse.Namespace) -> int:
    """Writes the model, compares it with the pipeline on built-in photographs, and prints what came out.

    Returns:
        The exit code 0.

    Raises:
        UserError: when nothing can be written, before anything is; or when a SavedModel is not what the
            pipeline is, which leaves no version behind.
    """
    if arguments.max_pixels < 1:
        raise UserError(f"--max-pixels expects 1 or more, received {arguments.max_pixels}")
    if arguments.calibrate and arguments.format != "tflite":
        raise UserError("--calibrate is for --format tflite only; leave it out")
    if arguments.no_detector and arguments.detector:
        raise UserError("--detector and --no-detector exclude each other; leave one of them out")
    try:
        return {"saved_model": _saved_model, "tflite": _tflite, "onnx": _onnx}[arguments.format](arguments)
    except OSError as error:
        place = error.filename or arguments.out
        raise UserError(f"{place}: cannot be written ({error.strerror or error})") from error


def _saved_model(arguments: argparse.Namespace) -> int:
    thresholds = thresholds_of(arguments)

    from kind.enhancing.enhancer import Enhancer
    from kind.export.saved_model import export_saved_model
    from kind.export.start_files import start_commands, write_start_files
    from kind.export.versions import check_model_folder

    check_model_folder(arguments.out)
    detector = _detector(arguments, thresholds)
    enhancer = Enhancer.load(arguments.weights, arguments.precision, arguments.variant)
    version = export_saved_model(
        arguments.out,
        enhancer,
        detector,
        photograph=_dark_photographs()[1],
        max_pixels=arguments.max_pixels,
        look=_report,
    )
    size = sum(path.stat().st_size for path in version.rglob("*") if path.is_file())
    print(f"written to {version}, {size / 1e6:.1f} MB")
    for path in write_start_files(arguments.out):
        print(f"written to {path}")
    for what, command in start_commands(arguments.out).items():
        print(f"\n{what}:\n  {command}")
    return 0


def _detector(arguments: argparse.Namespace, thresholds: Thresholds) -> ServedDetector | None:
    if arguments.no_detector:
        return None

    from kind.detection import predictor

    if arguments.detector is None and not predictor.SHIPPED_DETECTOR.is_file():
        print("kind: no detector ships with this installation: exporting without objects", file=sys.stderr)
        return None
    return served_detector(predictor.load_detector(arguments.detector), thresholds, arguments.input)


def served_detector(net: Detector, thresholds: Thresholds, kind: str) -> ServedDetector:
    """A detector as `kind.serving` wants it, which knows nothing of detection.

    Args:
        net: the network.
        thresholds: what becomes a box.
        kind: what the detector sees, one of `detection.inputs.INPUTS`.

    Returns:
        What `kind.export.signatures.make_signatures` takes.
    """
    from kind.detection.inputs import detector_input, enhanced_parts
    from kind.export.signatures import Found, ServedDetector

    def find(images, enhanced):
        # The pipeline has run or not; either way detection's own function chooses what is seen of it.
        seen = detector_input(lambda *_: enhanced(), images, kind)
        return Found(*thresholds.search(net, seen))

    return ServedDetector(find, tuple(net.class_names), thresholds.max_detections, enhanced_parts([kind]))


def _report(deviations: list[Deviation]) -> None:
    """Prints how far the SavedModel is from the pipeline; UserError when it is too far."""
    print("signature        output              largest difference from the pipeline in Python")
    for deviation in deviations:
        print(
            f"{deviation.signature:15}  {deviation.output:18}  {deviation.largest:.2g} {deviation.unit}",
            flush=True,
        )
    outside = [f"{entry.signature}/{entry.output}" for entry in deviations if not entry.is_within]
    if outside:
        raise UserError(f"{', '.join(outside)}: differs too much from the pipeline; nothing was published")


def _dark_photographs() -> list[np.ndarray]:
    """The built-in dark photographs: float32 [H, W, 3] in [0, 1]."""
    import numpy as np

    from kind.data.samples import builtin_samples

    return [np.float32(sample.low / 255.0) for sample in builtin_samples()]


def _tflite(arguments: argparse.Namespace) -> int:
    from kind.enhancing.enhancer import Enhancer
    from kind.export.portable import make_portable
    from kind.export.tflite import write_tflite
    from kind.images.photo import find_photos, read_photo

    calibration = []
    if arguments.calibrate:
        paths = find_photos([arguments.calibrate])[:_CALIBRATION_PHOTOGRAPHS]
        calibration = [read_photo(path).pixels for path in paths]
    portable = make_portable(
        Enhancer.load(arguments.weights, variant=arguments.variant), arguments.image_size
    )
    name = "{}-{}x{}".format(arguments.out.resolve().name, *arguments.image_size)
    written = [write_tflite(arguments.out / f"{name}-float16.tflite", portable, _dark_photographs())]
    if calibration:
        path = arguments.out / f"{name}-int8.tflite"
        written.append(write_tflite(path, portable, _dark_photographs(), calibration))
    _print_written(written)
    return 0


def _onnx(arguments: argparse.Namespace) -> int:
    from kind.enhancing.enhancer import Enhancer
    from kind.export.onnx_file import check_onnx_is_installed, write_onnx
    from kind.export.portable import make_portable

    check_onnx_is_installed()
    portable = make_portable(Enhancer.load(arguments.weights, variant=arguments.variant), None)
    path = arguments.out / f"{arguments.out.resolve().name}.onnx"
    _print_written([write_onnx(path, portable, _dark_photographs())])
    return 0


def _print_written(written) -> None:
    """A line for each file: its size, and how far it is from the float32 pipeline."""
    for file in written:
        print(
            f"{file.path}: {file.path.stat().st_size / 1e6:.2f} MB, largest difference from the float32 "
            f"pipeline {file.largest:.2g} of the range 0 to 1, PSNR {file.psnr:.2f} dB"
        )
