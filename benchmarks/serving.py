"""What serving costs: `python -m benchmarks.serving exports/kind` (Linux; up to eight minutes).

The embedded server runs in a process of its own, started by `python -m kind serve`; the clients are threads
of this one. The bare SavedModel is called in a third process, on the same image. What comes out of one run:

1. the server's overhead: how much longer one client waits for an answer than the bare call takes, in percent
   of the bare call (medians; the two take turns, because a machine's speed drifts);
2. throughput and latency of 1, 2, 4 and 8 clients, with and without batching;
3. four times as many clients as the queue holds: how many requests are refused with 503, and whether the
   server is as fast afterwards as before;
4. resident memory over many requests.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.serving_processes import (
    ALPHA,
    SIGNATURE,
    bare_calls,
    batching_arguments,
    dark_png,
    serving,
)
from kind.profiling.memory import resident_with_children

CLIENTS = (1, 2, 4, 8)


class Load(NamedTuple):
    """What a number of clients met.

    Attributes:
        seconds: of the whole measurement.
        latencies: of the answered requests, in seconds.
        refused: requests answered with 503.
        failed: answered with anything else.
    """

    seconds: float
    latencies: np.ndarray
    refused: int
    failed: int

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: float) -> float:
        """Milliseconds; NaN without an answer."""
        return float(np.percentile(self.latencies, percent) * 1000) if len(self.latencies) else float("nan")


def main() -> int:
    """Measures and prints; 0 when the server kept its promises, else 1."""
    arguments = _parse()
    body = _body(arguments.image_size)
    width, height = arguments.image_size
    print(f"{width}×{height}, signature {SIGNATURE}, {os.cpu_count()} CPUs, {arguments.seconds:g} s a line")
    overhead = _measure_overhead(arguments, body)
    _measure_clients(arguments, body)
    recovers = _measure_overload(arguments, body)
    growth = _measure_memory(arguments)
    print()
    _say(
        overhead <= arguments.most_overhead,
        f"overhead {overhead:.1f} %, at most {arguments.most_overhead:g} %",
    )
    _say(recovers, "overload is refused with 503 and passes")
    _say(growth <= arguments.most_growth, f"memory grew {growth:.1f} MiB, at most {arguments.most_growth:g}")
    kept = overhead <= arguments.most_overhead and recovers and growth <= arguments.most_growth
    return 0 if kept else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="what `python -m kind export` wrote")
    parser.add_argument("--image-size", type=_size, default=(600, 400), metavar="WxH", help="default 600x400")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each number of clients, default 20")
    parser.add_argument("--rounds", type=int, default=20, help="calls for the overhead, default 20")
    parser.add_argument("--memory-requests", type=int, default=2000, help="default 2000")
    parser.add_argument(
        "--memory-size",
        type=_size,
        default=(96, 64),
        metavar="WxH",
        help="of the image of those, default 96x64",
    )
    parser.add_argument("--most-overhead", type=float, default=10.0, help="percent, default 10")
    parser.add_argument("--most-growth", type=float, default=64.0, help="MiB, default 64")
    return parser.parse_args()


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"expects WxH, received {text!r}")
    return int(found[1]), int(found[2])


def _say(is_kept: bool, text: str) -> None:
    print(f"{'yes' if is_kept else 'NO '}  {text}")


def _body(size: tuple[int, int]) -> bytes:
    import base64

    image = {"b64": base64.b64encode(dark_png(size)).decode("ascii")}
    content = {"signature_name": SIGNATURE, "inputs": {"image_bytes": [image], "alpha": [ALPHA]}}
    return json.dumps(content).encode()


def _measure_overhead(arguments: argparse.Namespace, body: bytes) -> float:
    """Alternates between the bare call and one request, and prints both medians."""
    bare, asked = [], []
    with bare_calls(arguments.folder, arguments.image_size) as call, serving(arguments.folder) as server:
        _ask(server.port, body)
        call()
        for _ in range(arguments.rounds):
            bare.append(call())
            started = time.perf_counter()
            status = _ask(server.port, body)
            asked.append(time.perf_counter() - started)
            if status != 200:
                raise SystemExit(f"the server answered {status}")
    overhead = 100 * (np.median(asked) / np.median(bare) - 1)
    print(
        f"\nbare SavedModel   {1000 * np.median(bare):7.0f} ms   (median of {arguments.rounds}, alternating)"
    )
    print(f"through REST      {1000 * np.median(asked):7.0f} ms   {overhead:+.1f} %")
    return float(overhead)


def _measure_clients(arguments: argparse.Namespace, body: bytes) -> None:
    print("\nbatching  clients  images/s   p50 ms   p95 ms   p99 ms  refused")
    for name, more in (
        ("off", ["--no-batching"]),
        ("on", batching_arguments(size=4, timeout=2000, queue=100, threads=2)),
    ):
        with serving(arguments.folder, *more) as server:
            _ask(server.port, body)
            for clients in CLIENTS:
                load = _load(server.port, body, clients, arguments.seconds)
                latencies = "".join(f"{load.percentile(percent):9.0f}" for percent in (50, 95, 99))
                print(f"{name:8}  {clients:7}  {load.rate:8.2f}{latencies}  {load.refused:7}", flush=True)
                _expect_no_failure(load)


def _measure_overload(arguments: argparse.Namespace, body: bytes) -> bool:
    """Clients that ask again at once, four times as many as can wait or be worked on."""
    places = 2 + 2  # two at work, two waiting
    with serving(arguments.folder, *batching_arguments(size=1, timeout=0, queue=2, threads=2)) as server:
        _ask(server.port, body)
        before = _load(server.port, body, 1, arguments.seconds / 2)
        during = _load(server.port, body, 4 * places, arguments.seconds, pause=0.05)
        after = _load(server.port, body, 1, arguments.seconds / 2)
    for load in (before, during, after):
        _expect_no_failure(load)
    print(f"\noverload: {4 * places} clients for {places} places")
    for name, load in (("before", before), ("during", during), ("after", after)):
        print(
            f"{name:7}  {load.rate:6.2f} images/s  p50 {load.percentile(50):6.0f} ms  {load.refused} refused"
        )
    return during.refused > 0 and after.refused == 0 and after.percentile(50) < 1.5 * before.percentile(50)


def _measure_memory(arguments: argparse.Namespace) -> float:
    """How many MiB the server holds more after the last fifth of the requests than after the first."""
    body, sizes = _body(arguments.memory_size), []
    with serving(arguments.folder) as server:
        for _ in range(5):
            for _ in range(arguments.memory_requests // 5):
                if _ask(server.port, body) != 200:
                    raise SystemExit("a request was refused while memory was measured")
            sizes.append(resident_with_children(server.process.pid))
    line = ", ".join(f"{size:.0f}" for size in sizes)
    width, height = arguments.memory_size
    print(
        f"\nresident MiB after each fifth of {arguments.memory_requests} requests ({width}×{height}): {line}"
    )
    return sizes[-1] - sizes[0]


def _expect_no_failure(load: Load) -> None:
    if load.failed:
        raise SystemExit(f"{load.failed} requests failed with something else than 503")


def _load(port: int, body: bytes, clients: int, seconds: float, pause: float = 0.0) -> Load:
    """Lets clients ask one request after another; one that is refused waits for `pause` seconds."""
    latencies, statuses = [], []
    started = time.perf_counter()

    def ask() -> None:
        while time.perf_counter() - started < seconds:
            asked = time.perf_counter()
            status = _ask(port, body)
            if status == 200:
                latencies.append(time.perf_counter() - asked)
            statuses.append(status)
            if status == 503:
                time.sleep(pause)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = statuses.count(503)
    return Load(
        time.perf_counter() - started, np.array(latencies), refused, len(statuses) - len(latencies) - refused
    )


_connections = threading.local()


def _ask(port: int, body: bytes) -> int:
    """One request on this thread's connection; its status."""
    import urllib3

    if getattr(_connections, "port", None) != port:
        _connections.port, _connections.pool = port, urllib3.PoolManager(retries=False)
    url = f"http://127.0.0.1:{port}/v1/models/kind:predict"
    return _connections.pool.request("POST", url, body=body, timeout=120).status


if __name__ == "__main__":
    sys.exit(main())
