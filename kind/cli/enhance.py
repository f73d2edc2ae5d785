"""Relights dark photographs: takes any number of files and folders, and writes one image for each."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np

from kind.cli.batch import add_batch_arguments, planned
from kind.cli.jobs import Job
from kind.cli.options import check_brightness, load_enhancer
from kind.cli.relighting import add_relighting_arguments, relight, relighting_settings
from kind.images.photo import StoredPhoto, write_photo

if TYPE_CHECKING:
    from kind.enhancing.enhancer import Enhanced

#: Parts that `--save-parts` writes beside the image, as `kind.enhancing.enhanced.Enhanced` names them.
PARTS = ("reflectance", "illumination", "restored", "adjusted")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_batch_arguments(parser, stdout=True)
    add_relighting_arguments(parser)
    parser.add_argument(
        "--save-parts",
        action="store_true",
        help="also write reflectance, illumination, restored reflectance and adjusted illumination",
    )


def run(arguments: argparse.Namespace) -> int:
    """Relights the photographs and prints a table.

    Returns:
        0 when all were relit, 1 when some could not be, 2 when none could.

    Raises:
        UserError: when nothing can be done, before anything is.
    """
    check_brightness(arguments)
    parts = PARTS if arguments.save_parts else ()
    with planned(arguments, parts, format=arguments.format) as jobs:
        if not jobs:
            return 0
        return relight(
            jobs,
            load_enhancer(arguments),
            **relighting_settings(arguments),
            parts=parts,
            write_more=_write_parts if parts else None,
        )


def _write_parts(job: Job, photo: StoredPhoto, enhanced: Enhanced) -> None:
    for name in PARTS:
        pixels = np.asarray(getattr(enhanced, name))
        is_colour = pixels.shape[-1] == 3
        write_photo(
            job.beside(name),
            pixels if is_colour else pixels.repeat(3, axis=-1),
            like=photo if is_colour else None,
        )
