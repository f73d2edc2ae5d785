"""A model's version folders, and the configuration that selects those to serve."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_NUMBER, _LARGEST_NUMBER = re.compile("[0-9]{1,19}"), 2**63 - 1  # what the status messages can hold


@dataclass(frozen=True)
class ModelConfig:
    """The configuration of a served model.

    Attributes:
        name: the model's name in requests.
        base_path: the folder that holds the version folders.
        policy: which versions are served: "latest", "all" or "specific".
        count: number of versions, for "latest".
        numbers: the versions, for "specific".
        labels: version numbers by label.
    """

    name: str
    base_path: Path
    policy: str = "latest"
    count: int = 1
    numbers: tuple[int, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)

    def wanted(self, present: Iterable[int]) -> set[int]:
        """Selects the versions to serve from those present."""
        present = set(present)
        if self.policy == "specific":
            return present & set(self.numbers)
        return present if self.policy == "all" else set(sorted(present)[-self.count :])


def version_folders(base: Path) -> dict[int, Path]:
    """The version folders of a model by number: those with a number for a name and a `saved_model.pb`.

    Args:
        base: the model's folder; one that cannot be listed has no versions.
    """
    try:
        entries = list(base.iterdir())
    except OSError:
        return {}
    return {
        int(entry.name): entry
        for entry in entries
        if _NUMBER.fullmatch(entry.name) and int(entry.name) <= _LARGEST_NUMBER and _holds_model(entry)
    }


def _holds_model(folder: Path) -> bool:
    try:
        return (folder / "saved_model.pb").is_file()
    except OSError:  # such as a folder that this user may not enter
        return False


def fingerprint(folder: Path) -> object:
    """Names, sizes and times of the files in a folder: equal as long as nothing in it changes."""
    files = []
    try:
        paths = sorted(folder.rglob("*"))
    except OSError:  # it is being removed
        return ()
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            continue
        files.append((str(path), stat.st_size, stat.st_mtime_ns))
    return tuple(files)
