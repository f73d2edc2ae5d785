"""Measures how long commands take from the start of their process: `python -m benchmarks.startup`.

Measured are `--help`, and `enhance` with one photograph until its file is written and until the process
ends. The fastest of several runs counts, because other work on the machine can only slow a run down.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_REPOSITORY = Path(__file__).resolve().parent.parent
_PAUSE = 0.005  # seconds between looks for the file


def main() -> int:
    """Measures and prints two lines."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--height", type=int, default=400, help="of each photograph in pixels (default: %(default)s)"
    )
    parser.add_argument(
        "--width", type=int, default=600, help="of each photograph in pixels (default: %(default)s)"
    )
    parser.add_argument(
        "--runs", type=int, default=5, help="repetitions, of which the fastest counts (default: %(default)s)"
    )
    parser.add_argument("--precision", default="auto", help="of `kind enhance` (default: %(default)s)")
    flags = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_photograph(folder / "night.png", flags.height, flags.width)
        helped = [_seconds(["--help"])[1] for _ in range(flags.runs)]
        print(f"python -m kind --help           {min(helped):6.2f} s")
        enhanced = []
        for run in range(flags.runs):
            out = folder / f"{run}.png"
            command = [
                "enhance",
                str(folder / "night.png"),
                "--out",
                str(out),
                "--precision",
                flags.precision,
            ]
            enhanced.append(_seconds(command, out))
        size = f"{flags.height}×{flags.width}"
        print(f"enhance, first image ({size}) {min(first for first, _ in enhanced):6.2f} s")
        print(f"enhance, whole process          {min(whole for _, whole in enhanced):6.2f} s")
    return 0


def _seconds(arguments: list[str], file: Path | None = None) -> tuple[float, float]:
    """Until a file is there, and until the process has ended; both the same without a file."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "kind", *arguments],
        cwd=_REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    first = None
    while process.poll() is None:
        if first is None and file is not None and file.exists():
            first = time.perf_counter() - started
        time.sleep(_PAUSE)
    whole = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"kind {arguments[0]} failed with exit code {process.returncode}")
    return first or whole, whole


def _write_photograph(path: Path, height: int, width: int) -> None:
    from kind.images.photo import write_photo

    noise = np.random.default_rng(0).random((height, width, 3))
    write_photo(path, 0.2 * noise)


if __name__ == "__main__":
    sys.exit(main())
