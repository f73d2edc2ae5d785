"""A video out of a video: frames are decoded, worked on and encoded at the same time, part by part."""

from __future__ import annotations

import contextlib
import functools
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from kind.images.pixels import ImageError
from kind.video.ahead import ahead
from kind.video.clip import Clip, frames_of
from kind.video.encoding import PartWriter, check_sound, codec_for, join
from kind.video.parts import SECONDS, Parts
from kind.video.steady import Looked, frames_on_each_side, glance, steadied

_FORM = 1  # of the parts; another number makes those of earlier versions anew
_DECODED_AHEAD = 4

Progress = Callable[[int, int], None]
"""Called with the number of frames that are done, and of all."""


class FrameWork(Protocol):
    """What is done to frames.

    Attributes:
        at_once: how many frames may be worked on at the same time, each in a thread of its own.
        own_statistics: places of statistics that are each frame's own.
    """

    at_once: int
    own_statistics: Collection[int]

    def statistics(self, frame: np.ndarray) -> tuple[np.ndarray, ...]:
        """What is averaged over time but for each frame's own: float32 arrays, of uint8 [H, W, 3]."""

    def __call__(self, frame: np.ndarray, statistics: tuple[np.ndarray, ...]) -> tuple[np.ndarray, Any]:
        """A frame, with averaged statistics → uint8 [H, W, 3], and a JSON value to be kept of it."""


class Made(NamedTuple):
    """A video that was made.

    Attributes:
        records: what `FrameWork` gave to be kept, of each frame.
        numbers: of these frames, from 0 on.
        notes: what the user should be told.
        resumed: frames that an earlier run had made.
    """

    records: list[Any]
    numbers: list[int]
    notes: tuple[str, ...]
    resumed: int


def steady_frames(
    numbered: Iterable[tuple[int, np.ndarray]], work: FrameWork, half: int
) -> Iterator[tuple[int, np.ndarray, tuple[np.ndarray, ...]]]:
    """Yields number, pixels and steadied statistics of frames, `half` of which are read ahead."""
    looked = (Looked(entry, work.statistics(entry[1]), glance(entry[1])) for entry in numbered)
    with contextlib.closing(looked):
        for (number, pixels), statistics in steadied(looked, half, work.own_statistics):
            yield number, pixels, statistics


def worked(
    frames: Iterable[tuple[int, np.ndarray, tuple[np.ndarray, ...]]], work: FrameWork
) -> Iterator[tuple[int, np.ndarray, Any]]:
    """Yields number, what was made, and what is to be kept of frames, in their order.

    The next frames are worked on while the caller has one. What the work raises is raised here, in its place.

    Args:
        frames: of `steady_frames`.
        work: what is done to them.
    """
    with ThreadPoolExecutor(work.at_once) as pool:
        begun: deque[tuple[int, Future]] = deque()
        for number, pixels, statistics in frames:
            begun.append((number, pool.submit(work, pixels, statistics)))
            if len(begun) > work.at_once:
                number, made = begun.popleft()
                yield number, *made.result()
        for number, made in begun:
            yield number, *made.result()


def make_video(
    clip: Clip,
    target: Path,
    work: FrameWork,
    settings: Mapping[str, Any],
    *,
    quality: int | None = None,
    strip: bool = False,
    progress: Progress = lambda done, total: None,
) -> Made:
    """Makes a video of a clip: sound, frame times and colour coding stay.

    Parts that an interrupted run with the same settings has finished are used. A part begins at the same
    frame and sees the same neighbours whether the run was interrupted or not, so that the result is the same.

    Args:
        clip: see `kind.video.clip.open_clip`.
        target: MP4, MOV, WebM or Matroska by its suffix.
        work: what is done to frames.
        settings: everything that `work` depends on, JSON values.
        quality: 1 to 100; None is 90.
        strip: leave out title, date, place and the like.
        progress: see `Progress`.

    Returns:
        What was made.

    Raises:
        ImageError: the clip is damaged, or the file cannot be written.
        UserError: another process is making the same file.
    """
    import av

    length = max(1, round(SECONDS * float(clip.rate)))
    count = -(-clip.count // length)
    check_sound(clip, target)
    try:
        with contextlib.closing(Parts(target, _plan(clip, target, settings, quality, length))) as parts:
            done = next((number for number in range(count) if not parts.is_done(number)), count)
            resumed = min(done * length, clip.count)
            progress(resumed, clip.count)
            if done < count:
                writer = functools.partial(PartWriter, clip=clip, codec=codec_for(target), quality=quality)
                _make_parts(clip, parts, work, writer, range(done, count), length, progress)
            records = [record for number in range(count) for record in parts.records(number)]
            if not records:
                raise ImageError(f"{clip.path}: no frame of it can be decoded: copy or export it again")
            videos = [parts.video(number) for number in range(count) if parts.records(number)]
            notes = join(videos, clip, target, quality, strip=strip)
            parts.remove()
    except ImageError:
        raise
    except (av.FFmpegError, OSError) as error:
        reason = error.strerror or error
        raise ImageError(f"{target}: cannot be written ({reason}): choose another place or format") from error
    numbers, values = [number for number, _ in records], [value for _, value in records]
    missing = clip.count - len(numbers)
    notes += (f"{missing} of {clip.count} frames cannot be decoded and are left out",) if missing else ()
    return Made(values, numbers, notes, resumed)


def _make_parts(
    clip: Clip,
    parts: Parts,
    work: FrameWork,
    writer: Callable[[Path], PartWriter],
    left: range,
    length: int,
    progress: Progress,
) -> None:
    """Works on the frames from the first part that is left on."""
    half = frames_on_each_side(float(clip.rate), clip.size)
    first, total = left.start * length, clip.count
    with contextlib.ExitStack() as closed:
        decoded = ahead(frames_of(clip, max(0, first - half - 1)), _DECODED_AHEAD)
        steady = steady_frames(closed.enter_context(contextlib.closing(decoded)), work, half)
        wanted = (each for each in closed.enter_context(contextlib.closing(steady)) if each[0] >= first)
        frames = closed.enter_context(contextlib.closing(worked(wanted, work)))
        entry = next(frames, None)
        for number in left:
            end, records = (number + 1) * length, []
            with writer(parts.video(number)) as part:
                while entry is not None and entry[0] < end:
                    index, made, record = entry
                    part.add(made, clip.times[index])
                    records.append([index, record])
                    progress(index + 1, total)
                    entry = next(frames, None)
            parts.write_records(number, records)


def _plan(clip: Clip, target: Path, settings: Mapping[str, Any], quality: int | None, length: int) -> dict:
    """What the parts depend on."""
    stat = clip.path.stat()
    return {
        "form": _FORM,
        "source": [str(clip.path.resolve()), stat.st_size, stat.st_mtime_ns],
        "frames": clip.count,
        "codec": codec_for(target),
        "quality": quality,
        "length": length,
        "settings": dict(settings),
    }
