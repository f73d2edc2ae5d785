"""Measures how much memory enhancing takes: `python -m benchmarks.memory {networks|images|files}` (Linux).

`networks` restores one image with each restoration network, as one graph for all sizes. `images` enhances
images of several sizes, large ones in tiles, and shows how time and memory grow. `files` runs `kind enhance`
on a JPEG of each size, from file to file. Every line is measured in a process of its own: its peak resident
memory above what it held before it imported anything; for `networks`, above what it held with TensorFlow
loaded and no network built; for `files`, all of it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kind.cli.enhancer_options import add_precision_argument
from kind.enhancing.precision import INT8
from kind.enhancing.tiling.freed_memory import give_back_large_pieces
from kind.enhancing.variants import add_variant_argument, variant_of
from kind.profiling.memory import resident

_RESTORATIONS = ("unet", "msia")
_SIZES = {
    "images": "400x600,1080x1920,2160x3840,4320x7680",
    "files": "2160x3840,4320x7680,14142x14142",
}
_RUNS = 3
_MIB = 2**20


def main() -> int:
    """Measures and prints a table in MiB."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("networks", "images", "files"), nargs="?", default="networks")
    parser.add_argument(
        "--height", type=int, default=400, help="of the image of `networks` in pixels (default: %(default)s)"
    )
    parser.add_argument(
        "--width", type=int, default=600, help="of the image of `networks` in pixels (default: %(default)s)"
    )
    parser.add_argument(
        "--sizes",
        help="heights and widths of the images of `images` and `files` in pixels (default: "
        f"{_SIZES['images']} and {_SIZES['files']})",
    )
    add_precision_argument(parser, int8=True)
    add_variant_argument(parser)
    parser.add_argument(
        "--working-memory",
        type=int,
        metavar="MiB",
        help="memory that tiles may take (default: by the memory that is free, as kind enhance does)",
    )
    parser.add_argument("--one", help=argparse.SUPPRESS)  # what a process of its own measures
    flags = parser.parse_args()
    flags.sizes = flags.sizes or _SIZES.get(flags.what)
    flags.variant = flags.variant or variant_of(None)
    if flags.one in _RESTORATIONS:
        print(_restoring(flags.one, flags.height, flags.width))
    elif flags.one:
        print(json.dumps(_enhancing(flags.one, flags)))
    elif flags.what == "networks":
        _compare_networks(flags)
    elif flags.what == "files":
        _compare_files(flags)
    else:
        _compare_sizes(flags)
    return 0


def _alone(*arguments: str) -> str:
    print(f"measuring {arguments[0]} …", file=sys.stderr)
    command = [sys.executable, "-m", "benchmarks.memory", "--one", *arguments]
    repository = Path(__file__).resolve().parent.parent
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=repository).stdout


def _compare_networks(flags: argparse.Namespace) -> None:
    size = [f"--height={flags.height}", f"--width={flags.width}"]
    peaks = {variant: float(_alone(variant, *size)) for variant in _RESTORATIONS}
    print(f"peak memory for one image of {flags.height}×{flags.width}, float32, {os.cpu_count()} CPUs")
    for variant, peak in peaks.items():
        print(f"  {variant:<12}{peak:8.0f} MiB")
    print(f"  {'msia / unet':<12}{peaks['msia'] / peaks['unet']:8.1f}")


def _compare_sizes(flags: argparse.Namespace) -> None:
    """A line for each size; the last column is the first thing to look at, it should not grow."""
    options = [f"--precision={flags.precision}", f"--variant={flags.variant}"]
    if flags.working_memory:
        options.append(f"--working-memory={flags.working_memory}")
    headings = ("size", "tiles", "computed", "seconds", "s/Mpixel", "peak MiB", "image, result", "all else")
    print("  ".join(f"{heading:>13}" for heading in headings))
    for size in flags.sizes.split(","):
        found = json.loads(_alone(size, *options))
        pixels = found["pixels"]
        arrays = 2 * 3 * 4 * pixels / _MIB
        cells = (
            size,
            found["tiles"],
            f"{found['computed'] / pixels:.2f}",
            f"{found['seconds']:.2f}",
            f"{found['seconds'] / pixels * 1e6:.2f}",
            f"{found['peak']:.0f}",
            f"{arrays:.0f}",
            f"{found['peak'] - arrays:.0f}",
        )
        print("  ".join(f"{cell:>13}" for cell in cells), flush=True)
    print(f"variant {flags.variant}, {found['precision']}, {os.cpu_count()} CPUs")
    print("computed: pixels with halos, as times the image's")
    print(
        "peak: over the interpreter's start, TensorFlow and networks included; seconds: wall clock, one pass"
    )


def _compare_files(flags: argparse.Namespace) -> None:
    """A line for each size; the last column says how the memory grows from the first size on."""
    headings = ("size", "megapixels", "seconds", "peak MiB", "bytes a pixel")
    print("  ".join(f"{heading:>13}" for heading in headings))
    first = None
    for size in flags.sizes.split(","):
        height, width = map(int, size.split("x"))
        seconds, peak = _enhancing_a_file(height, width, flags)
        first = first or (height * width, peak)
        more = height * width - first[0]
        growth = f"{(peak - first[1]) / more:.1f}" if more > 0 else "-"
        cells = (size, f"{height * width / 1e6:.1f}", f"{seconds:.1f}", f"{peak / _MIB:.0f}", growth)
        print("  ".join(f"{cell:>13}" for cell in cells), flush=True)
    print(f"variant {flags.variant}, {flags.precision}, {os.cpu_count()} CPUs; JPEG to JPEG")
    print("peak: of the whole process; bytes a pixel: what the peak grows by, a pixel more than the first's")


def _enhancing_a_file(height: int, width: int, flags: argparse.Namespace) -> tuple[float, int]:
    """Seconds and peak bytes of `kind enhance` on a JPEG."""
    from PIL import Image

    print(f"measuring {height}x{width} …", file=sys.stderr)
    options = ["--workers=0", f"--precision={flags.precision}", f"--variant={flags.variant}"]
    with tempfile.TemporaryDirectory() as folder:
        noise = Image.effect_noise((512, 512), 60).convert("RGB").point(lambda level: level // 3)
        image = Image.new("RGB", (width, height))
        for left in range(0, width, 512):
            for top in range(0, height, 512):
                image.paste(noise, (left, top))
        image.save(f"{folder}/dark.jpg", quality=90)
        del image
        command = [
            sys.executable,
            "-m",
            "kind",
            "enhance",
            f"{folder}/dark.jpg",
            "--out",
            f"{folder}/lit.jpg",
        ]
        started = time.perf_counter()
        process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise SystemExit(f"kind enhance failed on {height}x{width}")
    return seconds, usage.ru_maxrss * 1024


def _restoring(variant: str, height: int, width: int) -> float:
    """Peak memory in MiB of restoring one image, over what TensorFlow alone takes."""
    import kind  # noqa: F401  (sets TensorFlow's environment before it is imported)

    import tensorflow as tf  # isort: skip

    from kind.restoration.msia import msia
    from kind.restoration.unet import unet

    signature = [tf.TensorSpec([None, None, None, 3]), tf.TensorSpec([None, None, None, 1])]
    tf.zeros(1) + 1.0  # starts TensorFlow's threads
    before = resident("VmRSS")
    net = {"unet": unet, "msia": msia}[variant]()
    restore = tf.function(
        lambda reflectance, illumination: net([reflectance, illumination], training=False),
        input_signature=signature,
    )
    inputs = tf.random.uniform((1, height, width, 3)), tf.random.uniform((1, height, width, 1))
    for _ in range(_RUNS):
        restore(*inputs)
    return resident("VmHWM") - before


def _enhancing(size: str, flags: argparse.Namespace) -> dict[str, float]:
    """Peak memory, time and tiles of enhancing one image."""
    give_back_large_pieces()  # as the command line does
    before = resident("VmRSS")
    import numpy as np

    from kind.enhancing.enhancer import Enhancer
    from kind.enhancing.tiling import plan as windows

    if flags.working_memory:
        windows.WORKING_MEMORY = flags.working_memory * _MIB
    height, width = map(int, size.split("x"))
    enhancer = Enhancer.load(precision=flags.precision, variant=flags.variant)
    enhancer(np.zeros((64, 64, 3), np.float32), parts=("relit",))  # builds the graph outside the clock
    image = np.random.default_rng(0).random((height, width, 3), np.float32)
    started = time.perf_counter()
    enhancer(image, parts=("relit",))
    seconds = time.perf_counter() - started
    if enhancer.precision == INT8:
        from kind.enhancing.fast.enhancer import planned

        tiles = planned(height, width, enhancer.plan)
    else:
        tiles = [(window.row, window.column) for window in enhancer.windows.of(1, height, width)]
    sides = [(row.stop - row.start) * (column.stop - column.start) for row, column in tiles]
    return {
        "precision": enhancer.precision,
        "pixels": height * width,
        "tiles": len(sides),
        "computed": sum(sides),
        "seconds": seconds,
        "peak": resident("VmHWM") - before,
    }


if __name__ == "__main__":
    sys.exit(main())
