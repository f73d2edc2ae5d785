"""What attacks cost the others: `python -m benchmarks.serving_attacks exports/lite` (Linux; some minutes).

Starts `python -m kind serve` for a copy of the folder on free ports of this machine and sends attack after
attack. During each, two honest clients go on: one asks /healthz, one sends a photograph. What comes out is a
table in Markdown: the longest wait of both (of /healthz also in 99.9 % of the cases), the resident memory of
all its processes before, at most and after, and what the attacker got. At the end come hot swaps, of which a
document gets the first and the last, and SIGTERM beside an unfinished upload.

With `--old CHECKOUT` honest clients measure the server of that checkout and this one before, taking turns.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.serving_attackers import (
    REPOSITORY,
    Attack,
    Served,
    attacks,
    body_of,
    picture,
    start,
    unfinished,
)
from kind.cli.markdown_option import add_markdown_argument

_EVERY = 0.02  # seconds between two questions of an honest client
_AFTER = 2.0  # seconds until memory counts as that after an attack
_LONGEST_SWAP = 300
_HEAD = (
    "| attack | /healthz, 99.9 %, longest | longest good request | MiB before, at most, after | got |",
    "| --- | ---: | ---: | ---: | --- |",
)
_TURNS, _TURN = 5, 4.0  # how often each server is asked, and for how many seconds


def main() -> int:
    """Runs everything; returns 1 when the server did not outlive it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="what `python -m kind export` wrote")
    parser.add_argument("--swaps", type=int, default=5, help="number of hot swaps, default 5")
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="TEXT", help="attacks whose names hold one of these"
    )
    parser.add_argument("--old", type=Path, metavar="CHECKOUT", help="with the server to compare with")
    add_markdown_argument(parser, "attacks")
    arguments = parser.parse_args()
    if arguments.markdown:
        arguments.markdown.check()
    if arguments.old:
        _compare(arguments.folder, {"old": arguments.old, "new": REPOSITORY})
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, arguments.folder.resolve().name)
        shutil.copytree(arguments.folder, folder)
        served = start(folder)
        try:
            lines = [_said(line) for line in _HEAD]
            lines += [
                _said(_row(served, attack))
                for attack in attacks()
                if any(text in attack.name for text in arguments.only)
            ]
            swaps = [
                _said(_row(served, Attack(f"hot swap {number + 1}", lambda served: _swap(served, folder))))
                for number in range(arguments.swaps)
            ]
            code, ended = _stop(served)
            lines += [*swaps[:1], *swaps[1:][-1:], "", _said(ended)]
            if arguments.markdown:
                arguments.markdown.write("\n".join(lines))
            return int(code != 0)
        finally:
            served.process.kill()
            served.process.wait()


def _said(line: str) -> str:
    print(line, flush=True)
    return line


def _compare(folder: Path, checkouts: dict[str, Path]) -> None:
    """Prints what honest clients meet at two servers that run at the same time and are asked in turns."""
    servers = {name: start(folder, checkout) for name, checkout in checkouts.items()}
    bodies = {"60×40": body_of(picture(60, 40)), "600×400": body_of(picture(600, 400))}
    print(
        "| server | photograph | clients | a second | p50 | p95 |\n| --- | --- | ---: | ---: | ---: | ---: |"
    )
    try:
        for size, body in bodies.items():
            for clients in (1, 4, 8):
                waits = {name: [] for name in servers}
                for _ in range(_TURNS):
                    for name, served in servers.items():
                        waits[name].append(_waits(served, body, clients))
                for name, turns in waits.items():
                    every = np.concatenate(turns) * 1000
                    rate = len(every) / (_TURNS * _TURN)
                    cells = (
                        f"{rate:.1f} | {np.percentile(every, 50):.1f} ms | {np.percentile(every, 95):.1f} ms"
                    )
                    print(f"| {name} | {size} | {clients} | {cells} |", flush=True)
    finally:
        for served in servers.values():
            served.process.kill()
            served.process.wait()
    print()


def _waits(served: Served, body: bytes, clients: int) -> list[float]:
    """Seconds for each answer that some clients get, one after another each, in `_TURN` seconds."""
    waits, end = [], time.perf_counter() + _TURN

    def ask() -> None:
        while (started := time.perf_counter()) < end:
            if served.predict(body) == 200:
                waits.append(time.perf_counter() - started)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return waits


def _row(served: Served, attack: Attack) -> str:
    """Sends an attack beside honest clients; a row of the table."""
    spawn = multiprocessing.get_context("spawn")  # in this process they would wait for the attacker
    stop, (results, sender) = spawn.Event(), spawn.Pipe(duplex=False)
    watcher = spawn.Process(target=_watch, args=(served._replace(process=None), stop, sender))
    watcher.start()
    results.recv()  # it has begun
    try:
        got = attack.send(served)
    except OSError as error:
        got = type(error).__name__
    time.sleep(_AFTER)
    stop.set()
    health, good, memory = results.recv()
    watcher.join()
    most, longest = 1000 * np.percentile(health, 99.9, method="lower"), 1000 * max(health)
    cells = f"{most:.0f}, {longest:.0f} ms | {1000 * max(good):.0f} ms"
    memory = f"{memory[0]:.0f}, {max(memory):.0f}, {served.memory():.0f}"
    return f"| {attack.name} | {cells} | {memory} | {got} |"


def _watch(served: Served, stop, sender) -> None:
    """The honest clients: sends how long they waited, and how much memory there was meanwhile."""
    body, found = body_of(picture(60, 40)), ([], [], [])

    def wait(ask: Callable[[], int]) -> float:
        started = time.perf_counter()
        with contextlib.suppress(OSError):
            if ask() == 200:
                return time.perf_counter() - started
        return float("inf")

    def repeat(number: int) -> None:
        while not stop.is_set() or not found[number]:
            found[number].append(watches[number]())
            time.sleep(_EVERY)

    watches = (
        lambda: wait(lambda: served.ask("GET", "/healthz")),
        lambda: wait(lambda: served.predict(body)),
        served.memory,
    )
    threads = [threading.Thread(target=repeat, args=(number,)) for number in range(len(watches))]
    for thread in threads:
        thread.start()
    while not all(found):
        time.sleep(_EVERY)
    sender.send(None)
    for thread in threads:
        thread.join()
    sender.send(found)


def _swap(served: Served, folder: Path) -> str:
    """Publishes a copy of the newest version, and waits until it is served."""
    newest = max(int(path.name) for path in folder.iterdir() if path.name.isdigit())
    staged = folder / ".staged"
    shutil.copytree(folder / str(newest), staged)
    staged.rename(folder / str(newest + 1))
    end = time.monotonic() + _LONGEST_SWAP
    while not served.has(newest + 1):
        if time.monotonic() > end:
            return f"no new version within {_LONGEST_SWAP} s"
        time.sleep(0.1)
    shutil.rmtree(folder / str(newest))
    return "the new version"


def _stop(served: Served) -> tuple[int | None, str]:
    """SIGTERM beside an unfinished upload: the exit code, None after a minute, and a sentence."""
    with unfinished(served):
        time.sleep(0.5)
        started = time.perf_counter()
        served.process.send_signal(signal.SIGTERM)
        try:
            code = served.process.wait(60)
        except subprocess.TimeoutExpired:
            code = None
    seconds = time.perf_counter() - started
    return code, f"SIGTERM beside an unfinished upload: ended after {seconds:.1f} s with {code}."


if __name__ == "__main__":
    sys.exit(main())
