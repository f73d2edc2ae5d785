"""Measures what videos cost and whether they flicker: `python -m benchmarks.video flicker|speed`.

`flicker` makes a static dark clip with noise, relights it with and without statistics that are averaged over
time, and prints by how much the mean of a frame differs from that of the frame before it.

`speed` relights a clip by the whole of `kind enhance`, and prints frames a second and processor time, beside
those of the networks alone and of decoding and encoding alone. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does, before NumPy is imported

import numpy as np

from kind.cli.relit_videos import frame_enhancer
from kind.enhancing.precision import PRECISIONS

_NOISE = 3.0  # levels of 255, standard deviation
_BRIGHTEST = 30.0
_PROMISED = 0.002


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("flicker", "speed"))
    parser.add_argument("--frames", type=int, default=60, help="of the clip (default: %(default)s)")
    parser.add_argument(
        "--size", default=None, metavar="WxH", help="default: 320x240, and 1280x720 for speed"
    )
    parser.add_argument("--variant", default=None, help="as of kind enhance")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")
    flags = parser.parse_args(arguments)

    from kind.enhancing.enhancer import Enhancer

    width, height = map(int, (flags.size or _default_size(flags.what)).split("x"))
    enhancer = Enhancer.load(precision=flags.precision, variant=flags.variant)
    work = frame_enhancer(enhancer)
    print(f"{flags.frames} frames of {width}x{height}, {enhancer.variant}, {enhancer.precision}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "dark.mp4"
        write_dark(source, flags.frames, (height, width))
        measure = _flicker if flags.what == "flicker" else _speed
        return measure(source, work, Path(folder) / "relit.mp4")


def write_dark(path: Path, count: int, size: tuple[int, int], rate: int = 30, seed: int = 0) -> None:
    """Writes a static dark scene with noise of its own in each frame, H.264 at nearly no loss."""
    import av

    from kind.video.colours import Colours, frame_of

    noise = np.random.default_rng(seed)
    scene = _scene(size)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=rate, options={"crf": "6", "preset": "ultrafast"})
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        for number in range(count):
            pixels = np.clip(np.rint(scene + noise.normal(0, _NOISE, scene.shape)), 0, 255).astype(np.uint8)
            frame = frame_of(pixels, Colours(matrix=1, range=1), "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _scene(size: tuple[int, int]) -> np.ndarray:
    """Smooth colours and a few edges, float [H, W, 3] in levels."""
    rows, columns = np.mgrid[: size[0], : size[1]] / max(size)
    waves = [np.sin(9 * columns + 4 * rows), np.cos(7 * rows - 2 * columns), np.sin(11 * rows * columns)]
    scene = np.stack([0.5 + 0.4 * wave for wave in waves], axis=-1)
    scene[(rows * 6 + columns * 4) % 1 < 0.3] *= 0.4
    return (scene * _BRIGHTEST).astype(np.float32)


def _flicker(source: Path, work, target: Path) -> int:
    """Prints the change of the mean; 1 where it is more than is promised."""
    from kind.video.clip import frames_of, open_clip
    from kind.video.making import make_video
    from kind.video.steady import relative_changes

    clip = open_clip(source)
    print("                          mean change  largest change")
    inputs = [pixels for _, pixels in frames_of(clip)]
    _print_changes("the dark clip", inputs)
    _print_changes("each frame by itself", (work(pixels, work.statistics(pixels))[0] for pixels in inputs))
    make_video(clip, target, work, {})
    made = [pixels for _, pixels in frames_of(open_clip(target))]
    largest = relative_changes(map(np.mean, made)).max()
    _print_changes("kind enhance", made)
    print(f"promised: at most {_PROMISED:.1%}; {'kept' if largest <= _PROMISED else 'broken'}")
    return int(largest > _PROMISED)


def _print_changes(name: str, frames) -> None:
    from kind.video.steady import relative_changes

    changes = relative_changes(map(np.mean, frames))
    print(f"{name:<24}{changes.mean():>13.4%}{changes.max():>16.4%}", flush=True)


def _speed(source: Path, work, target: Path) -> int:
    from kind.video.clip import frames_of, open_clip
    from kind.video.making import make_video

    clip = open_clip(source)
    pixels = next(frames_of(clip))[1]
    work(pixels, work.statistics(pixels))  # builds the graphs
    for name, run in (
        ("networks alone", lambda: _networks(work, pixels, clip.count)),
        ("decoding alone", lambda: sum(1 for _ in frames_of(clip))),
        ("decoding and encoding", lambda: make_video(clip, target, _Nothing(), {})),
        ("kind enhance", lambda: make_video(clip, target, work, {})),
    ):
        started, processor = time.perf_counter(), time.process_time()
        run()
        rate = clip.count / (time.perf_counter() - started)
        cost = (time.process_time() - processor) / clip.count
        print(f"{name:<24}{rate:>8.1f} frames/s{cost:>8.3f} s of processors a frame", flush=True)
    return 0


def _networks(work, pixels: np.ndarray, count: int) -> None:
    for _ in range(count):
        work(pixels, work.statistics(pixels))


class _Nothing:
    """Frames as they are."""

    at_once = 1
    own_statistics = ()

    def statistics(self, frame: np.ndarray) -> tuple:
        return ()

    def __call__(self, frame: np.ndarray, statistics: tuple) -> tuple[np.ndarray, None]:
        return frame, None


def _default_size(what: str) -> str:
    return "320x240" if what == "flicker" else "1280x720"


if __name__ == "__main__":
    sys.exit(main())
