"""Relights photographs and shows each step on a page; without INPUT, built-in ones and detected objects."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kind.cli.gallery import Entry, write_gallery
from kind.cli.jobs import Job, plan
from kind.cli.options import add_inputs_argument, load_enhancer
from kind.cli.relighting import add_relighting_arguments, relight
from kind.errors import UserError
from kind.images.photo import WRITABLE_SUFFIXES, StoredPhoto, write_photo

if TYPE_CHECKING:
    from kind.enhancing.enhancer import Enhanced

SHEET_TITLES = ("input", "reflectance", "illumination", "restored", "relit")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_inputs_argument(parser, "photographs or folders of them", nargs="*")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the results (default: out)")
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
    inputs = arguments.inputs or _builtin_photographs(arguments.out / "inputs")
    jobs = plan(inputs, arguments.out, arguments.format, also=("sheet",))
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
        alpha=arguments.alpha,
        fusion=arguments.fusion,
        strength=arguments.strength,
        quality=arguments.quality,
        workers=arguments.workers,
        parts=SHEET_TITLES[1:],
        write_more=write_sheet,
        then=enter,
    )
    if not arguments.inputs:
        from kind.cli.demo_objects import find_objects

        print("\nobjects that the detector finds in their restored reflectance:")
        entries += find_objects(arguments.out, inputs, enhancer)
    if entries:
        write_gallery(arguments.out / "index.html", entries)
        print(f"look at {arguments.out / 'index.html'}")
    return code


def _builtin_photographs(folder: Path) -> list[Path]:
    from kind.data.samples import write_dark

    return write_dark(folder)
