"""Photographs in, relit photographs out: what `enhance` and `demo` share."""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kind.errors import UserError
from kind.image import WRITABLE_SUFFIXES, ImageError, Photo, find_photos, read_photo, write_photo

if TYPE_CHECKING:
    from kind.pipeline import Enhanced, Enhancer

_FORMATS = tuple(suffix[1:] for suffix in WRITABLE_SUFFIXES)
_FORMAT_OF_THE_REST = ".png"  # of inputs that can be read but not written, such as GIF


class Job(NamedTuple):
    """One photograph to relight: the file to read and the file to write."""

    source: Path
    target: Path

    def beside(self, part: str) -> Path:
        """The PNG for something else that is shown of this photograph, next to the target."""
        return self.target.with_name(f"{self.target.stem}_{part}.png")


def add_relighting_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares how photographs are relit and written."""
    parser.add_argument(
        "--alpha",
        type=float,
        default=5.0,
        metavar="α",
        help="how much brighter: 1 keeps the illumination (default: 5.0)",
    )
    parser.add_argument(
        "--fusion",
        choices=("plain", "published"),
        default="plain",
        help="reflectance times illumination, or masked and blended as KinD's script does (default: plain)",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="DIR",
        help="folder of STAGE.keras files or run folders (default: the weights that ship)",
    )
    parser.add_argument(
        "--format", choices=_FORMATS, metavar="FORMAT", help=f"{', '.join(_FORMATS)} (default: the input's)"
    )
    parser.add_argument("--quality", type=int, default=95, help="of JPEG and WebP, 1 to 100 (default: 95)")


def plan(inputs: Sequence[Path], out: Path, format: str | None, also: Sequence[str] = ()) -> list[Job]:
    """Decides what is written where, and refuses what cannot end well, before any work is done.

    Args:
        inputs: photographs and folders of them.
        out: a folder; a file when `inputs` is one photograph and `out` has an image's suffix.
        format: of all outputs, such as "png"; None keeps each input's.
        also: names of further pictures that will be written beside each target, see `Job.beside`.

    Returns:
        At least one job, each photograph once.

    Raises:
        UserError: an input is missing, an output would overwrite an input or another output, or the
            output folder cannot be made or written to.
    """
    sources = list({path.resolve(): path for path in find_photos(inputs)}.values())
    if len(sources) == 1 and out.suffix.lower() in WRITABLE_SUFFIXES and not out.is_dir():
        if format and out.suffix.lower() != f".{format}":
            raise UserError(f"{out}: its suffix and --format {format} disagree; leave one of them out")
        jobs = [Job(sources[0], out)]
    elif out.suffix.lower() in WRITABLE_SUFFIXES and not out.is_dir():
        raise UserError(f"{out}: {len(sources)} photographs do not fit in one file; give --out a folder")
    else:
        jobs = [Job(source, out / _target_name(source, format)) for source in sources]
    _refuse_collisions(jobs, also)
    _make_writable(jobs[0].target.parent)
    return jobs


def _target_name(source: Path, format: str | None) -> str:
    suffix = f".{format}" if format else source.suffix
    return source.stem + (suffix if suffix.lower() in WRITABLE_SUFFIXES else _FORMAT_OF_THE_REST)


def _refuse_collisions(jobs: Sequence[Job], also: Sequence[str]) -> None:
    sources = {job.source.resolve() for job in jobs}
    written: dict[Path, Path] = {}
    for job in jobs:
        for target in (job.target, *map(job.beside, also)):
            place = target.resolve()
            if place in sources:
                raise UserError(f"{target}: would overwrite an input; give --out another place")
            if place in written:
                raise UserError(
                    f"{written[place]} and {job.source} would both be written to {target}; "
                    "rename one, or enhance them into different folders"
                )
            written[place] = job.source


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror}); give --out another place") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{folder}: cannot be written to; give --out another place")


def relight(
    jobs: Sequence[Job],
    arguments: argparse.Namespace,
    then: Callable[[Job, Photo, Enhanced], None] | None = None,
) -> int:
    """Relights one photograph after another and prints a table; one that fails does not stop the rest.

    Args:
        jobs: see `plan`.
        arguments: parsed, see `add_relighting_arguments`.
        then: called after each photograph is written, with its pixels and the pipeline's parts.

    Returns:
        0 when all were relit, 1 when some could not be, 2 when none could.

    Raises:
        UserError: when the settings or the weights cannot be used.
    """
    if not (math.isfinite(arguments.alpha) and arguments.alpha >= 0):
        raise UserError(f"--alpha expects a number from 0 on, received {arguments.alpha}")
    if not 1 <= arguments.quality <= 100:
        raise UserError(f"--quality expects 1 to 100, received {arguments.quality}")

    from kind.pipeline import Enhancer

    enhancer = Enhancer.load(arguments.weights)
    width = max(len("photograph"), *(len(job.source.name) for job in jobs))
    print(f"{'photograph':{width}}  {'size':>11}  {'α':>4}  {'seconds':>7}  written to", flush=True)
    failed = 0
    for job in jobs:
        started = time.perf_counter()
        try:
            photo, enhanced = _relight_one(job, enhancer, arguments)
            if then:
                then(job, photo, enhanced)
        except UserError as error:
            print(f"kind: {error}", file=sys.stderr, flush=True)
            failed += 1
            continue
        for note in photo.notes:
            print(f"kind: {job.source}: {note}", file=sys.stderr)
        size = "{1}x{0}".format(*photo.pixels.shape)
        seconds = time.perf_counter() - started
        print(
            f"{job.source.name:{width}}  {size:>11}  {arguments.alpha:>4g}  {seconds:>7.2f}  {job.target}",
            flush=True,
        )
    if failed:
        print(f"kind: {failed} of {len(jobs)} photographs failed", file=sys.stderr)
    return 0 if not failed else 1 if failed < len(jobs) else 2


def _relight_one(job: Job, enhancer: Enhancer, arguments: argparse.Namespace) -> tuple[Photo, Enhanced]:
    from tensorflow.errors import ResourceExhaustedError

    photo = read_photo(job.source)
    try:
        enhanced = enhancer(photo.pixels, arguments.alpha, arguments.fusion)
    except (MemoryError, ResourceExhaustedError) as error:
        raise ImageError(f"{job.source}: does not fit into memory: make the image smaller first") from error
    write_photo(job.target, enhanced.relit.numpy(), like=photo, quality=arguments.quality)
    return photo, enhanced
