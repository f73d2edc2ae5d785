"""Photographs in, one image file each out: planning, the loop and the table of several commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from kind.cli.json_lines import photograph_record
from kind.cli.pipelined import Finished, Pipeline, Worked
from kind.errors import UserError, one_line
from kind.files import fitted_name, remove_leftovers
from kind.images.finding import find_photos
from kind.images.photo import WRITABLE_SUFFIXES, Photo, StoredPhoto, read_photo

_COLUMN_WIDTH = 4
_BAR = "{percentage:3.0f}%|{bar}| {n_fmt} of {total_fmt} photographs, {remaining} left"
_TOO_LARGE = "does not fit into memory: make the image smaller first"
_FORMAT_OF_THE_REST = ".png"  # of inputs that can be read but not written, such as GIF


class Job(NamedTuple):
    """One photograph to work on: the file to read and the file to write; why neither is done, else ""."""

    source: Path
    target: Path
    refusal: str = ""

    def beside(self, part: str) -> Path:
        """The PNG file for another image of this photograph, such as a part, next to the target."""
        return self.target.with_name(fitted_name(self.target.stem, f"_{part}.png"))


def plan(
    inputs: Sequence[Path],
    out: Path,
    format: str | None,
    also: Sequence[str] = (),
) -> list[Job]:
    """Plans which file each photograph is written to, and refuses collisions before any work is done.

    Of two photographs in a folder that would be written to one file, the second is refused alone:
    `Job.refusal` says why. Two names of one file are two photographs.

    Args:
        inputs: photographs and folders of them.
        out: a folder; a file when `inputs` is one photograph and `out` has an image's suffix.
        format: of all outputs, such as "png"; None keeps each input's.
        also: names of further images that will be written beside each target, see `Job.beside`.

    Returns:
        At least one job, each name of a photograph once.

    Raises:
        UserError: an input is missing, an output would overwrite an input or another output, or the
            output folder cannot be made or written to.
    """
    sources = list({(_place(path), path.name): path for path in find_photos(inputs)}.values())
    if len(sources) == 1 and out.suffix.lower() in WRITABLE_SUFFIXES and not out.is_dir():
        if format and out.suffix.lower() != f".{format}":
            raise UserError(f"{out}: its suffix and --format {format} disagree; leave one of them out")
        jobs = [Job(sources[0], out)]
    elif out.suffix.lower() in WRITABLE_SUFFIXES and not out.is_dir():
        raise UserError(f"{out}: {len(sources)} photographs do not fit in one file; give --out a folder")
    else:
        jobs = [Job(source, out / _target_name(source, format)) for source in sources]
    folders = {path for path in inputs if path.is_dir()}
    jobs = _without_collisions(jobs, also, folders)
    _make_writable(jobs[0].target.parent)
    return jobs


def _target_name(source: Path, format: str | None) -> str:
    suffix = f".{format}" if format else source.suffix
    return fitted_name(source.stem, suffix if suffix.lower() in WRITABLE_SUFFIXES else _FORMAT_OF_THE_REST)


def _place(path: Path) -> Path:
    """Where a name leads to; the name itself when that is a circle of links."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path.absolute()


def _without_collisions(jobs: Sequence[Job], also: Sequence[str], folders: Collection[Path]) -> list[Job]:
    """The jobs, with a refusal for each that would write a file again and was found in one of the folders."""
    sources = {_place(job.source) for job in jobs}
    written: dict[Path, Path] = {}
    checked = []
    for job in jobs:
        targets = [job.target, *map(job.beside, also)]
        places = [_place(target) for target in targets]
        if taken := next((target for target, place in zip(targets, places) if place in sources), None):
            raise UserError(f"{taken}: would overwrite an input; give --out another place")
        if taken := next((place for place in places if place in written), None):
            clash = (
                f"{written[taken]} and {job.source} would both be written to {targets[places.index(taken)]}"
            )
            refusal = f"{clash}; rename one, or write them into different folders"
            if job.source.parent not in folders:
                raise UserError(refusal)
            job = job._replace(refusal=refusal)
        else:
            written.update(dict.fromkeys(places, job.source))
        checked.append(job)
    return checked


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror}); give --out another place") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{folder}: cannot be written to; give --out another place")
    remove_leftovers(folder)


class PhotographTable(Pipeline):
    """A loop over photographs that prints a row for each; one that fails does not stop the rest.

    Rows go to stdout and errors to stderr. On a terminal, a bar says how many photographs are done.

    Example:
        >>> with PhotographTable(jobs, "boxes") as table:
        ...     for task in table:
        ...         with task:  # task.read is the Photo
        ...             task.worked = work(task.job, task.read)
        >>> table.exit_code
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        column: str,
        workers: int = 1,
        read: Callable[[Path], Photo | StoredPhoto] = read_photo,
    ) -> None:
        """Prints the heading and starts to read.

        Args:
            jobs: see `plan`.
            column: the heading of the column for `Worked.cell`.
            workers: see `kind.cli.pipelined.Pipeline`.
            read: reads a photograph.
        """
        super().__init__(jobs, partial(_read, read), _failures(), self._print_end, workers)
        self._count, self._failed = len(jobs), 0
        self._width = max(len("photograph"), *(len(one_line(job.source.name)) for job in jobs))
        self._digits = max(_COLUMN_WIDTH, len(column))
        heading = f"{'photograph':{self._width}}  {'size':>11}  {column:>{self._digits}}  {'seconds':>7}"
        print(f"{heading}  written to", flush=True)
        self._column, self._emit = column, getattr(sys.stdout, "emit", None)  # see `kind.cli.json_lines`
        shown = len(jobs) > 1 and sys.stderr.isatty()
        self._bar = tqdm(total=len(jobs), bar_format=_BAR, leave=False, disable=not shown)

    @property
    def exit_code(self) -> int:
        """See `exit_code`."""
        return exit_code(self._failed, self._count)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Finishes what is being written; says how many photographs failed."""
        try:
            super().__exit__(kind, error, trace)
        finally:
            self._bar.close()
        if error is None and self._failed and self._count > 1:
            print(f"kind: {self._failed} of {self._count} photographs failed", file=sys.stderr)

    def _print_end(self, end: Finished) -> None:
        """Prints a row of the table, or the error, and the notes of the photograph's reader."""
        with tqdm.external_write_mode():
            if end.error is None:
                self._print_row(end)
            else:
                self._failed += 1
                is_named = isinstance(end.error, UserError)
                text = end.error if is_named else one_line(f"{end.job.source}: {_TOO_LARGE}")
                print(f"kind: {text}", file=sys.stderr, flush=True)
                if self._emit:
                    self._emit(photograph_record(end.job.source, end.job.target, error=str(text)))
        self._bar.update()

    def _print_row(self, end: Finished) -> None:
        for note in end.read.notes:
            print(one_line(f"kind: {end.job.source}: {note}"), file=sys.stderr)
        size = "{1}x{0}".format(*end.read.size)
        print(
            f"{one_line(end.job.source.name):{self._width}}  {size:>11}  {end.cell:>{self._digits}}  "
            f"{end.seconds:>7.2f}  {one_line(str(end.job.target))}",
            flush=True,
        )
        if self._emit:
            done = {"size": end.read.size, "seconds": end.seconds, "notes": end.read.notes}
            told = {"column": self._column, "cell": end.cell}
            self._emit(photograph_record(end.job.source, end.job.target, **done, **told))


def _read(read: Callable[[Path], Photo | StoredPhoto], job: Job) -> Photo | StoredPhoto:
    if job.refusal:
        raise UserError(job.refusal)
    return read(job.source)


def _failures() -> tuple[type[Exception], ...]:
    """What ends the work on one photograph and not on the others."""
    tensorflow = sys.modules.get("tensorflow")  # not loaded where a server does the work
    return (UserError, MemoryError, *([tensorflow.errors.ResourceExhaustedError] if tensorflow else []))


def exit_code(failed: int, count: int) -> int:
    """0 when all photographs were done, 1 when some could not be, 2 when none could."""
    return 0 if not failed else 1 if failed < count else 2


def work_one_by_one(jobs: Sequence[Job], work: Callable[[int, Job], None]) -> int:
    """Calls `work` with the number of each photograph and its job; one that fails does not stop the rest.

    Returns:
        See `exit_code`.
    """
    failed = 0
    for number, job in enumerate(jobs):
        try:
            if job.refusal:
                raise UserError(job.refusal)
            work(number, job)
        except _failures() as error:
            failed += 1
            text = error if isinstance(error, UserError) else one_line(f"{job.source}: {_TOO_LARGE}")
            print(f"kind: {text}", file=sys.stderr, flush=True)
    return exit_code(failed, len(jobs))


def work_through(
    jobs: Sequence[Job], work: Callable[[Job, Photo], Worked], column: str, workers: int = 1
) -> int:
    """Calls `work` with each photograph and prints a table; see `PhotographTable`.

    Returns:
        0 when all were done, 1 when some could not be, 2 when none could.
    """
    with PhotographTable(jobs, column, workers) as table:
        for task in table:
            with task:
                task.worked = work(task.job, task.read)
    return table.exit_code
