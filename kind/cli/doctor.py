"""Checks a paired data set before training: files, sizes, brightness, registration, duplicates."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kind.errors import one_line

if TYPE_CHECKING:
    from kind.data.doctor import Examination
    from kind.data.pair_checks import Finding

CLEAN, WARNINGS, ERRORS = 0, 1, 3  # 2 is every command's "could not even begin"

_OUT = Path("out/doctor")
_MOST_PRINTED = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the folder to look at and where the report goes."""
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="folder with low/ and high/, or LOL's our485/ and eval15/"
    )
    parser.add_argument(
        "--out", type=Path, default=_OUT, metavar="DIR", help="folder for doctor.json and suspects.jpg"
    )


def run(arguments: argparse.Namespace) -> int:
    """Examines the folder, prints the table, and writes `doctor.json` and `suspects.jpg`.

    Returns:
        The exit code: 0 without findings, 1 with warnings only, 3 with errors, which stop training.

    Raises:
        UserError: when the folder is not one of pairs, or the report cannot be written.
    """
    from kind.cli.stages import STAGES
    from kind.data.doctor import ERROR, WARNING, examine
    from kind.data.suspect_sheet import write_suspect_sheet
    from kind.reports.progress import Progress

    configs = {
        name: entry.config for name, entry in STAGES.items() if hasattr(entry.config, "smallest_patch")
    }
    smallest_patch = max(config.smallest_patch for config in configs.values())
    with Progress("pairs") as progress:
        examination = examine(arguments.folder, progress, smallest_patch)
    _print(examination)
    _print_patches(examination, {name: config.patch for name, config in configs.items()})
    report, sheet = arguments.out / "doctor.json", arguments.out / "suspects.jpg"
    _write_report(report, examination)
    drawn = write_suspect_sheet(sheet, examination.findings)
    _print_line(f"written: {report}{f', {sheet} ({drawn} of {len(examination.findings)})' if drawn else ''}")
    if examination.count(ERROR):
        return ERRORS
    return WARNINGS if examination.count(WARNING) else CLEAN


def _print(examination: Examination) -> None:
    from kind.data.doctor import ERROR, KINDS, WARNING

    pairs = ", ".join(f"{count} {part}" for part, count in examination.parts.items())
    severities = f"{_counted(examination, ERROR)}, {_counted(examination, WARNING)}"
    _print_line(f"{examination.folder}: pairs: {pairs}; {severities}")
    for kind, (severity, advice) in KINDS.items():
        findings = [finding for finding in examination.findings if finding.kind == kind]
        if not findings:
            continue
        print(f"\n{severity}: {kind}, {len(findings)}: {advice}")
        rows = [(_names(finding, examination.folder), finding.detail) for finding in findings]
        width = max(len(names) for names, _ in rows[:_MOST_PRINTED])
        for names, detail in rows[:_MOST_PRINTED]:
            _print_line(f"  {names:{width}}  {detail}")
        if len(rows) > _MOST_PRINTED:
            print(f"  … and {len(rows) - _MOST_PRINTED} more in doctor.json")
    print()


def _print_patches(examination: Examination, patches: dict[str, int]) -> None:
    """Names the stages that this set cannot be given to without another `--patch`, and the largest one."""
    sides = [one.shorter_side for one in examination.measured if one.shorter_side is not None]
    larger = [f"{name} ({patch})" for name, patch in patches.items() if sides and patch > min(sides)]
    if larger:
        print(
            f"the smallest image allows --patch {min(sides)} at most; more by default: {', '.join(larger)}\n"
        )


def _print_line(text: str) -> None:
    """Prints what holds file names, which may have line breaks in them, as one line."""
    print(one_line(text))


def _counted(examination: Examination, severity: str) -> str:
    count = examination.count(severity)
    return f"{count} {severity}{'' if count == 1 else 's'}"


def _names(finding: Finding, folder: Path) -> str:
    """The finding's files below the data set's folder: both when there are two, else the first."""
    names = [path.relative_to(folder).as_posix() for path in finding.files]
    return " ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} others"


def _write_report(path: Path, examination: Examination) -> None:
    """Every finding, and what was measured of every pair; paths are relative to the data set's folder."""
    from kind.data.doctor import KINDS
    from kind.reports.writing import write_json

    def relative(file: Path) -> str:
        return file.relative_to(examination.folder).as_posix()

    content = {
        "folder": str(examination.folder.resolve()),
        "pairs": examination.parts,
        "findings": [
            {
                "severity": KINDS[finding.kind].severity,
                "kind": finding.kind,
                "files": [relative(file) for file in finding.files],
                "detail": finding.detail,
                "values": finding.values,
            }
            for finding in examination.findings
        ],
        "measured": [
            {
                "low": relative(one.pair.low),
                "high": relative(one.pair.high),
                "means": one.means,
                "shift": one.shift and {**one.shift._asdict(), "pixels": one.shift.pixels},
            }
            for one in examination.measured
        ],
    }
    write_json(path, content)
