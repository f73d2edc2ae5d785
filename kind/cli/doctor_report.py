"""What `kind doctor` prints and writes about the findings of a data set."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kind.errors import one_line

if TYPE_CHECKING:
    from kind.data.pair_checks import Finding
    from kind.data.severity import Kind

_MOST_PRINTED = 10


def print_findings(title: str, folder: Path, findings: Sequence[Finding], kinds: Mapping[str, Kind]) -> None:
    """Prints a line about the whole, and a table of each kind of finding.

    Args:
        title: what the set is.
        folder: which file names are relative to.
        findings: in the order of `kinds`.
        kinds: of findings.
    """
    counts = {
        word: sum(kinds[one.kind].severity == word for one in findings) for word in ("error", "warning")
    }
    told = ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items())
    print_line(f"{title}; {told}")
    for kind, (severity, advice) in kinds.items():
        rows = [(_names(one, folder), one.detail) for one in findings if one.kind == kind]
        if not rows:
            continue
        print(f"\n{severity}: {kind}, {len(rows)}: {advice}")
        width = max(len(names) for names, _ in rows[:_MOST_PRINTED])
        for names, detail in rows[:_MOST_PRINTED]:
            print_line(f"  {names:{width}}  {detail}" if width else f"  {detail}")
        if len(rows) > _MOST_PRINTED:
            print(f"  … and {len(rows) - _MOST_PRINTED} more in doctor.json")
    print()


def findings_record(
    folder: Path, findings: Sequence[Finding], kinds: Mapping[str, Kind]
) -> list[dict[str, Any]]:
    """The findings for `doctor.json`; paths are relative to the data set's folder."""
    return [
        {
            "severity": kinds[one.kind].severity,
            "kind": one.kind,
            "files": [relative(file, folder) for file in one.files],
            "detail": one.detail,
            "values": one.values,
        }
        for one in findings
    ]


def print_line(text: str) -> None:
    """Prints what holds file names, which may have line breaks in them, as one line."""
    print(one_line(text))


def relative(file: Path, folder: Path) -> str:
    """A file's path below the data set's folder, or on the way from there."""
    return Path(os.path.relpath(file, folder)).as_posix()


def _names(finding: Finding, folder: Path) -> str:
    """The finding's files below the data set's folder: both when there are two, else the first."""
    names = [relative(path, folder) for path in finding.files]
    return " ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} others"
