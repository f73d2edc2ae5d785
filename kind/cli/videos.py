"""Videos in, videos out: the loop and the table that `enhance` and `detect` share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kind.cli.frame_progress import FrameProgress
from kind.cli.jobs import Job, work_one_by_one
from kind.cli.json_lines import emit, photograph_record
from kind.errors import one_line
from kind.video.making import FrameWork, Made
from kind.video.moving import Moving, make_moving, open_moving


class VideoWork(NamedTuple):
    """What a command makes of videos.

    Attributes:
        frames: what is done to frames.
        settings: everything that this depends on, JSON values: parts of an interrupted run with others are
            not used.
        column: the heading of the table's column for `cell`.
        cell: what the table says of a video, by its records.
        then: called once a video is written.
    """

    frames: FrameWork
    settings: Mapping[str, Any]
    column: str
    cell: Callable[[list[Any]], str]
    then: Callable[[Job, Moving, Made], None] = lambda job, moving, made: None


def split_moving(jobs: Iterable[Job]) -> tuple[list[Job], list[Job]]:
    """Photographs, and what moves."""
    jobs = list(jobs)
    return [job for job in jobs if not job.moves], [job for job in jobs if job.moves]


def joint_code(codes: Sequence[int]) -> int:
    """The exit code of a command that worked through photographs and videos: 1 where it was partly done."""
    return codes[0] if len(set(codes)) == 1 else 1


def make_videos(jobs: Sequence[Job], work: VideoWork, quality: int | None = None) -> int:
    """Works through videos and animations and prints a row for each; one that fails does not stop the rest.

    Args:
        jobs: at least one; all of them move.
        work: what is made of them.
        quality: 1 to 100; None is the format's own.

    Returns:
        0 when all were done, 1 when some could not be, 2 when none could.
    """
    width = max(len("video"), *(len(one_line(job.source.name)) for job in jobs))
    heading = f"{'video':{width}}  {'size':>11}  {'frames':>7}  {work.column:>6}  frames/s  written to"
    print(heading, flush=True)

    def make(number: int, job: Job) -> None:
        moving = open_moving(job.source)
        with FrameProgress(job.source.name) as progress:
            made = make_moving(
                moving,
                job.target,
                work.frames,
                work.settings,
                quality=quality,
                strip=job.strip,
                progress=progress,
            )
            seconds, rate = progress.seconds, progress.rate
        work.then(job, moving, made)
        notes, cell = (*moving.notes, *made.notes), work.cell(made.records)
        for note in notes:
            print(one_line(f"kind: {job.shown}: {note}"), file=sys.stderr)
        size = "{1}x{0}".format(*moving.size)
        print(
            f"{one_line(job.source.name):{width}}  {size:>11}  {len(made.records):>7}  {cell:>6}  "
            f"{rate:>8.1f}  {one_line(str(job.target))}",
            flush=True,
        )
        told = {"size": moving.size, "seconds": seconds, "notes": notes}
        record = photograph_record(job.shown, job.target, column=work.column, cell=cell, **told)
        emit({**record, "frames": len(made.records)})

    def failed(job: Job, text: str) -> None:
        emit({**photograph_record(job.shown, job.target, error=text), "frames": None})

    return work_one_by_one(jobs, make, failed, called="videos")
