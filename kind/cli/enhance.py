"""Relights dark photographs: takes any number of files and folders, and writes one image for each."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kind.cli.jobs import Job, plan
from kind.cli.options import add_inputs_argument, check_brightness, load_enhancer
from kind.cli.relighting import add_relighting_arguments, relight
from kind.images.photo import StoredPhoto, write_photo

if TYPE_CHECKING:
    from kind.enhancing.enhancer import Enhanced

#: Parts that `--save-parts` writes beside the image, as `kind.enhancing.enhanced.Enhanced` names them.
PARTS = ("reflectance", "illumination", "restored", "adjusted")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_inputs_argument(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="output folder; for a single photograph also a file, whose suffix sets the format",
    )
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
    jobs = plan(arguments.inputs, arguments.out, arguments.format, also=parts)
    return relight(
        jobs,
        load_enhancer(arguments),
        alpha=arguments.alpha,
        brightness=arguments.brightness,
        fusion=arguments.fusion,
        strength=arguments.strength,
        quality=arguments.quality,
        workers=arguments.workers,
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
