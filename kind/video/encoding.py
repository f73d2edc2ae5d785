"""Videos out, by PyAV: frames to packets in a part of a video, and parts to a whole file with its sound."""

from __future__ import annotations

import contextlib
import heapq
import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from kind.errors import UserError
from kind.files import atomic_write
from kind.images.pixels import ImageError
from kind.video.clip import Clip, container_of
from kind.video.colours import frame_of

_CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".webm": "webm", ".mkv": "matroska"}
_PART = "nut"  # a container of any time base
_MOST_WAITING = 3  # frames that wait to be encoded
_KEY_EVERY = 4.0  # seconds
_DEFAULT_QUALITY = 90
_OPTIONS = {
    "libx264": {"preset": "veryfast"},
    "libvpx-vp9": {"deadline": "good", "cpu-used": "5", "row-mt": "1", "b": "0"},
}
_CRF = {"libx264": (51, 13), "libvpx-vp9": (63, 24)}  # of quality 1 and 100


def codec_for(target: Path) -> str:
    """The encoder of a file: VP9 in WebM, H.264 otherwise."""
    return "libvpx-vp9" if target.suffix.lower() == ".webm" else "libx264"


class PartWriter:
    """Encodes the frames of one part in a thread; the file is wholly there after the block, or not at all.

    Example:
        >>> with PartWriter(path, clip, "libx264") as part:
        ...     part.add(pixels, time)
    """

    def __init__(self, path: Path, clip: Clip, codec: str, quality: int | None = None) -> None:
        """Takes the place and the clip whose size, times and colours the part has.

        Args:
            path: the file to write.
            clip: see `kind.video.clip`.
            codec: of `codec_for`.
            quality: 1 to 100; None is 90.
        """
        self._path, self._settings = path, (clip, codec, quality)

    def __enter__(self) -> PartWriter:
        """Opens the file under a temporary name."""
        import av

        self._stack = contextlib.ExitStack()
        try:
            temporary = self._stack.enter_context(atomic_write(self._path))
            self._output = self._stack.enter_context(av.open(str(temporary), "w", format=_PART))
            self._stream = add_stream(self._output, *self._settings)
            self._thread = self._stack.enter_context(ThreadPoolExecutor(1))
        except BaseException:
            self._stack.close()
            raise
        self._waiting: list[Future] = []
        return self

    def add(self, pixels: np.ndarray, time: int) -> None:
        """Encodes a frame, uint8 [H, W, 3], RGB, after those before it; waits when three are waiting."""
        self._waiting.append(self._thread.submit(self._encode, pixels, time))
        while len(self._waiting) > _MOST_WAITING:
            self._waiting.pop(0).result()

    def _encode(self, pixels: np.ndarray, time: int) -> None:
        clip = self._settings[0]
        frame = frame_of(pixels, clip.colours, self._stream.pix_fmt)
        frame.pts, frame.time_base = time, clip.time_base
        self._output.mux(self._stream.encode(frame))

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Encodes what is waiting; after an error, leaves no file."""
        with self._stack:
            if error is None:
                for future in self._waiting:
                    future.result()
                self._thread.submit(lambda: self._output.mux(self._stream.encode(None))).result()
            else:
                for future in self._waiting:
                    future.cancel()
                self._stack.__exit__(kind, error, trace)


def add_stream(output, clip: Clip, codec: str, quality: int | None):
    """Adds a video stream with the size, time base, colours and shape of pixels of a clip."""
    height, width = clip.size
    limited = clip.rate.limit_denominator(1001 * 1000)
    stream = output.add_stream(codec, rate=limited, options=_options(codec, quality))
    is_even = height % 2 == 0 and width % 2 == 0
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuv420p" if is_even or codec != "libx264" else "yuv444p"
    context = stream.codec_context
    context.time_base = clip.time_base
    context.max_b_frames = 0  # so that packets come in the order of display, whatever the frames' times
    context.gop_size = max(1, round(_KEY_EVERY * float(clip.rate)))
    context.sample_aspect_ratio = clip.aspect
    context.colorspace = clip.colours.matrix
    context.color_range = clip.colours.range or 1
    context.color_primaries = clip.colours.primaries
    context.color_trc = clip.colours.transfer
    stream.time_base = clip.time_base
    return stream


def _options(codec: str, quality: int | None) -> dict[str, str]:
    worst, best = _CRF[codec]
    share = ((_DEFAULT_QUALITY if quality is None else quality) - 1) / 99
    return {**_OPTIONS[codec], "crf": str(round(worst + share * (best - worst)))}


def join(
    parts: Sequence[Path], clip: Clip, target: Path, quality: int | None = None, *, strip: bool = False
) -> tuple[str, ...]:
    """Writes the packets of parts and the sound of a clip into one file, which is there wholly or not at all.

    Args:
        parts: of `PartWriter`, in order.
        clip: the video that they were made of.
        target: the file to write.
        quality: that the parts were encoded with.
        strip: leave out title, date, place and the like.

    Returns:
        Notes: what of the clip is not in the file.

    Raises:
        ImageError: the file cannot be written, or cannot hold the clip's sound.
    """
    import av

    try:
        with atomic_write(target) as temporary:
            with container_of(clip.path) as source:
                form = _CONTAINERS[target.suffix.lower()]
                options = {"movflags": "+faststart"} if form in ("mp4", "mov") else {}
                with av.open(str(temporary), "w", format=form, options=options) as output:
                    notes = _join(parts, clip, source, output, codec_for(target), quality, strip)
            if not strip:
                os.utime(temporary, ns=(os.stat(clip.path).st_mtime_ns,) * 2)
    except (av.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise ImageError(f"{target}: {error}") from error
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"{target}: cannot be written ({reason}): choose another place or format") from error
    return notes


def _join(parts, clip: Clip, source, output, codec: str, quality: int | None, strip: bool):
    video = add_stream(output, clip, codec, quality)
    video.codec_context.open(strict=False)
    sound = _add_sound(source, output, clip)
    if not strip:
        output.metadata.update(source.metadata)
        for index, stream in sound.items():
            stream.metadata.update(source.streams[index].metadata)
    chains = [_part_packets(parts, clip, video)]
    if sound:
        chains.append(_copied(source, sound))
    for packet in heapq.merge(*chains, key=lambda packet: packet.dts * packet.time_base):
        output.mux(packet)
    others = len(source.streams) - len(sound) - 1
    return (f"{others} streams beside picture and sound are left out",) if others else ()


def check_sound(clip: Clip, target: Path) -> None:
    """Refuses a file that cannot hold the sound of a clip, before any work is done for it.

    Raises:
        ImageError: one line that says which sound.
    """
    import av

    try:
        with container_of(clip.path) as source:
            with av.open(io.BytesIO(), "w", format=_CONTAINERS[target.suffix.lower()]) as output:
                _add_sound(source, output, clip)
    except UserError as error:
        raise ImageError(f"{target}: {error}") from error


def _add_sound(source, output, clip: Clip) -> dict:
    """Adds streams for the sound, by the numbers that they have in the source."""
    sound = {}
    for stream in source.streams.audio:
        if stream.codec_context:
            try:
                sound[stream.index] = output.add_stream_from_template(stream)
            except ValueError as error:
                name = stream.codec_context.codec.canonical_name
                raise UserError(
                    f"{output.format.name} cannot hold {name} sound: keep {clip.path.suffix}"
                ) from error
    return sound


def _part_packets(parts: Sequence[Path], clip: Clip, stream) -> Iterator:
    """The packets of all parts, each as long as its frame is shown."""
    import av

    lengths = {time: after - time for time, after in zip(clip.times, (*clip.times[1:], clip.end))}
    for part in parts:
        with av.open(str(part), format=_PART) as opened:
            for packet in opened.demux(video=0):
                if packet.dts is None:
                    continue
                time = round(packet.pts * packet.time_base / clip.time_base)
                packet.time_base, packet.pts, packet.dts = clip.time_base, time, time
                packet.duration = lengths.get(time, 0)
                packet.stream = stream
                yield packet


def _copied(source, sound: dict) -> Iterator:
    """The packets of the sound as they are, those without a time left out."""
    for packet in source.demux(*(source.streams[index] for index in sound)):
        if packet.dts is None:
            continue
        packet.stream = sound[packet.stream_index]
        yield packet
