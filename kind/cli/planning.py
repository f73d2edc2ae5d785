"""Which file each photograph of a command line is written to, and whether it may be."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from kind.cli.inputs import Input, find_inputs
from kind.cli.jobs import Job
from kind.errors import UserError
from kind.files import fitted_name, remove_leftovers
from kind.images.photo import WRITABLE_SUFFIXES
from kind.images.raw import RAW_SUFFIXES
from kind.video.formats import MOVING_SUFFIXES, check_target, is_moving

DEFAULT_ENDING = "-relit"
TargetsOf = Callable[[Job], Sequence[Path]]
_FORMAT_OF_RAW = ".jpg"
_FORMAT_OF_THE_REST = ".png"  # of other inputs that can be read but not written, such as GIF


def plan(
    inputs: Sequence[str | Path],
    out: Path | None,
    format: str | None,
    also: Sequence[str] = (),
    *,
    suffix: str | None = None,
    ending: str = DEFAULT_ENDING,
    recursive: bool = False,
    videos: bool = False,
    change: Callable[[list[Job]], list[Job]] = list,
    of_videos: str = "",
) -> list[Job]:
    """Plans which file each photograph is written to, and refuses collisions before any work is done.

    Without `out`, `night.jpg` becomes `night-relit.jpg` beside it, and the photographs of `holiday/` go into
    `holiday-relit/`. What is neither in a folder nor a file goes into the current folder. Folders are made
    once something is written to them.

    Of two photographs that were found in folders and would be written to one file, the second is refused
    alone: `Job.refusal` says why. Two names of one file are two photographs.

    Args:
        inputs: see `kind.cli.inputs.find_inputs`.
        out: a folder; a file when `inputs` is one photograph and `out` has an image's suffix; None is beside
            the inputs.
        format: of all outputs, such as "png"; None keeps each input's.
        also: names of further images that will be written beside each target, see `Job.beside`.
        suffix: what the names of outputs end with, before the format's suffix; None is `ending` beside the
            inputs and nothing in `out`.
        ending: see `suffix`.
        recursive: folders stand for what their folders hold, too, and outputs keep these folders.
        videos: videos and animations are taken, too, as `Job.moves`. They keep their format.
        change: what becomes of the jobs before places are compared; may leave some out.
        of_videos: suffix of a file that is written beside each video.

    Returns:
        At least one job, each name of a photograph once.

    Raises:
        UserError: an input is missing, an output would overwrite an input or another output, or it is clear
            that the output folder cannot be made or written to.
    """
    found = find_inputs(inputs, recursive=recursive, but=out, videos=videos)
    chosen = list({entry.label or (place_of(entry.path), entry.path.name): entry for entry in found}.values())
    file_suffixes = (*WRITABLE_SUFFIXES, *(MOVING_SUFFIXES if videos else ()))
    is_file = out is not None and out.suffix.lower() in file_suffixes and not os.path.isdir(out)
    if is_file and len(chosen) > 1:
        raise UserError(f"{out}: {len(chosen)} photographs do not fit in one file; give --out a folder")
    if is_file and format and out.suffix.lower() != f".{format}":
        raise UserError(f"{out}: its suffix and --format {format} disagree; leave one of them out")
    if is_file and suffix:
        raise UserError(f"{out}: --out names the file; leave --suffix out")
    jobs = []
    for entry in chosen:
        moves = videos and not entry.fetch and is_moving(entry.path)
        kept = entry.path.suffix[1:] if moves else format
        target = out if is_file else _target(entry, out, kept, suffix, ending)
        if moves:
            check_target(entry.path, target)
        elif target.suffix.lower() not in WRITABLE_SUFFIXES:
            raise UserError(f"{target}: {entry.path.name} is no video: expects {' '.join(WRITABLE_SUFFIXES)}")
        jobs.append(Job(entry.path, target, label=entry.label, fetch=entry.fetch, moves=moves))
    if not is_file:
        jobs = _raw_beside_others(jobs)
    found_ones = {job.source for job, entry in zip(jobs, chosen) if entry.is_found}
    jobs = change(jobs)

    def targets_of(job: Job) -> list[Path]:
        return [job.target, *map(job.beside, also), *beside_videos([job], of_videos)]

    jobs = _without_earlier_results(jobs, targets_of, found_ones)
    jobs = _without_collisions(jobs, targets_of, found_ones)
    jobs = [job._replace(number=number) for number, job in enumerate(jobs)]
    for folder in {job.target.parent for job in jobs}:
        _check_writable(folder)
    return jobs


def beside_videos(jobs: Sequence[Job], suffix: str) -> list[Path]:
    """The files with a suffix that are written beside the videos among the jobs; none without a suffix."""
    return [job.target.with_suffix(suffix) for job in jobs if job.moves and suffix]


def folder_of_lists(out: Path, jobs: Sequence[Job]) -> Path:
    """Where files about all photographs go: the output folder, or that of the one output."""
    return out.parent if jobs[0].target == out else out


def place_of(path: Path) -> Path:
    """Where a name leads to; the name itself when that is a circle of links."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        try:
            return path.absolute()
        except OSError as error:
            raise UserError(f"{path}: the current folder is gone: change to another one") from error


def _target(entry: Input, out: Path | None, format: str | None, suffix: str | None, ending: str) -> Path:
    if out is None:
        name_ending = ending if suffix is None else suffix
        if entry.root is not None:
            root = entry.root if entry.root.name not in ("", "..") else entry.root.resolve()
            folder = root.with_name(root.name + name_ending) / entry.below
            return folder / _target_name(entry.path, format, "")
        return entry.path.with_name(_target_name(entry.path, format, name_ending))
    return out / entry.below / _target_name(entry.path, format, suffix or "")


def _target_name(source: Path, format: str | None, ending: str) -> str:
    suffix = f".{format}" if format else source.suffix
    if suffix.lower() in RAW_SUFFIXES:
        suffix = _FORMAT_OF_RAW
    elif not format and suffix.lower() not in WRITABLE_SUFFIXES:
        suffix = _FORMAT_OF_THE_REST
    return fitted_name(source.stem, ending + suffix)


def _raw_beside_others(jobs: Sequence[Job]) -> list[Job]:
    """Gives `night.nef` beside `night.jpg`, which cameras write together, a target of its own."""
    of_others = {place_of(job.target) for job in jobs if job.source.suffix.lower() not in RAW_SUFFIXES}

    def apart(job: Job) -> Job:
        suffix = job.source.suffix
        if suffix.lower() not in RAW_SUFFIXES or place_of(job.target) not in of_others:
            return job
        name = fitted_name(job.target.stem, f"-{suffix[1:].lower()}{job.target.suffix}")
        return job._replace(target=job.target.with_name(name))

    return list(map(apart, jobs))


def _without_earlier_results(jobs: Sequence[Job], targets_of: TargetsOf, found: set[Path]) -> list[Job]:
    """Leaves out what a pattern found and an earlier run has written, such as `night-relit.jpg`.

    What would be written over itself is no result: it stays, to be refused.
    """
    sources = [place_of(job.source) for job in jobs]
    makers: dict[Path, set[Path]] = {}
    for job, source in zip(jobs, sources):
        for target in targets_of(job):
            makers.setdefault(place_of(target), set()).add(source)
    return [
        job
        for job, source in zip(jobs, sources)
        if job.source not in found or makers.get(source, set()) <= {source}
    ]


def _without_collisions(jobs: Sequence[Job], targets_of: TargetsOf, found: set[Path]) -> list[Job]:
    """The jobs, with a refusal for each that would write a file again and was found and not named."""
    sources = {place_of(job.source) for job in jobs if not job.fetch}
    written: dict[Path, Path] = {}
    checked = []
    for job in jobs:
        targets = targets_of(job)
        places = [place_of(target) for target in targets]
        if taken := next((target for target, place in zip(targets, places) if place in sources), None):
            raise UserError(f"{taken}: would overwrite an input; give --out another place")
        if taken := next((place for place in places if place in written), None):
            clash = (
                f"{written[taken]} and {job.source} would both be written to {targets[places.index(taken)]}"
            )
            refusal = f"{clash}; rename one, or write them into different folders"
            if job.source not in found:
                raise UserError(refusal)
            job = job._replace(refusal=refusal)
        else:
            written.update(dict.fromkeys(places, job.source))
        checked.append(job)
    return checked


def _check_writable(folder: Path) -> None:
    """Refuses a folder that cannot be made or written to, without making it; cleans up one that is there."""
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror}); give --out another place") from error
    if not there.is_dir():
        raise UserError(f"{folder}: cannot be made ({there} is a file); give --out another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{folder}: cannot be written to; give --out another place")
    if there == folder:
        remove_leftovers(folder)


def without_existing(
    jobs: Sequence[Job], also: Sequence[str], more: Sequence[Path] = (), *, skip: bool | None = None
) -> list[Job]:
    """Decides about outputs that are there already: asks on a terminal, and refuses otherwise.

    Args:
        jobs: see `plan`.
        also: see `plan`.
        more: further files that will be written.
        skip: leave out what has all its outputs; None where that cannot be asked for.

    Returns:
        The jobs that are still to be done, perhaps none.

    Raises:
        UserError: outputs are there, and neither option nor the user says what to do.
    """
    outputs = [(job, [job.target, *map(job.beside, also)]) for job in jobs]
    if skip:
        left = [job for job, targets in outputs if job.refusal or not all(map(os.path.lexists, targets))]
        if len(left) < len(jobs):
            text = f"kind: {len(jobs) - len(left)} of {len(jobs)} are there already and skipped"
            print(text, file=sys.stderr, flush=True)
        return left
    planned = [*(target for _, targets in outputs for target in targets), *more]
    there = [target for target in planned if os.path.lexists(target)]
    if not there:
        return list(jobs)
    count = f" and {len(there) - 1} more are" if len(there) > 1 else " is"
    text = f"{there[0]}{count} there already"
    if sys.stdin and sys.stdin.isatty() and sys.stderr.isatty():
        print(f"kind: {text}; overwrite? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return list(jobs)
    skipping = ", --skip-existing" if skip is not None else ""
    raise UserError(f"{text}: give --overwrite{skipping} or another --out")
