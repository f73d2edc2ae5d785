"""The files of commands that make an image of each photograph: their options, and the run around the work."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from kind.cli.inputs import STDIN, STDIN_NAME, listed_in
from kind.cli.jobs import Job
from kind.cli.planning import DEFAULT_ENDING, beside_videos, folder_of_lists, plan, without_existing
from kind.cli.terminal import ReaderGone, drop_rest
from kind.errors import UserError, one_line
from kind.images.photo import WRITABLE_SUFFIXES
from kind.video.formats import MOVING_SUFFIXES

_FILE_SUFFIX = re.compile(r"\.[A-Za-z]\w{0,5}")
STDOUT = Path("-")


class _Out(argparse.Action):
    """Stores where to write; a name with the suffix of no image that can be written is refused."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Stores `values` as a path."""
        out = Path(values)
        known = (*WRITABLE_SUFFIXES, *(MOVING_SUFFIXES if namespace.videos else ()))
        is_meant_as_folder = values.endswith(("/", os.sep)) or os.path.isdir(out)
        if _FILE_SUFFIX.fullmatch(out.suffix) and out.suffix.lower() not in known and not is_meant_as_folder:
            raise UserError(
                f"{values}: {out.suffix} images cannot be written: expects {' '.join(known)}, or "
                f"{values}/ for a folder"
            )
        setattr(namespace, self.dest, out)


class _Suffix(argparse.Action):
    """Stores the end of names; what begins like a word gets a hyphen, which argparse takes for an option."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Stores `values` when a name can hold it."""
        if re.search(r"[/\\\0]", values) or values.lower().endswith(WRITABLE_SUFFIXES):
            raise UserError(f"{option_string} expects the end of a name, such as lit, received {values!r}")
        setattr(namespace, self.dest, f"-{values}" if values[:1].isalnum() else values)


def add_batch_arguments(
    parser: argparse.ArgumentParser,
    *,
    ending: str | None = DEFAULT_ENDING,
    out: Path | None = None,
    skipping: bool = True,
    stdout: bool = False,
    videos: bool = False,
) -> None:
    """Declares the photographs to work on and where results go; `planned` reads them.

    Args:
        parser: of a command.
        ending: of the names of results that lie beside the photographs; None when they never do.
        out: the default of --out.
        skipping: whether results of an earlier run can be left out.
        stdout: whether a result can go to stdout.
        videos: whether videos and animations are taken, too.
    """
    kinds = "a photograph or video" if videos else "a photograph"
    text = f"{kinds}, a folder or ZIP of them, a quoted pattern, an http or https address, or - for stdin"
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help=text)
    where = (
        f"default: {out}" if out else f"default: NAME{ending} beside each input, FOLDER{ending} for a folder"
    )
    parser.add_argument(
        "--out",
        action=_Out,
        default=out,
        metavar="PLACE",
        help="output folder; for a single photograph also a file, whose suffix sets the format"
        f"{', or - for stdout' if stdout else ''} ({where})",
    )
    parser.add_argument(
        "--files-from",
        type=Path,
        metavar="FILE",
        help="also the inputs that this file lists, one in each line",
    )
    parser.add_argument(
        "--recursive", action="store_true", help="go into the folders of folders, and keep them in the output"
    )
    parser.add_argument(
        "--suffix",
        action=_Suffix,
        metavar="TEXT",
        help="end of the names of outputs: lit makes night-lit.jpg, and _lit night_lit.jpg"
        + (f" (default: {ending[1:]}; with --out, none)" if ending else ""),
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument(
        "--overwrite",
        action="store_true",
        help="write over outputs that are there already (default: ask on a terminal, otherwise refuse)",
    )
    if skipping:
        existing.add_argument(
            "--skip-existing",
            action="store_true",
            help="leave out photographs whose outputs are there already",
        )
    parser.add_argument(
        "--dry-run", action="store_true", help="show which file each photograph would be written to, and stop"
    )
    parser.add_argument(
        "--strip",
        action="store_true",
        help="leave out EXIF, XMP, IPTC, resolution and date of the input; its colour profile stays",
    )
    parser.set_defaults(ending=ending or "", stdout=stdout, videos=videos)


def inputs_of(arguments: argparse.Namespace) -> list[str]:
    """The inputs of the command line and of the list file.

    Raises:
        UserError: the list file cannot be read.
    """
    return [*arguments.inputs, *(listed_in(arguments.files_from) if arguments.files_from else [])]


def carry_out(
    arguments: argparse.Namespace,
    work: Callable[[list[Job]], int],
    also: Sequence[str] = (),
    *,
    lists: Sequence[str] = (),
    format: str | None = None,
    of_videos: str = "",
) -> int:
    """Calls `work` within `planned`, whose arguments the others are.

    Args:
        arguments: of `add_batch_arguments`.
        work: works through at least one job, and returns the exit code.
        also: see `planned`.
        lists: see `planned`.
        format: see `planned`.
        of_videos: see `planned`.

    Returns:
        The exit code of `work`; 0 when there was nothing to do.

    Raises:
        UserError: see `planned`.
    """
    with planned(arguments, also, lists=lists, format=format, of_videos=of_videos) as jobs:
        return work(jobs) if jobs else 0


@contextlib.contextmanager
def planned(
    arguments: argparse.Namespace,
    also: Sequence[str] = (),
    *,
    lists: Sequence[str] = (),
    format: str | None = None,
    change: Callable[[list[Job]], list[Job]] = list,
    of_videos: str = "",
) -> Iterator[list[Job]]:
    """Plans the outputs, and decides about those that are there already; the block works through the jobs.

    Args:
        arguments: of `add_batch_arguments`.
        also: see `plan`.
        lists: names of files that the block writes about photographs, if there are any, in `folder_of_lists`.
        format: see `plan`.
        change: see `plan`.
        of_videos: see `plan`.

    Yields:
        What is to be done, which may be nothing. What goes to stdout is sent there at the end.

    Raises:
        UserError: when nothing can be done, before anything is.
    """
    inputs, out = inputs_of(arguments), arguments.out
    if out is None and STDIN in inputs:
        if len(inputs) > 1 or not arguments.stdout:
            raise UserError(f"{STDIN_NAME}: give --out a place for the result")
        out = STDOUT
    if out == STDOUT and arguments.stdout:
        with _for_stdout(arguments, inputs, also, format) as jobs:
            yield jobs
        return
    jobs = plan(
        inputs,
        out,
        format,
        also,
        suffix=arguments.suffix,
        ending=arguments.ending,
        recursive=arguments.recursive,
        videos=arguments.videos,
        change=change,
        of_videos=of_videos,
    )
    if arguments.dry_run:
        _show(jobs)
        jobs = []
    elif not arguments.overwrite:
        listed = lists if any(not job.moves for job in jobs) else ()
        more = [folder_of_lists(out, jobs) / name for name in listed]
        more += beside_videos(jobs, of_videos)
        jobs = without_existing(jobs, also, more, skip=getattr(arguments, "skip_existing", None))
    yield _stripping(jobs, arguments.strip)


def _stripping(jobs: Sequence[Job], strip: bool) -> list[Job]:
    return [job._replace(strip=strip) for job in jobs]


def _show(jobs: Sequence[Job]) -> None:
    for job in jobs:
        state = job.refusal or ("is there already" if os.path.lexists(job.target) else "")
        print(one_line(f"{job.shown} -> {job.target}{state and f' ({state})'}"))


@contextlib.contextmanager
def _for_stdout(
    arguments: argparse.Namespace, inputs: Sequence[str], also: Sequence[str], format: str | None
) -> Iterator[list[Job]]:
    """One photograph, which is sent to stdout at the end; the table is not."""
    if also:
        raise UserError("--out -: stdout takes one image; give --out a folder for the parts")
    if hasattr(sys.stdout, "emit"):
        raise UserError("--out -: stdout takes the image; leave --json out")
    if sys.stdout.isatty() and not arguments.dry_run:
        raise UserError("--out -: would write an image to the terminal; redirect it, as in > relit.jpg")
    with _temporary_folder() as folder:
        jobs = plan(inputs, Path(folder), format, recursive=arguments.recursive)
        if len(jobs) > 1:
            raise UserError(f"--out -: {len(jobs)} photographs do not fit in stdout; give --out a folder")
        if arguments.dry_run:
            print(one_line(f"{jobs[0].shown} -> standard output, {jobs[0].target.suffix}"))
            yield []
            return
        with contextlib.redirect_stdout(io.StringIO()):
            yield _stripping(jobs, arguments.strip)
        if jobs[0].target.is_file():
            _copy_to_stdout(jobs[0].target)


def _temporary_folder() -> tempfile.TemporaryDirectory:
    try:
        return tempfile.TemporaryDirectory()
    except OSError as error:
        raise UserError(f"--out -: no place for temporary files ({error.strerror}): set TMPDIR") from error


def _copy_to_stdout(path: Path) -> None:
    try:
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        raise ReaderGone from error
    except OSError as error:
        drop_rest(sys.stdout)
        raise UserError(f"standard output: cannot be written ({error.strerror})") from error
