"""Checks a data set before training: image pairs, annotated images, changes, or photographs alone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kind.cli.annotation_options import add_layout_arguments, annotations_of, given_layout
from kind.cli.doctor_report import findings_record, print_findings, print_line, relative
from kind.cli.json_lines import emit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kind.data.doctor import Examination
    from kind.data.pair_checks import Finding
    from kind.data.severity import Kind

CLEAN, WARNINGS, ERRORS = 0, 1, 3  # 2 is every command's "could not even begin"

_OUT = Path("out/doctor")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the folder to look at, the form of its annotations and where the report goes."""
    parser.add_argument(
        "data",
        type=Path,
        metavar="DIR",
        help="folder of pairs (low/ and high/, LOL's our485/ and eval15/, LOL-v2's Train/ and Test/, …) or a "
        "CSV of them; of annotated images (found by their folders; COCO's by --coco); of change detection "
        "(A/, B/ and label/); or of photographs",
    )
    add_layout_arguments(parser, repair=False)
    parser.add_argument(
        "--out", type=Path, default=_OUT, metavar="DIR", help="folder for doctor.json and suspects.jpg"
    )


def run(arguments: argparse.Namespace) -> int:
    """Examines the folder, prints the table, and writes `doctor.json` and `suspects.jpg`.

    Returns:
        The exit code: 0 without findings, 1 with warnings only, 3 with errors, which stop training.

    Raises:
        UserError: when the folder is none of a data set, or the report cannot be written.
    """
    if layout := _layout(arguments):
        return _examine_images(arguments, layout)
    if _is_of_changes(arguments.data):
        return _examine_changes(arguments)
    if arguments.data.is_dir() and _holds_photographs(arguments.data):
        return _examine_images(arguments, None)
    return _examine_pairs(arguments)


def _layout(arguments: argparse.Namespace) -> str | None:
    """The form of the annotations, as the flags or the folders say; None where there are none."""
    from kind.data.annotations.chosen_layout import find_layout

    if layout := given_layout(arguments):
        return layout
    return "yolo" if arguments.classes else find_layout(arguments.data)


def _holds_photographs(folder: Path) -> bool:
    """Whether a folder holds photographs and no pairs."""
    from kind.data.pairs import SUFFIXES
    from kind.data.photographs import is_pairs
    from kind.images.finding import entries_of

    if is_pairs(folder):
        return False
    root = folder / "images"
    entries = entries_of(root if root.is_dir() else folder)
    return any(entry.suffix.lower() in SUFFIXES for entry in entries)


def _is_of_changes(folder: Path) -> bool:
    from kind.detection.change.folders import is_change_folder

    return is_change_folder(folder)


def _examine_changes(arguments: argparse.Namespace) -> int:
    from kind.detection.change.doctor import KINDS, examine_triplets
    from kind.reports.progress import Progress

    folder = arguments.data
    with Progress("triplets") as progress:
        examination = examine_triplets(folder, progress)
    print_findings(f"{folder}: {examination.content}", folder, examination.findings, KINDS)
    measured = [
        {"name": one.triplet.name, "before": relative(one.triplet.before, folder), "changed": one.changed}
        for one in examination.measured
    ]
    record = {"triplets": len(measured), "measured": measured}
    return _finish(arguments.out, folder, examination.findings, KINDS, record)


def _examine_pairs(arguments: argparse.Namespace) -> int:
    from kind.cli.stages import STAGES
    from kind.data.doctor import KINDS, examine
    from kind.reports.progress import Progress

    configs = {
        name: entry.config for name, entry in STAGES.items() if hasattr(entry.config, "smallest_patch")
    }
    smallest_patch = max(config.smallest_patch for config in configs.values())
    with Progress("pairs") as progress:
        examination = examine(arguments.data, progress, smallest_patch)
    folder = arguments.data if arguments.data.is_dir() else arguments.data.parent
    pairs = ", ".join(f"{count} {part}" for part, count in examination.parts.items())
    print_findings(f"{arguments.data}: pairs: {pairs}", folder, examination.findings, KINDS)
    _print_patches(examination, {name: config.patch for name, config in configs.items()})
    measured = [
        {
            "low": relative(one.pair.low, folder),
            "high": relative(one.pair.high, folder),
            "means": one.means,
            "shift": one.shift and {**one.shift._asdict(), "pixels": one.shift.pixels},
        }
        for one in examination.measured
    ]
    record = {"pairs": examination.parts, "measured": measured}
    return _finish(arguments.out, folder, examination.findings, KINDS, record)


def _examine_images(arguments: argparse.Namespace, layout: str | None) -> int:
    from kind.data.image_doctor import KINDS, examine_images
    from kind.reports.progress import Progress

    arguments.repair = True  # so that every problem is named, and not only the first ones
    annotations = annotations_of(arguments, layout) if layout else None
    folder = arguments.data if arguments.data.is_dir() else arguments.data.parent
    with Progress("images") as progress:
        examination = examine_images(folder, annotations, progress)
    print_findings(f"{arguments.data}: {examination.content}", folder, examination.findings, KINDS)
    measured = [
        {"file": relative(one.path, folder), "size": one.size, "mean": one.mean}
        for one in examination.measured
    ]
    record = {"images": len(measured), "measured": measured}
    return _finish(arguments.out, folder, examination.findings, KINDS, record)


def _finish(
    out: Path, folder: Path, findings: Sequence[Finding], kinds: Mapping[str, Kind], record: dict[str, Any]
) -> int:
    """Writes the report and the sheet of suspects; returns the exit code."""
    from kind.data.severity import ERROR
    from kind.data.suspect_sheet import write_suspect_sheet
    from kind.reports.writing import write_json

    report, sheet = out / "doctor.json", out / "suspects.jpg"
    records = findings_record(folder, findings, kinds)
    write_json(report, {"folder": str(folder.resolve()), "findings": records, **record})
    for finding in records:
        emit(finding)
    pictured = [one for one in findings if one.files and one.kind not in ("archive", "empty folder")]
    drawn = write_suspect_sheet(sheet, pictured)
    print_line(f"written: {report}{f', {sheet} ({drawn} of {len(findings)})' if drawn else ''}")
    if any(kinds[one.kind].severity == ERROR for one in findings):
        return ERRORS
    return WARNINGS if findings else CLEAN


def _print_patches(examination: Examination, patches: dict[str, int]) -> None:
    """Names the stages that this set cannot be given to without another `--patch`, and the largest one."""
    sides = [one.shorter_side for one in examination.measured if one.shorter_side is not None]
    larger = [f"{name} ({patch})" for name, patch in patches.items() if sides and patch > min(sides)]
    if larger:
        print(
            f"the smallest image allows --patch {min(sides)} at most; more by default: {', '.join(larger)}\n"
        )
