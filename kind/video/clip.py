"""Videos in, by PyAV: what a file holds, and its frames from any place on."""

from __future__ import annotations

import bisect
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from kind.errors import UserError
from kind.images.decoding import check_size
from kind.images.photo import PIXEL_LIMIT, opened
from kind.images.pixels import ImageError
from kind.video.colours import Colours, colours_of, rgb_of
from kind.video.formats import check_installed

#: Decoders that run on a file's data.
_CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg", "prores", "dnxhd", "mpeg2video", "h263")
_ISO_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_EBML = b"\x1a\x45\xdf\xa3"
_MOST_MISSING, _MOST_MISSING_SHARE = 0.5, 0.01  # seconds that a whole file may be shorter than it says
_MOST_FRAMES = 10_000_000  # four days at 30 frames a second


@dataclass(frozen=True)
class Clip:
    """A video file.

    Attributes:
        path: the file.
        size: height and width of frames, upright.
        turns: quarter turns, counterclockwise, that make stored frames upright.
        time_base: seconds of one unit of `times` and `end`.
        times: of each frame, in the order of display; frames need not be equally long.
        keys: times from which decoding can begin.
        end: when the last frame ends.
        colours: how its frames are coded.
        aspect: width of a pixel of an upright frame, divided by its height.
        notes: what the user should be told.
    """

    path: Path
    size: tuple[int, int]
    turns: int
    time_base: Fraction
    times: tuple[int, ...]
    keys: tuple[int, ...]
    end: int
    colours: Colours
    aspect: Fraction
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Number of frames."""
        return len(self.times)

    @property
    def rate(self) -> Fraction:
        """Frames in a second, on average."""
        return Fraction(len(self.times)) / max((self.end - self.times[0]) * self.time_base, Fraction(1, 1000))

    def seconds(self, index: int) -> float:
        """When a frame is shown, counted from the first one."""
        return float((self.times[index] - self.times[0]) * self.time_base)


def open_clip(path: Path) -> Clip:
    """Reads what a video holds: its headers, the times of its frames, and the first frame.

    Args:
        path: an MP4, MOV, WebM or Matroska file; its content, not its suffix, tells the format.

    Returns:
        The clip.

    Raises:
        ImageError: the file cannot be read, is damaged or cut short, has no frames of a known codec, or
            frames of more than `PIXEL_LIMIT` pixels; or PyAV is not installed.
    """
    check_installed(str(path))
    with _naming(path), container_of(path) as container:
        stream = _video_stream(container)
        stored = stream.codec_context.height, stream.codec_context.width
        check_size(*stored[::-1], PIXEL_LIMIT)
        times, keys, end = _index(container, stream, os.stat(path).st_size)
        first = next(_decoded(container, stream, times[0]), None)
        if first is None:
            raise UserError("no frame of it can be decoded: copy or export it again")
        turns = round(first.rotation / 90) % 4
        aspect = Fraction(stream.sample_aspect_ratio or 1)
        colours = colours_of(first)
        return Clip(
            path,
            stored[::-1] if turns % 2 else stored,
            turns,
            stream.time_base,
            times,
            keys,
            end,
            colours,
            1 / aspect if turns % 2 else aspect,
            ("its HDR curve is kept, and is enhanced as if it were sRGB",) if colours.is_hdr else (),
        )


def frames_of(clip: Clip, start: int = 0) -> Iterator[tuple[int, np.ndarray]]:
    """Decodes a clip.

    Args:
        clip: of `open_clip`.
        start: the first frame.

    Yields:
        Number and pixels, uint8 [H, W, 3], RGB, upright. Numbers grow; what cannot be decoded is left out.

    Raises:
        ImageError: the file is damaged, or another one by now.
    """
    stored = clip.size[::-1] if clip.turns % 2 else clip.size
    last = start - 1
    with _naming(clip.path), container_of(clip.path) as container:
        stream = _video_stream(container)
        # One key frame earlier than needed: frames shown right after one may refer to what is before it.
        before = bisect.bisect_right(clip.keys, clip.times[start]) - 2
        for frame in _decoded(container, stream, clip.keys[before] if before > 0 else None):
            index = bisect.bisect_left(clip.times, frame.pts) if frame.pts is not None else len(clip.times)
            if last < index < len(clip.times):
                last = index
                yield index, np.rot90(rgb_of(frame, clip.colours, stored), clip.turns)


@contextlib.contextmanager
def container_of(path: Path):
    """The opened file, `av.container.InputContainer`; its errors are PyAV's.

    What it says cannot lead to other files or addresses: format and protocol are given.

    Raises:
        UserError: it is of no known format.
    """
    import av

    with opened(path) as file:
        start = file.read(12)
    if start[4:8] in _ISO_BOXES:
        form = "mov"
    elif start.startswith(_EBML):
        form = "matroska"
    else:
        raise UserError("not a video of a known format: expects MP4, MOV, WebM or Matroska")
    with av.open(f"file:{path}", format=form, options={"protocol_whitelist": "file"}) as container:
        yield container


def _video_stream(container):
    if not container.streams.video:
        raise UserError("holds no video")
    stream = container.streams.video[0]
    name = stream.codec_context.codec.canonical_name if stream.codec_context else "something unknown"
    if name not in _CODECS:
        raise UserError(f"its video is coded by {name}: expects {', '.join(_CODECS)}")
    stream.thread_type = "AUTO"
    return stream


def _decoded(container, stream, from_time: int | None) -> Iterator:
    """Frames from the key frame at or before a time on; None is from the beginning."""
    if from_time is not None:
        container.seek(from_time, stream=stream)
    for packet in container.demux(stream):
        yield from packet.decode()


def _index(container, stream, file_size: int) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Times of all frames and of the key frames, and the end: all packets are read and none is decoded."""
    missing = any(entry.pos + entry.size > file_size for entry in stream.index_entries)
    times, keys, end = set(), set(), 0
    for packet in container.demux(stream):
        if packet.is_corrupt:
            missing = True
        if packet.pts is None or not packet.size or packet.is_discard:
            continue
        times.add(packet.pts)
        end = max(end, packet.pts + (packet.duration or 0))
        if packet.is_keyframe:
            keys.add(packet.pts)
        if len(times) > _MOST_FRAMES:
            raise UserError(f"it has more than {_MOST_FRAMES:,} frames: cut it into parts first")
    if not times:
        raise UserError("damaged or incomplete (it holds no frames): copy or export it again")
    if missing or _is_short(container, end * stream.time_base):
        shown = float(end * stream.time_base)
        raise UserError(f"damaged or incomplete (it ends after {shown:.1f} s): copy or export it again")
    ordered = tuple(sorted(times))
    return ordered, tuple(sorted(keys)), max(end, ordered[-1] + 1)


def _is_short(container, end: Fraction) -> bool:
    """Whether all streams end before the length that the header says."""
    if container.format.name.startswith("mov") or not container.duration:
        return False
    last, length = end, container.duration / 1e6
    container.seek(0)
    for packet in container.demux():
        if packet.pts is not None:
            last = max(last, (packet.pts + (packet.duration or 0)) * packet.time_base)
    return float(last) < length - max(_MOST_MISSING, _MOST_MISSING_SHARE * length)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turns what FFmpeg raises into an ImageError that names the file."""
    import av

    try:
        yield
    except ImageError:
        raise
    except UserError as error:
        raise ImageError(f"{path}: {error}") from error
    except (av.FFmpegError, OSError, ValueError, IndexError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ImageError(f"{path}: damaged or incomplete ({reason}): copy or export it again") from error
