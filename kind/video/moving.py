"""Whatever moves: videos and animations, by one set of functions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union

import numpy as np

from kind.images.animation import (
    Animation,
    animation_frames,
    open_animation,
    write_animation,
)
from kind.images.pixels import ImageError
from kind.video.ahead import ahead
from kind.video.clip import Clip, frames_of, open_clip
from kind.video.formats import CLIP_SUFFIXES
from kind.video.making import FrameWork, Made, Progress, make_video, steady_frames, worked
from kind.video.steady import frames_on_each_side

Moving = Union[Clip, Animation]

_DECODED_AHEAD = 4


def open_moving(path: Path) -> Moving:
    """Reads what a video or an animation holds.

    Raises:
        ImageError: it is damaged, or cannot be read.
    """
    return open_clip(path) if path.suffix.lower() in CLIP_SUFFIXES else open_animation(path)


def frame_at(moving: Moving, index: int, work: FrameWork) -> tuple[np.ndarray, np.ndarray, Any]:
    """One frame as it is and as `work` makes it in the whole video, and what is kept of it.

    Args:
        moving: of `open_moving`.
        index: of the frame; the next one is taken when it cannot be decoded.
        work: what is done to frames.

    Returns:
        uint8 [H, W, 3], RGB, twice, and a JSON value.

    Raises:
        ImageError: neither it nor one after it can be decoded.
    """
    half = frames_on_each_side(float(moving.rate), moving.size)
    frames = frames_of if isinstance(moving, Clip) else animation_frames
    found = frames(moving, max(0, index - half - 1))
    coloured = ((number, np.ascontiguousarray(pixels[..., :3])) for number, pixels in found)
    with contextlib.closing(found), contextlib.closing(steady_frames(coloured, work, half)) as steady:
        for number, pixels, statistics in steady:
            if number >= index:
                return (pixels, *work(pixels, statistics))
    raise ImageError(f"{moving.path}: frame {index} cannot be decoded: copy or export it again")


def make_moving(
    moving: Moving,
    target: Path,
    work: FrameWork,
    settings: Mapping[str, Any],
    *,
    quality: int | None = None,
    strip: bool = False,
    progress: Progress = lambda done, total: None,
) -> Made:
    """Makes a video of a video, or an animation of an animation; see `kind.video.making.make_video`.

    Of animations nothing is kept when the run is interrupted.
    """
    if isinstance(moving, Clip):
        return make_video(moving, target, work, settings, quality=quality, strip=strip, progress=progress)
    progress(0, moving.count)
    records: list[Any] = []
    made = _made_frames(moving, work, records, progress)
    with contextlib.closing(made):
        write_animation(target, made, moving, quality, strip=strip)
    return Made(records, list(range(moving.count)), (), 0)


def _made_frames(
    animation: Animation, work: FrameWork, records: list[Any], progress: Progress
) -> Iterator[np.ndarray]:
    """The frames of an animation once they are worked on, with their opacity."""
    half = frames_on_each_side(float(animation.rate), animation.size)
    opacity: dict[int, np.ndarray] = {}

    def coloured() -> Iterator[tuple[int, np.ndarray]]:
        for number, pixels in animation_frames(animation):
            opacity[number] = pixels[..., 3:]
            yield number, np.ascontiguousarray(pixels[..., :3])

    decoded = ahead(coloured(), _DECODED_AHEAD)
    with contextlib.closing(decoded), contextlib.closing(steady_frames(decoded, work, half)) as frames:
        for number, made, record in worked(frames, work):
            records.append(record)
            yield np.concatenate([made, opacity.pop(number)], axis=2)
            progress(number + 1, animation.count)
