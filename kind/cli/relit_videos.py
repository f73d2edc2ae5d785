"""Dark videos in, relit videos out; and a few frames of them, as a picture to look at first."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

import kind
from kind.cli.jobs import Job, work_one_by_one
from kind.cli.json_lines import emit, photograph_record
from kind.cli.options import Checked
from kind.cli.videos import VideoWork, make_videos
from kind.enhancing.alpha_text import alpha_text
from kind.enhancing.precision import INT8
from kind.images.photo import write_photo
from kind.video.moving import frame_at, open_moving

if TYPE_CHECKING:
    from kind.enhancing.enhancer import Enhancer
    from kind.enhancing.fast.enhancer import FastEnhancer
    from kind.enhancing.fast.frames import FastFrames
    from kind.enhancing.frames import FrameEnhancer

PREVIEW = "preview"
_MOST_FRAMES = 64
_LONGEST_SIDE = 480  # pixels of a frame in a preview


def add_preview_argument(parser: argparse.ArgumentParser) -> None:
    """Declares --preview."""
    parser.add_argument(
        "--preview",
        action=Checked,
        type=int,
        accepts=lambda count: 1 <= count <= _MOST_FRAMES,
        expected=f"a number from 1 to {_MOST_FRAMES}",
        metavar="N",
        help="of videos, write a picture of N frames, before and after, in place of the whole video",
    )


def relight_videos(
    jobs: Sequence[Job],
    enhancer: Enhancer | FastEnhancer,
    arguments: argparse.Namespace,
    preview: int | None = None,
) -> int:
    """Relights videos and animations.

    Args:
        jobs: at least one; all of them move.
        enhancer: the networks.
        arguments: of `kind.cli.relighting.add_relighting_arguments`.
        preview: frames of a picture that is written to `Job.target` in place of the video.

    Returns:
        0 when all were done, 1 when some could not be, 2 when none could.
    """
    names = ("alpha", "brightness", "fusion", "strength")
    settings = {name: getattr(arguments, name) for name in names}
    frames = frame_enhancer(enhancer, **settings)
    if preview:
        return work_one_by_one(jobs, partial(_preview, frames, preview), called="videos")
    plan = {
        "kind": kind.__version__,
        "networks": enhancer.digests(),
        "precision": enhancer.precision,
        **{name: getattr(arguments, name) for name in names},
    }
    return make_videos(jobs, VideoWork(frames, plan, "α", _mean_alpha), arguments.quality)


def frame_enhancer(enhancer: Enhancer | FastEnhancer, **settings) -> FrameEnhancer | FastFrames:
    """What enhances frames with these networks; settings as of `FrameEnhancer`."""
    if enhancer.precision == INT8:
        from kind.enhancing.fast.frames import FastFrames as Frames
    else:
        from kind.enhancing.frames import FrameEnhancer as Frames
    return Frames(enhancer, **settings)


def _mean_alpha(alphas: list[float]) -> str:
    return alpha_text(float(np.mean(alphas)))


def _preview(enhance: FrameEnhancer | FastFrames, count: int, number: int, job: Job) -> None:
    """Writes frames of a video, before and after, as they are in the whole one."""
    from kind.images.contact_sheet import contact_sheet

    moving = open_moving(job.source)
    places = sorted({round(place) for place in np.linspace(0, moving.count - 1, count + 2)[1:-1]})
    before, after, titles = [], [], []
    for place in places:
        pixels, relit, alpha = frame_at(moving, place, enhance)
        before.append(pixels)
        after.append(relit)
        titles.append(f"{moving.seconds(place):.2f} s, alpha {alpha_text(alpha)}")
    write_photo(job.target, contact_sheet([before, after], titles, longest_side=_LONGEST_SIDE))
    print(f"{job.source.name}: {len(places)} of {moving.count} frames, {job.target}", flush=True)
    emit({**photograph_record(job.shown, job.target, size=moving.size), "frames": len(places)})
