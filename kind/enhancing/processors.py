"""How many processors there are to compute on."""

from __future__ import annotations

import os


def processors() -> int:
    """Those that this process may use; Linux tells, other systems give all that there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
