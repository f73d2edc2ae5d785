"""Relights photographs and shows each step on a page; without INPUT, built-in ones and detected objects."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kind.cli.batch import add_batch_arguments, carry_out, inputs_of
from kind.cli.enhancer_options import load_enhancer
from kind.cli.gallery import Entry, write_gallery
from kind.cli.jobs import Job
from kind.cli.options import check_brightness
from kind.cli.planning import plan
from kind.cli.relighting import add_relighting_arguments, relight, relighting_settings
from kind.errors import UserError
from kind.images.photo import WRITABLE_SUFFIXES, StoredPhoto, write_photo

if TYPE_CHECKING:
    from kind.enhancing.enhancer import Enhanced

SHEET_TITLES = ("input", "reflectance", "illumination", "restored", "relit")
PAGE = "index.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_batch_arguments(parser, ending=None, out=Path("out"), skipping=False)
    add_relighting_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Writes an enhanced image and a contact sheet for each photograph, and `index.html` for all.

    Returns:
        0 when all were relit, 1 when some could not be, 2 when none could.

    Raises:
        UserError: when nothing can be done, before anything is.
    """
    if arguments.out.suffix.lower() in WRITABLE_SUFFIXES and not arguments.out.is_dir():
        raise UserError(f"{arguments.out}: --out expects a folder, for pictures and a page that shows them")
    check_brightness(arguments)
    if inputs_of(arguments):
        work = partial(_show, arguments, ())
        return carry_out(arguments, work, ("sheet",), lists=(PAGE,), format=arguments.format)
    if arguments.dry_run:
        raise UserError("--dry-run expects at least one INPUT")
    inputs = _builtin_photographs(arguments.out / "inputs")
    return _show(arguments, inputs, plan(inputs, arguments.out, arguments.format, also=("sheet",)))


def _show(arguments: argparse.Namespace, builtin: Sequence[Path], jobs: Sequence[Job]) -> int:
    """Relights; also finds objects in the built-in photographs, and changes between two of them."""
    entries: list[Entry] = []
    steps: dict[Path, list[tuple[str, Path]]] = {}

    def write_sheet(job: Job, photo: StoredPhoto, enhanced: Enhanced) -> None:
        from kind.cli.gallery import write_parts
        from kind.images.contact_sheet import contact_sheet

        row = [photo.in_floats().pixels, *(np.asarray(getattr(enhanced, part)) for part in SHEET_TITLES[1:])]
        write_photo(job.beside("sheet"), contact_sheet([row], SHEET_TITLES))
        steps[job.target] = write_parts(job.beside("sheet"), list(zip(SHEET_TITLES, row)))

    def enter(job: Job, photo: StoredPhoto, alpha: str) -> None:
        entries.append(Entry(job.target, steps.pop(job.target), photo.size, f"α = {alpha}"))

    enhancer = load_enhancer(arguments)
    code = relight(
        jobs,
        enhancer,
        **relighting_settings(arguments),
        parts=SHEET_TITLES[1:],
        write_more=write_sheet,
        then=enter,
    )
    if builtin:
        from kind.cli.demo_changes import find_changes
        from kind.cli.demo_objects import find_objects

        print("\nobjects that the detector finds in their restored reflectance:")
        entries += find_objects(arguments.out, builtin, enhancer)
        entries.append(find_changes(arguments.out, enhancer))
    if entries:
        write_gallery(arguments.out / PAGE, entries)
        print(f"look at {arguments.out / PAGE}")
    return code


def _builtin_photographs(folder: Path) -> list[Path]:
    from kind.data.samples import write_dark

    return write_dark(folder)
