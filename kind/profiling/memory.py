"""How much memory processes take (Linux)."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kind.errors import UserError

_STATUS = Path("/proc/self/status")
_IMPORTED_FROM = Path(__file__).resolve().parent.parent.parent


def resident(field: str) -> float:
    """This process's resident memory in MiB.

    Args:
        field: "VmRSS" is what it holds now, "VmHWM" the most that it has held.

    Raises:
        UserError: on systems without /proc.
    """
    if not _STATUS.is_file():
        raise UserError("memory is measured on Linux only; leave it out with --no-memory")
    return int(re.search(rf"^{field}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)[1]) / 1024


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
