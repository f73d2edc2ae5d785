"""How much memory this process may still take, where the system tells (Linux)."""

from __future__ import annotations

from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")
# Of the two versions of cgroups: the limit, what is in use, and what of it is only cached from files.
_VERSION_2 = "memory.max", "memory.current", "inactive_file"
_VERSION_1 = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"


def free_memory() -> int | None:
    """Bytes that the system has available, or that a container's limits leave if these are fewer.

    Returns:
        None where the system does not tell.
    """
    try:
        lines = _MEMINFO.read_text().splitlines()
        available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None
    return min([available, *_left_by_cgroups()])


def _left_by_cgroups() -> list[int]:
    """What every limit above this process leaves; containers see their own group as the root."""
    try:
        groups = [line.split(":", 2) for line in _CGROUP.read_text().splitlines()]
    except OSError:
        return []
    left = []
    for _, controllers, path in (group for group in groups if len(group) == 3):
        if controllers and "memory" not in controllers.split(","):
            continue
        root, names = (_CGROUPS / "memory", _VERSION_1) if controllers else (_CGROUPS, _VERSION_2)
        own = Path(path.lstrip("/"))
        left += (_left(root / folder, *names) for folder in (own, *own.parents))
    return [each for each in left if each is not None]


def _left(folder: Path, limit: str, used: str, cached: str) -> int | None:
    """What one group leaves; None where it has no limit, or is not there."""
    try:
        free = int((folder / limit).read_text()) - int((folder / used).read_text())
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return max(0, free + int(statistics.get(cached, 0)))
    except (OSError, ValueError):  # "max" is no number
        return None
