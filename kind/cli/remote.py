"""Relights, searches or compares photographs on a server: `kind remote enhance|detect|changes`."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.batch import add_batch_arguments, carry_out
from kind.cli.change_files import add_comparison_arguments
from kind.cli.detect import FOUND, LISTS
from kind.cli.detector_options import add_confidence_argument
from kind.cli.jobs import Job, work_through
from kind.cli.options import (
    add_alpha_argument,
    add_brightness_argument,
    add_seconds_argument,
    add_strength_argument,
    add_writing_arguments,
    check_brightness,
)
from kind.cli.pipelined import Worked
from kind.cli.planning import folder_of_lists
from kind.cli.remote_changes import compare_remotely
from kind.constants import GRPC_PORT, REST_PORT
from kind.errors import UserError
from kind.images.photo import Photo, encode_photo, write_photo
from kind.serving.answers import check_boxes, pixels_of
from kind.serving.limits import SECONDS

if TYPE_CHECKING:
    from kind.serving.client import Client, Detections

_SERVER = f"127.0.0.1:{REST_PORT}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands."""
    tasks = parser.add_subparsers(dest="task", metavar="TASK", required=True)
    text = "Relights photographs; writes the same files as `kind enhance`"
    enhance = tasks.add_parser("enhance", help=text, description=text, allow_abbrev=False)
    add_batch_arguments(enhance, stdout=True)
    _add_server_arguments(enhance)
    add_writing_arguments(enhance)
    add_alpha_argument(enhance, "brightness factor: 1 keeps the illumination", "the model's")
    add_brightness_argument(enhance)
    add_strength_argument(enhance)
    enhance.set_defaults(run_task=_run_enhance)
    text = "Finds objects and draws them on the relit photographs; writes the same files as `kind detect`"
    detect = tasks.add_parser("detect", help=text, description=text, allow_abbrev=False)
    add_batch_arguments(detect, ending=None, out=FOUND, skipping=False)
    _add_server_arguments(detect)
    add_writing_arguments(detect)
    add_confidence_argument(detect)
    detect.set_defaults(run_task=_run_detect)
    text = "Finds what has changed between two photographs; writes the same files as `kind changes`"
    changes = tasks.add_parser("changes", help=text, description=text, allow_abbrev=False)
    add_comparison_arguments(changes)
    _add_server_arguments(changes)


def _add_server_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server",
        default=_SERVER,
        metavar="HOST:PORT",
        help=f"address of `kind serve` or of TensorFlow Serving (default: {_SERVER})",
    )
    parser.add_argument(
        "--protocol",
        choices=("rest", "grpc"),
        default="rest",
        help=f"gRPC has another port, {GRPC_PORT} by default (default: rest)",
    )
    parser.add_argument(
        "--model", default="kind", metavar="NAME", help="the model's name on the server (default: kind)"
    )
    add_seconds_argument(parser, "--timeout", "time limit for one request, retries included", SECONDS)


def run(arguments: argparse.Namespace) -> int:
    """Sends the photographs one after another and prints a table.

    Returns:
        0 when all were done, 1 when some could not be, 2 when none could.

    Raises:
        UserError: when nothing can be done, before anything is; also when the server cannot be reached.
    """
    if arguments.task == "enhance":
        _check_wishes(arguments)
    if arguments.task == "changes":
        return _ask(arguments, partial(compare_remotely, arguments))
    lists = LISTS if arguments.task == "detect" else ()

    def work(jobs: list[Job]) -> int:
        return _ask(arguments, partial(arguments.run_task, arguments, jobs))

    return carry_out(arguments, work, lists=lists, format=arguments.format)


def _ask(arguments: argparse.Namespace, task: Callable[[Client], int]) -> int:
    from kind.serving.client import Client

    try:
        client = Client(
            arguments.server, arguments.protocol, model=arguments.model, timeout=arguments.timeout
        )
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"--server: {error}") from error
    with client:
        client.status()  # nobody there is better said once than for every photograph
        return task(client)


def _check_wishes(arguments: argparse.Namespace) -> None:
    check_brightness(arguments)
    for name in ("alpha", "brightness"):
        if getattr(arguments, name) is not None and arguments.strength != 1:
            raise UserError(f"give --{name} or --strength, not both: the server blends at the model's own α")


def _run_enhance(arguments: argparse.Namespace, jobs: list[Job], client: Client) -> int:
    wishes = {name: getattr(arguments, name) for name in ("alpha", "brightness", "strength")}
    return _enhance(jobs, client, wishes, quality=arguments.quality)


def _run_detect(arguments: argparse.Namespace, jobs: list[Job], client: Client) -> int:
    folder = folder_of_lists(arguments.out, jobs)
    return _detect(jobs, client, folder, confidence=arguments.confidence, quality=arguments.quality)


def _enhance(jobs: list[Job], client: Client, wishes: dict[str, float | None], *, quality: int | None) -> int:
    alpha = wishes["alpha"]

    def work(job: Job, photo: Photo) -> Worked:
        with _naming(job):
            relit = client.enhance(_as_png(photo), **wishes)

        def write() -> None:
            with _naming(job):
                pixels = pixels_of(relit, photo.pixels.shape[:2])
            write_photo(job.target, pixels, like=replace(photo, bits=8), quality=quality)

        return Worked("model's" if alpha is None else f"{alpha:g}", write)

    return work_through(jobs, work, "α")


def _detect(jobs: list[Job], client: Client, folder: Path, *, confidence: float, quality: int | None) -> int:
    from kind.detection.drawing import draw_predictions
    from kind.detection.results import Searched, write_results
    from kind.metrics.boxes import Predictions

    names: dict[int, str] = {}
    searched: list[Searched] = []

    def work(job: Job, photo: Photo) -> Worked:
        with _naming(job):
            relit, detections = client.enhance_and_detect(_as_png(photo))
            check_boxes(detections.boxes, photo.pixels.shape[:2])
        names.update(zip(map(int, detections.classes), detections.names))
        found = _predictions(Predictions, detections, confidence)
        known = _class_names(names)

        def write() -> None:
            with _naming(job):
                pixels = pixels_of(relit, photo.pixels.shape[:2])
            drawn = draw_predictions(pixels, found, known)
            like = replace(photo, gray=False, alpha=None, bits=8)
            write_photo(job.target, drawn, like=like, quality=quality)

        def then() -> None:
            searched.append(Searched(job.source, photo.pixels.shape[:2], found))

        return Worked(str(len(found.scores)), write, then)

    try:
        return work_through(jobs, work, "boxes")
    finally:  # an interruption keeps what was found
        if searched:
            try:
                files = write_results(folder, searched, _class_names(names))
            except OSError as error:
                raise UserError(f"{folder}: cannot be written to ({error.strerror or error})") from error
            boxes = sum(len(entry.found.scores) for entry in searched)
            print(f"{boxes} boxes: {', '.join(map(str, files))}")


@contextlib.contextmanager
def _naming(job: Job) -> Iterator[None]:
    """Puts the photograph's name before what is wrong with the answer for it."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{job.source}: {error}") from error


def _predictions(kind, detections: Detections, confidence: float):
    kept = detections.scores > confidence
    return kind(detections.boxes[kept], detections.scores[kept], detections.classes[kept])


def _class_names(names: dict[int, str]) -> list[str]:
    """Names by class number; a server only names the classes that it found."""
    return [names.get(number, f"class {number}") for number in range(max(names, default=-1) + 1)]


def _as_png(photo: Photo) -> bytes:
    """The photograph as every server reads it: upright, RGB, 8 bits, in PNG."""
    return encode_photo(photo.pixels, "png")
