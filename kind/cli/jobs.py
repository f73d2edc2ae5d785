"""Photographs in, one image file each out: the loop and the table of several commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from kind.cli.json_lines import emit, photograph_record
from kind.cli.pipelined import Finished, Pipeline, Worked
from kind.errors import UserError, one_line
from kind.files import fitted_name
from kind.images.photo import Photo, StoredPhoto, decode_stored_photo, read_stored_photo

_COLUMN_WIDTH = 4
_BAR = "{percentage:3.0f}%|{bar}| {n_fmt} of {total_fmt} photographs, {remaining} left"
_TOO_LARGE = "does not fit into memory: make the image smaller first"


class Job(NamedTuple):
    """One photograph to work on.

    Attributes:
        source: the file to read; of what is no file only its name counts.
        target: the file to write.
        refusal: why neither is done, else "".
        label: what messages call a source that is no file.
        fetch: gives the bytes of a source that is no file.
        strip: whether what the file says beside pixels and colours is left out.
        moves: whether it is a video or an animation, for which `read` is not made.
        number: its place among all that were planned, those included whose results are there already.
    """

    source: Path
    target: Path
    refusal: str = ""
    label: str = ""
    fetch: Callable[[], bytes] | None = None
    strip: bool = False
    moves: bool = False
    number: int = 0

    @property
    def shown(self) -> str:
        """What messages call the source."""
        return self.label or str(self.source)

    def read(self) -> StoredPhoto:
        """Reads the photograph.

        Raises:
            UserError: it is refused, or cannot be read.
        """
        if self.refusal:
            raise UserError(self.refusal)
        if self.fetch:
            photo = decode_stored_photo(self.fetch(), self.shown)
        else:
            photo = read_stored_photo(self.source)
        return replace(photo, metadata=photo.metadata.stripped()) if self.strip else photo

    def read_floats(self) -> Photo:
        """As `read`, in [0, 1]."""
        return self.read().in_floats()

    def beside(self, part: str) -> Path:
        """The PNG file for another image of this photograph, such as a part, next to the target."""
        return self.target.with_name(fitted_name(self.target.stem, f"_{part}.png"))


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
        read: Callable[[Job], Photo | StoredPhoto] = Job.read_floats,
    ) -> None:
        """Prints the heading and starts to read.

        Args:
            jobs: see `kind.cli.planning.plan`.
            column: the heading of the column for `Worked.cell`.
            workers: see `kind.cli.pipelined.Pipeline`.
            read: reads a photograph.
        """
        super().__init__(jobs, read, _failures(), self._print_end, workers)
        self._count, self._failed = len(jobs), 0
        self._width = max(len("photograph"), *(len(one_line(job.source.name)) for job in jobs))
        self._digits = max(_COLUMN_WIDTH, len(column))
        heading = f"{'photograph':{self._width}}  {'size':>11}  {column:>{self._digits}}  {'seconds':>7}"
        print(f"{heading}  written to", flush=True)
        self._column = column
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
        if error is None:
            _count_failures(self._failed, self._count)

    def _print_end(self, end: Finished) -> None:
        """Prints a row of the table, or the error, and the notes of the photograph's reader."""
        with tqdm.external_write_mode():
            if end.error is None:
                self._print_row(end)
            else:
                self._failed += 1
                is_named = isinstance(end.error, UserError)
                text = end.error if is_named else one_line(f"{end.job.shown}: {_TOO_LARGE}")
                print(f"kind: {text}", file=sys.stderr, flush=True)
                emit(photograph_record(end.job.shown, end.job.target, column=self._column, error=str(text)))
        self._bar.update()

    def _print_row(self, end: Finished) -> None:
        for note in end.read.notes:
            print(one_line(f"kind: {end.job.shown}: {note}"), file=sys.stderr)
        size = "{1}x{0}".format(*end.read.size)
        print(
            f"{one_line(end.job.source.name):{self._width}}  {size:>11}  {end.cell:>{self._digits}}  "
            f"{end.seconds:>7.2f}  {one_line(str(end.job.target))}",
            flush=True,
        )
        done = {"size": end.read.size, "seconds": end.seconds, "notes": end.read.notes}
        told = {"column": self._column, "cell": end.cell}
        emit(photograph_record(end.job.shown, end.job.target, **done, **told))


def _failures() -> tuple[type[Exception], ...]:
    """What ends the work on one photograph and not on the others."""
    tensorflow = sys.modules.get("tensorflow")  # not loaded where a server does the work
    return (UserError, MemoryError, *([tensorflow.errors.ResourceExhaustedError] if tensorflow else []))


def exit_code(failed: int, count: int) -> int:
    """0 when all photographs were done, 1 when some could not be, 2 when none could."""
    return 0 if not failed else 1 if failed < count else 2


def _count_failures(failed: int, count: int, called: str = "photographs") -> None:
    if failed and count > 1:
        print(f"kind: {failed} of {count} {called} failed", file=sys.stderr, flush=True)


def _emit_failure(job: Job, text: str) -> None:
    emit(photograph_record(job.shown, job.target, error=text))


def work_one_by_one(
    jobs: Sequence[Job],
    work: Callable[[int, Job], None],
    failed_with: Callable[[Job, str], None] = _emit_failure,
    called: str = "photographs",
) -> int:
    """Calls `work` with the number of each photograph and its job; one that fails does not stop the rest.

    Args:
        jobs: photographs, or videos.
        work: does one.
        failed_with: called with one that failed, and the error that was printed; by default it prints the
            line of JSON.
        called: what messages call them.

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
            text = error if isinstance(error, UserError) else one_line(f"{job.shown}: {_TOO_LARGE}")
            print(f"kind: {text}", file=sys.stderr, flush=True)
            failed_with(job, str(text))
    _count_failures(failed, len(jobs), called)
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
