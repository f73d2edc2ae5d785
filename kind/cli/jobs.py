"""Photographs in, one picture each out: what the commands that work through photographs share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from kind.cli.pipelined import Finished, Worked, run_pipelined
from kind.errors import UserError
from kind.images.photo import WRITABLE_SUFFIXES, ImageError, Photo, find_photos, read_photo

FORMATS = tuple(suffix[1:] for suffix in WRITABLE_SUFFIXES)

_COLUMN_WIDTH = 4
_MOST_WORKERS = 64
_FORMAT_OF_THE_REST = ".png"  # of inputs that can be read but not written, such as GIF


class Job(NamedTuple):
    """One photograph to work on: the file to read and the file to write."""

    source: Path
    target: Path

    def beside(self, part: str) -> Path:
        """The PNG for something else that is shown of this photograph, next to the target."""
        return self.target.with_name(f"{self.target.stem}_{part}.png")


def add_inputs_argument(parser: argparse.ArgumentParser) -> None:
    """Declares the photographs to work on; `plan` takes them."""
    parser.add_argument(
        "inputs", nargs="+", type=Path, metavar="INPUT", help="a photograph, or a folder of them"
    )


def add_writing_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares how pictures are written."""
    parser.add_argument(
        "--format", choices=FORMATS, metavar="FORMAT", help=f"{', '.join(FORMATS)} (default: the input's)"
    )
    parser.add_argument("--quality", type=int, default=95, help="of JPEG and WebP, 1 to 100 (default: 95)")


def check_quality(arguments: argparse.Namespace) -> None:
    """Refuses a --quality out of range with a UserError."""
    if not 1 <= arguments.quality <= 100:
        raise UserError(f"--quality expects 1 to 100, received {arguments.quality}")


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
                    "rename one, or write them into different folders"
                )
            written[place] = job.source


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror}); give --out another place") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{folder}: cannot be written to; give --out another place")


def add_workers_argument(parser: argparse.ArgumentParser) -> None:
    """Declares how many threads read and write."""
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="photographs read ahead while others are worked on and written; 0 does one thing after "
        "another, in the least memory (default: 1)",
    )


def check_workers(arguments: argparse.Namespace) -> None:
    """Refuses --workers out of range with a UserError."""
    if not 0 <= arguments.workers <= _MOST_WORKERS:
        raise UserError(f"--workers expects 0 to {_MOST_WORKERS}, received {arguments.workers}")


def work_through(
    jobs: Sequence[Job], work: Callable[[Job, Photo], Worked | str], column: str, workers: int = 1
) -> int:
    """Does one photograph after another and prints a table; one that fails does not stop the rest.

    Args:
        jobs: see `plan`.
        work: called with each photograph; `Worked.cell` is what the table's own column says, or the string
            when it has written everything itself.
        column: the heading of that column.
        workers: see `kind.cli.pipelined.run_pipelined`.

    Returns:
        0 when all were done, 1 when some could not be, 2 when none could.
    """
    width = max(len("photograph"), *(len(job.source.name) for job in jobs))
    digits = max(_COLUMN_WIDTH, len(column))
    print(f"{'photograph':{width}}  {'size':>11}  {column:>{digits}}  {'seconds':>7}  written to", flush=True)
    failed = 0
    for end in run_pipelined(jobs, lambda job: read_photo(job.source), _fitting(work), UserError, workers):
        failed += end.error is not None
        _print_end(end, width, digits)
    if failed and len(jobs) > 1:
        print(f"kind: {failed} of {len(jobs)} photographs failed", file=sys.stderr)
    return 0 if not failed else 1 if failed < len(jobs) else 2


def _print_end(end: Finished, width: int, digits: int) -> None:
    """A row of the table, or the error, and what the photograph's reader has to say."""
    if end.error is not None:
        print(f"kind: {end.error}", file=sys.stderr, flush=True)
        return
    for note in end.read.notes:
        print(f"kind: {end.job.source}: {note}", file=sys.stderr)
    size = "{1}x{0}".format(*end.read.pixels.shape)
    print(
        f"{end.job.source.name:{width}}  {size:>11}  {end.cell:>{digits}}  {end.seconds:>7.2f}  "
        f"{end.job.target}",
        flush=True,
    )


def _fitting(work: Callable[[Job, Photo], Worked | str]) -> Callable[[Job, Photo], Worked]:
    """The same work, and an ImageError where memory is too small, whether for working or for writing."""
    tensorflow = sys.modules.get("tensorflow")  # not loaded where a server does the work
    lacks_memory = (MemoryError, *([tensorflow.errors.ResourceExhaustedError] if tensorflow else []))

    def guarded(job: Job, call: Callable, *arguments):
        try:
            return call(*arguments)
        except lacks_memory as error:
            raise ImageError(
                f"{job.source}: does not fit into memory: make the image smaller first"
            ) from error

    def fitting(job: Job, photo: Photo) -> Worked:
        worked = guarded(job, work, job, photo)
        if isinstance(worked, str):
            return Worked(worked, write=lambda: None)
        return worked._replace(write=lambda: guarded(job, worked.write))

    return fitting
