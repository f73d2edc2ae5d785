"""Measures what reading and writing a folder costs beside enhancing it: `python -m benchmarks.folders`.

The same smooth random photographs go through the enhancer alone, decoded before the clock starts, and
through `kind enhance` on their folder with several numbers of `--workers`. Both take turns, round by round,
and the median of the ratios is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

_WORKERS = (0, 1, 2)
_FORMATS = ("jpg", "png")
_DETAIL = 8  # pixels: smooth, so that files are about as large as those of photographs


def main() -> int:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--photographs",
        type=int,
        default=16,
        metavar="N",
        help="number of photographs (default: %(default)s)",
    )
    parser.add_argument(
        "--height", type=int, default=400, help="of each photograph in pixels (default: %(default)s)"
    )
    parser.add_argument(
        "--width", type=int, default=600, help="of each photograph in pixels (default: %(default)s)"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="repetitions, of which the median counts (default: %(default)s)"
    )
    parser.add_argument("--precision", choices=("float32", "bfloat16", "int8", "auto"), default="auto")
    flags = parser.parse_args()

    from kind.enhancing.enhancer import Enhancer

    enhancer = Enhancer.load(precision=flags.precision)
    print(f"{flags.photographs} photographs of {flags.height}×{flags.width}, {enhancer.precision}")
    print("format  workers  compute alone      folder   throughput")
    for format in _FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            _measure(enhancer, flags, Path(folder), format)
    return 0


def _measure(enhancer, flags: argparse.Namespace, folder: Path, format: str) -> None:
    from kind.cli.planning import plan
    from kind.images.photo import read_photo

    _write_photographs(folder / "in", format, flags)
    jobs = plan([folder / "in"], folder / "out", None)
    pixels = [read_photo(job.source).pixels for job in jobs]

    def compute() -> None:
        for photograph in pixels:
            np.asarray(enhancer(photograph, parts=("relit",)).relit)

    compute()  # builds the graph
    times = []
    for number in range(flags.rounds):
        print(f"\r{format} round {number + 1}", end="", file=sys.stderr)
        times.append([_timed(compute), *(_timed(_folder(enhancer, jobs, workers)) for workers in _WORKERS)])
    print("\r" + " " * 20, end="\r", file=sys.stderr)
    for number, workers in enumerate(_WORKERS, start=1):
        alone, whole = (statistics.median(column) for column in zip(*((t[0], t[number]) for t in times)))
        ratio = statistics.median(t[0] / t[number] for t in times)
        print(
            f"{format:<8}{workers:>7}{alone / len(jobs):>13.3f} s{whole / len(jobs):>8.3f} s{ratio:>9.3f}",
            flush=True,
        )


def _folder(enhancer, jobs, workers: int) -> Callable[[], None]:
    """What `kind enhance --workers N` does once the networks are loaded."""
    from kind.cli.relighting import relight

    def run() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            if relight(jobs, enhancer, workers=workers):
                raise RuntimeError("a photograph failed")

    return run


def _write_photographs(folder: Path, format: str, flags: argparse.Namespace) -> None:
    from PIL import Image

    from kind.images.photo import write_photo

    generator = np.random.default_rng(0)
    for number in range(flags.photographs):
        shape = (flags.height // _DETAIL, flags.width // _DETAIL, 3)
        coarse = Image.fromarray(generator.integers(0, 60, shape, dtype=np.uint8))
        smooth = np.asarray(coarse.resize((flags.width, flags.height), Image.Resampling.BICUBIC), np.float32)
        noisy = smooth + generator.normal(0, 2, smooth.shape)
        write_photo(folder / f"{number:03d}.{format}", np.clip(noisy / 255, 0, 1))


def _timed(run: Callable[[], None]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
