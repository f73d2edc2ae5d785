"""How much memory processes take (Linux)."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from kind.enhancing.tiling.freed_memory import give_back_large_pieces
from kind.errors import UserError

_IMPORTED_FROM = Path(__file__).resolve().parent.parent.parent
_RUNS = 2


def resident(field: str, pid: int | str = "self") -> float:
    """A process's resident memory in MiB.

    Args:
        field: "VmRSS" is what it holds now, "VmHWM" the most that it has held.
        pid: of the process; this one by default.

    Raises:
        UserError: on systems without /proc.
        OSError: when there is no such process.
    """
    if not Path("/proc/self/status").is_file():
        raise UserError("memory is measured on Linux only; leave it out with --no-memory")
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0  # a process that has ended holds nothing


def resident_with_children(pid: int) -> float:
    """Resident MiB of a process and of all that it has started and that still run."""
    total = resident("VmRSS", pid)
    for threads in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            total += sum(resident_with_children(int(child)) for child in threads.read_text().split())
    return total


def print_peak(prepare: Callable[[], Callable[[], object]]) -> None:
    """Runs something twice, and prints this process's peak in MiB above what it holds now; see `peak_of`.

    Args:
        prepare: imports and loads all that is needed, and gives what is run.
    """
    give_back_large_pieces()  # as the command line does
    before = resident("VmRSS")
    call = prepare()
    for _ in range(_RUNS):
        call()
    print(resident("VmHWM") - before)


def peak_of(module: str, arguments: Sequence[str]) -> float:
    """Runs a module that prints its own peak memory, in a process of its own.

    Args:
        module: its name; the last line that it prints is a number.
        arguments: its command line.

    Returns:
        The number.

    Raises:
        UserError: with the process's last line of complaint when it failed.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=_IMPORTED_FROM)
    if done.returncode:
        reason = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise UserError(f"measuring memory failed: {reason}")
    return float(done.stdout.split()[-1])
