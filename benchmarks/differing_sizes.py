"""How memory grows with images of differing sizes: `python -m benchmarks.differing_sizes` (Linux).

Each run is a process of its own that enhances images of random heights and widths, one after another, and
says what memory it holds in between. oneDNN prepares its operations for each shape anew and keeps the last
ones, so the memory of a long-lived process depends on how many sizes it has seen. `--set` compares values of
environment variables with the process as it is; the same sizes come in each. `--server` sends the images to
`kind serve` of an export instead, and counts all its processes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.serving_processes import ALPHA, REPOSITORY, SIGNATURE, dark_png, serving
from kind.cli.enhancer_options import add_precision_argument
from kind.enhancing.tiling.freed_memory import give_back_large_pieces
from kind.enhancing.variants import add_variant_argument
from kind.profiling.memory import resident, resident_with_children

_LINES = 10
_AGAIN = 20


def main() -> int:
    """Measures and prints a line for each tenth of the images."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=1000, help="images (default: %(default)s)")
    parser.add_argument(
        "--largest",
        type=int,
        default=400,
        metavar="PIXELS",
        help="most rows and columns (default: %(default)s)",
    )
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="also with this environment"
    )
    parser.add_argument("--server", type=Path, metavar="DIR", help="measure `kind serve` of this export")
    add_precision_argument(parser, int8=True)
    add_variant_argument(parser)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # a process of its own
    flags = parser.parse_args()
    if flags.one:
        return _enhance_all(flags)
    for setting in ("", *flags.set):
        print(f"{setting or 'as it is'}: images, MiB, CPU seconds of the last {_AGAIN} sizes once more")
        if flags.server:
            _ask_all(flags, setting)
        else:
            _run_one(setting)
    return 0


def sizes(count: int, largest: int) -> list[tuple[int, int]]:
    """Random heights and widths, the same in each call."""
    return [tuple(map(int, size)) for size in np.random.default_rng(0).integers(1, largest + 1, (count, 2))]


def measured(
    count: int, work: Callable[[int], None], memory: Callable[[], float]
) -> Iterator[tuple[int, float]]:
    """Does the work for each number, and yields the memory after each tenth."""
    for number in range(count):
        work(number)
        if (number + 1) % max(1, count // _LINES) == 0:
            yield number + 1, memory()


def _environment(setting: str) -> dict[str, str]:
    name, _, value = setting.partition("=")
    return {**os.environ, name: value} if setting else dict(os.environ)


def _run_one(setting: str) -> None:
    command = [sys.executable, "-m", "benchmarks.differing_sizes", "--one", *sys.argv[1:]]
    subprocess.run(command, check=True, cwd=REPOSITORY, env=_environment(setting))


def _enhance_all(flags: argparse.Namespace) -> int:
    give_back_large_pieces()  # as the command line does
    from kind.enhancing.enhancer import Enhancer

    enhancer = Enhancer.load(precision=flags.precision, variant=flags.variant)
    images = sizes(flags.count, flags.largest)

    def work(number: int) -> None:
        image = np.random.default_rng(number).random((*images[number], 3), np.float32)
        enhancer(image, parts=("relit",))

    work(0)
    print(f"{0:>8}{resident('VmRSS'):8.0f}", flush=True)
    for number, memory in measured(flags.count, work, lambda: resident("VmRSS")):
        print(f"{number:>8}{memory:8.0f}", flush=True)
    started = time.process_time()
    for number in range(max(0, flags.count - _AGAIN), flags.count):
        work(number)
    print(f"{'again':>8}{resident('VmRSS'):8.0f}{time.process_time() - started:8.2f}", flush=True)
    return 0


def _ask_all(flags: argparse.Namespace, setting: str) -> None:
    import base64

    import urllib3

    os.environ.update(_environment(setting))
    images, pool = sizes(flags.count, flags.largest), urllib3.PoolManager(retries=False)
    with serving(flags.server) as server:

        def work(number: int) -> None:
            image = {"b64": base64.b64encode(dark_png(images[number][::-1])).decode("ascii")}
            content = {"signature_name": SIGNATURE, "inputs": {"image_bytes": [image], "alpha": [ALPHA]}}
            url = f"http://127.0.0.1:{server.port}/v1/models/kind:predict"
            answer = pool.request("POST", url, body=json.dumps(content).encode(), timeout=120)
            if answer.status != 200:
                raise SystemExit(f"the server answered {answer.status}")

        work(0)
        print(f"{0:>8}{resident_with_children(server.process.pid):8.0f}", flush=True)
        for number, memory in measured(flags.count, work, lambda: resident_with_children(server.process.pid)):
            print(f"{number:>8}{memory:8.0f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
