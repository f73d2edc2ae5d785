"""Compares engines in float32 and int8: `python -m benchmarks.engines --pairs lol_train`.

Each line is the whole enhancement, from the 8 bits of a photograph to the 8 bits of the relit one, in one
process: TensorFlow, TensorFlow Lite with XNNPACK, ONNX Runtime and OpenVINO on the exported graph, and
OpenVINO on the graph that `--precision int8` has. Lines take turns, round by round. With `--pairs`, the
validation pairs of a data set that have the first of the sizes are relit by each, and compared with the truth
and with TensorFlow.

`ONEDNN_MAX_CPU_ISA=AVX512_CORE_VNNI` stands in for a processor without bfloat16, for TensorFlow and OpenVINO.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.engine_models import Contestant, Run, contestants, missing
from kind.cli.markdown_option import add_markdown_argument
from kind.cli.profile import parse_sizes
from kind.errors import UserError

_HEAD = ("size", "engine", "precision", "seconds", "CPU seconds", "× TensorFlow")
_QUALITY = ("PSNR", "SSIM", "change of PSNR", "of SSIM", "dB from float32")
_MOST_PSNR, _MOST_SSIM = 0.10, 0.002


class Quality(NamedTuple):
    """Means over the pairs; the last two are the truth's, the first that to TensorFlow in float32."""

    to_float: float
    psnr: float
    ssim: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; see `benchmarks.profile.main`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=parse_sizes, default="400x600,1080x1920", metavar="HxW,…")
    parser.add_argument("--variant", choices=("lite", "kind"), default="lite")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="engines whose names contain it; TensorFlow always"
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--pairs", type=Path, metavar="DIR", help="measure the quality on its validation split"
    )
    add_markdown_argument(parser, "engines")
    flags = parser.parse_args(arguments)
    try:
        if flags.markdown:
            flags.markdown.check()
        _measure(flags)
    except UserError as error:
        print(f"engines: {error}", file=sys.stderr)
        return 2
    return 0


def _measure(flags: argparse.Namespace) -> None:
    from kind.reports.table import Table, markdown_table, text_table

    lines = list(contestants(flags.variant))
    lines = [line for line in lines if line.engine == "TensorFlow" or flags.only in line.engine]
    pairs = _pairs(flags.pairs, flags.sizes[0]) if flags.pairs else []
    cells = []
    for number, size in enumerate(flags.sizes):
        runs = _prepared(lines, size)
        seconds, processor = _seconds(list(runs.values()), size, flags.rounds)
        found = _qualities(list(runs.values()), pairs) if pairs and not number else None
        for place, line in enumerate(runs):
            ratio = statistics.median(one / own for one, own in zip(seconds[0], seconds[place]))
            row = [f"{size[0]}x{size[1]}", line.engine, line.precision]
            row += [f"{statistics.median(times[place]):.3f}" for times in (seconds, processor)]
            row.append(f"{ratio:.2f}")
            row += _quality_cells(found, place) if pairs else []
            cells.append(row)
    table = Table((*_HEAD, *_QUALITY) if pairs else _HEAD, cells, range(3))
    said = _notes(flags, len(pairs))
    print(text_table(table), *said, sep="\n")
    if flags.markdown:
        flags.markdown.write("\n".join([markdown_table(table), "", *(f"- {note}" for note in said)]))


def _prepared(lines: Sequence[Contestant], size: tuple[int, int]) -> dict[Contestant, Run]:
    """What runs; an engine that fails is named and left out."""
    runs = {}
    for line in lines:
        name = f"{size[0]}x{size[1]}: {line.engine}, {line.precision}"
        print(f"engines: {name}", file=sys.stderr, flush=True)
        try:
            run = line.make(*size)
            run(_image(size))
        except Exception as error:  # each engine has its own
            print(f"engines: {name}: left out: {' '.join(str(error).split())[:200]}", file=sys.stderr)
            continue
        runs[line] = run
    return runs


def _seconds(runs: Sequence[Run], size: tuple[int, int], rounds: int) -> tuple[list, list]:
    """Seconds, and those of all threads, of every run in every round; all take turns."""
    image, (seconds, processor) = _image(size), ([[] for _ in runs] for _ in range(2))
    for _ in range(rounds):
        for run, own, threads in zip(runs, seconds, processor):
            started = time.perf_counter(), time.process_time()
            run(image)
            own.append(time.perf_counter() - started[0])
            threads.append(time.process_time() - started[1])
    return seconds, processor


def _image(size: tuple[int, int]) -> np.ndarray:
    """A dark image with noise, uint8."""
    rows, columns = np.mgrid[: size[0], : size[1]] / max(size)
    scene = np.stack([rows, columns, rows * columns], axis=-1) * 60
    noise = np.random.default_rng(0).normal(0, 3, scene.shape)
    return np.clip(np.rint(scene + noise), 0, 255).astype(np.uint8)


def _pairs(folder: Path, size: tuple[int, int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The validation pairs of a size, uint8."""
    from kind.data.splits import choose_split
    from kind.images.photo import read_stored_photo

    pairs = choose_split(folder, "validation").pairs
    read = [tuple(read_stored_photo(path).colours for path in (pair.low, pair.high)) for pair in pairs]
    read = [(low, high) for low, high in read if low.shape == high.shape == (*size, 3)]
    if not read:
        raise UserError(
            f"{folder}: no validation pair is {size[0]}x{size[1]}; give that size first in --sizes"
        )
    return read


def _qualities(runs: Sequence[Run], pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[Quality]:
    """Of each run."""
    from kind.metrics.psnr import psnr
    from kind.metrics.ssim import ssim

    figures = [[] for _ in runs]
    for number, (low, high) in enumerate(pairs, start=1):
        print(f"engines: pair {number} of {len(pairs)}", file=sys.stderr, flush=True)
        truth = high / np.float32(255)
        made = [run(low) / np.float32(255) for run in runs]
        for relit, own in zip(made, figures):
            own.append((min(psnr(relit, made[0]), 99.0), psnr(relit, truth), ssim(relit, truth)))
    return [Quality(*map(float, np.mean(own, axis=0))) for own in figures]


def _quality_cells(found: Sequence[Quality] | None, place: int) -> list[str]:
    if found is None:
        return ["–"] * len(_QUALITY)
    own, first = found[place], found[0]
    changes = own.psnr - first.psnr, own.ssim - first.ssim
    apart = f"{own.to_float:.1f}" if place else "–"
    return [f"{own.psnr:.2f}", f"{own.ssim:.4f}", f"{changes[0]:+.3f}", f"{changes[1]:+.4f}", apart]


def _notes(flags: argparse.Namespace, pairs: int) -> list[str]:
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA")
    said = [
        f"{flags.variant}, from 8 bits to 8 bits; seconds: median of {flags.rounds} rounds, in which all "
        "lines of a size take turns; CPU seconds: of all threads; × TensorFlow: its seconds over the line's, "
        "the median over the rounds",
        f"{os.cpu_count()} cores, {platform.machine()}; "
        + (f"ONEDNN_MAX_CPU_ISA={limit}" if limit else "all instructions of the processor"),
    ]
    if pairs:
        said.append(
            f"quality: {pairs} validation pairs of {flags.pairs.name}; int8 may lose {_MOST_PSNR:.2f} dB of "
            f"PSNR and {_MOST_SSIM} of SSIM"
        )
    return [*said, *(f"{name}: not installed, left out" for name in missing())]


if __name__ == "__main__":
    sys.exit(main())
