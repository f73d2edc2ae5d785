"""Exports the pipeline as a SavedModel for servers, for TensorFlow Lite or as ONNX."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.detector_options import add_detector_argument, add_threshold_arguments, thresholds_of
from kind.cli.enhancer_options import add_enhancer_arguments
from kind.cli.native_output import native_output_kept
from kind.cli.options import add_max_pixels_argument, add_smallest_argument, add_threshold_argument
from kind.cli.served_networks import load_served_changes, load_served_detector
from kind.detection.inputs import DEFAULT_INPUT, INPUTS
from kind.enhancing.precision import INT8
from kind.errors import UserError
from kind.files import DISK_FULL
from kind.serving.installed import WARMUP_WRITER, check_installed

if TYPE_CHECKING:
    import numpy as np

    from kind.detection.predictor import Thresholds
    from kind.export.changes import ServedChanges
    from kind.export.detections import ServedDetector
    from kind.export.parity import Deviation
    from kind.export.portable import Written

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
        help="model folder; its name becomes the model's name, and each export adds a version",
    )
    parser.add_argument(
        "--format", choices=FORMATS, default=FORMATS[0], help=f"output format (default: {FORMATS[0]})"
    )
    add_enhancer_arguments(parser, precision="float32", int8=True)
    objects = parser.add_argument_group("object detection, in a SavedModel")
    add_detector_argument(objects, "the shipped detector, if there is one")
    objects.add_argument("--no-detector", action="store_true", help="export without a detector")
    objects.add_argument(
        "--input",
        choices=tuple(INPUTS),
        default=DEFAULT_INPUT,
        help=f"the detector's input; choose the one it was trained on (default: {DEFAULT_INPUT})",
    )
    add_threshold_arguments(objects, max_detections=_MAX_DETECTIONS, image_size="--detector-image-size")
    changes = parser.add_argument_group("change detection, in a SavedModel")
    changes.add_argument(
        "--change",
        type=Path,
        nargs="?",
        const=True,
        metavar="FILE",
        help="also export the signature detect_changes, with a .keras file or run folder of `kind train "
        "change`; without FILE with the network that ships",
    )
    add_threshold_argument(changes)
    add_smallest_argument(changes)
    add_max_pixels_argument(parser, "SavedModel: images with more pixels are refused")
    parser.add_argument(
        "--image-size",
        type=_size,
        default=_IMAGE_SIZE,
        metavar="HxW",
        help="tflite: size of every image (default: {}x{})".format(*_IMAGE_SIZE),
    )
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="FOLDER",
        help="tflite: also write an 8-bit model, calibrated with the dark photographs in this folder",
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
    """Writes the model, compares it with the pipeline on built-in photographs, and prints the differences.

    Returns:
        The exit code: 0, or 1 when one of two files was not written.

    Raises:
        UserError: when nothing can be written, before anything is; or when what was made differs too much
            from the pipeline, which leaves nothing of it behind.
    """
    if arguments.calibrate and arguments.format != "tflite":
        raise UserError("--calibrate is for --format tflite only; leave it out")
    if arguments.change and arguments.format != "saved_model":
        raise UserError("--change is for --format saved_model only; leave it out")
    if arguments.no_detector and arguments.detector:
        raise UserError("--detector and --no-detector exclude each other; leave one of them out")
    if arguments.precision != "float32" and arguments.format != "saved_model":
        raise UserError(
            f"--precision {arguments.precision} is for --format saved_model only; for tflite see --calibrate"
        )
    networks = {"weights": arguments.weights, "variant": arguments.variant}
    try:
        if arguments.format == "tflite":
            return _export_tflite(arguments.out, arguments.image_size, arguments.calibrate, **networks)
        elif arguments.format == "onnx":
            _export_onnx(arguments.out, **networks)
        else:
            _export_saved_model(
                arguments.out,
                partial(_load_served, arguments, thresholds_of(arguments)),
                precision=arguments.precision,
                max_pixels=arguments.max_pixels,
                **networks,
            )
    except OSError as error:
        place = error.filename or arguments.out
        raise UserError(f"{place}: cannot be written ({error.strerror or error})") from error
    return 0


def _export_saved_model(
    out: Path,
    load_served: Callable[[], tuple[ServedDetector | None, ServedChanges | None]],
    *,
    weights: Path | None,
    variant: str | None,
    precision: str,
    max_pixels: int,
) -> None:
    """Adds a version to the model folder and prints how to serve it."""
    check_installed(WARMUP_WRITER, "--format saved_model")
    from kind.enhancing.enhancer import Enhancer
    from kind.enhancing.fast.loading import load_fast
    from kind.export.saved_model import export_saved_model
    from kind.export.start_files import start_commands, write_start_files
    from kind.export.versions import check_model_folder
    from kind.metrics.psnr import psnr

    check_model_folder(out)
    _say("loading the networks")
    detector, changes = load_served()
    fast = load_fast(weights, variant) if precision == INT8 else None
    enhancer = Enhancer.load(weights, "float32" if fast else precision, variant)
    photograph = _dark_photographs()[1]
    _say("building the SavedModel and comparing it with the pipeline, about half a minute")
    with _publishing(out):
        version = export_saved_model(
            out,
            enhancer,
            detector,
            photograph=photograph,
            changes=changes,
            max_pixels=max_pixels,
            fast=fast,
            review=_report,
        )
    if fast:
        far = psnr(fast(photograph).relit, enhancer(photograph, parts=("relit",)).relit)
        print(f"in 8 bits, which kind serve answers in: {far:.1f} dB from the pipeline in float32")
    size = sum(path.stat().st_size for path in version.rglob("*") if path.is_file())
    print(f"written to {version}, {size / 1e6:.1f} MB")
    for path in write_start_files(out):
        print(f"written to {path}")
    for what, command in start_commands(out).items():
        print(f"\n{what}:\n  {command}")


def _load_served(
    arguments: argparse.Namespace, thresholds: Thresholds
) -> tuple[ServedDetector | None, ServedChanges | None]:
    """The networks that find objects and changes, where they are wanted."""
    detector = changes = None
    if not arguments.no_detector:
        detector = load_served_detector(arguments.detector, thresholds, arguments.input)
    if arguments.change:
        file = None if arguments.change is True else arguments.change
        changes = load_served_changes(file, arguments.threshold, arguments.smallest)
    return detector, changes


@contextlib.contextmanager
def _publishing(out: Path) -> Iterator[None]:
    """Turns what keeps a SavedModel from being published into one line."""
    import tensorflow as tf

    from kind.export.operations import ForeignOperations

    try:
        yield
    except ForeignOperations as error:
        raise UserError(
            f"{out}: nothing was published: {error}; `kind serve` would refuse it. Export networks of the "
            "layers that training builds"
        ) from error
    except tf.errors.OpError as error:  # TensorFlow writes the graph and its variables itself
        if not DISK_FULL.search(error.message):
            raise
        raise OSError(None, error.message.splitlines()[0], str(out)) from error


def _say(text: str) -> None:
    """Says what takes a while to who waits at a terminal; in a log an error stays the only line."""
    if sys.stderr.isatty():
        print(f"{text} …", file=sys.stderr, flush=True)


def _report(deviations: list[Deviation]) -> None:
    """Prints the SavedModel's differences from the pipeline; UserError when one is too large."""
    print("signature              output              largest difference from the pipeline in Python")
    for deviation in deviations:
        print(
            f"{deviation.signature:21}  {deviation.output:18}  {deviation.largest:.2g} {deviation.unit}",
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


def _export_tflite(
    out: Path, image_size: tuple[int, int], calibrate: Path | None, *, weights: Path | None, variant: str
) -> int:
    """Writes the file of 16 bits, and that of 8 bits where it is asked for; returns the exit code."""
    from kind.enhancing.enhancer import Enhancer
    from kind.export.portable import make_portable
    from kind.export.tflite import write_tflite
    from kind.images.area import area_resized_array
    from kind.images.finding import find_photos
    from kind.images.photo import read_stored_photo

    calibration = []
    if calibrate:
        paths = find_photos([calibrate])[:_CALIBRATION_PHOTOGRAPHS]
        calibration = [area_resized_array(read_stored_photo(path).colours, *image_size) for path in paths]
    _say("loading the networks")
    portable = make_portable(Enhancer.load(weights, variant=variant), image_size)
    name = "{}-{}x{}".format(out.resolve().name, *image_size)

    def write(numbers: str, photographs: Sequence[np.ndarray] = ()) -> None:
        _say(f"converting to TensorFlow Lite in {numbers}, and comparing with the pipeline")
        path = out / f"{name}-{numbers}.tflite"
        with native_output_kept():  # the converter lists its operations
            written = write_tflite(path, portable, _dark_photographs(), photographs)
        _print_written(written)

    write("float16")
    try:
        if calibration:
            write("int8", calibration)
    except UserError as error:
        print(f"kind: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _export_onnx(out: Path, *, weights: Path | None, variant: str | None) -> None:
    from kind.enhancing.enhancer import Enhancer
    from kind.export.onnx_file import check_onnx_is_installed, write_onnx
    from kind.export.portable import make_portable

    check_onnx_is_installed()
    _say("loading the networks")
    portable = make_portable(Enhancer.load(weights, variant=variant), None)
    _say("converting to ONNX, and comparing with the pipeline")
    path = out / f"{out.resolve().name}.onnx"
    _print_written(write_onnx(path, portable, _dark_photographs()))


def _print_written(file: Written) -> None:
    """Prints a file's size and its difference from the float32 pipeline."""
    print(
        f"{file.path}: {file.path.stat().st_size / 1e6:.2f} MB, largest difference from the float32 "
        f"pipeline {file.largest:.2g} of the range 0 to 1, PSNR {file.psnr:.2f} dB"
    )
