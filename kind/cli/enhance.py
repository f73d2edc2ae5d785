"""Relights dark photographs and videos: takes any number of files and folders, writes a file for each."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import numpy as np

from kind.cli.batch import STDOUT, add_batch_arguments, planned
from kind.cli.enhancer_options import load_enhancer
from kind.cli.jobs import Job
from kind.cli.options import check_brightness
from kind.cli.relighting import add_relighting_arguments, relight, relighting_settings
from kind.cli.relit_videos import PREVIEW, add_preview_argument, relight_videos
from kind.cli.videos import joint_code, split_moving
from kind.enhancing.precision import INT8
from kind.errors import UserError
from kind.images.photo import StoredPhoto, write_photo

if TYPE_CHECKING:
    from kind.enhancing.enhancer import Enhanced

#: Parts that `--save-parts` writes beside the image, as `kind.enhancing.enhanced.Enhanced` names them.
PARTS = ("reflectance", "illumination", "restored", "adjusted")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_batch_arguments(parser, stdout=True, videos=True)
    add_relighting_arguments(parser, int8=True)
    parser.add_argument(
        "--save-parts",
        action="store_true",
        help="also write reflectance, illumination, restored reflectance and adjusted illumination",
    )
    add_preview_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Relights the photographs and videos and prints a table.

    Returns:
        0 when all were relit, 1 when some could not be, 2 when none could.

    Raises:
        UserError: when nothing can be done, before anything is.
    """
    check_brightness(arguments)
    parts = PARTS if arguments.save_parts else ()
    if arguments.preview and arguments.out == STDOUT:
        raise UserError("--preview: --out - takes a photograph; give --out a folder")
    change = _previews if arguments.preview else list
    with planned(arguments, parts, format=arguments.format, change=change) as jobs:
        photographs, videos = split_moving(jobs)
        if parts and videos:
            raise UserError(f"{videos[0].source}: is no photograph: leave --save-parts out")
        _check_int8(arguments)
        enhancer = load_enhancer(arguments, relit_alone=not parts) if jobs else None
        codes = []
        if photographs:
            settings = relighting_settings(arguments)
            write_more = _write_parts if parts else None
            codes.append(relight(photographs, enhancer, **settings, parts=parts, write_more=write_more))
        if videos:
            codes.append(relight_videos(videos, enhancer, arguments, arguments.preview))
        return joint_code(codes or [0])


def _check_int8(arguments: argparse.Namespace) -> None:
    """Refuses what int8 cannot do, before a file is read."""
    if arguments.precision == INT8 and (arguments.save_parts or arguments.fusion != "plain"):
        other = "--save-parts" if arguments.save_parts else f"--fusion {arguments.fusion}"
        raise UserError(f"--precision int8 computes the relit image alone: leave {other} or --precision out")


def _previews(jobs: list[Job]) -> list[Job]:
    """The videos alone, each with a picture for its target."""
    photographs, videos = split_moving(jobs)
    if not videos:
        raise UserError("--preview: is for videos: there is none among the inputs")
    if photographs:
        print(f"kind: --preview: {len(photographs)} photographs are left out", file=sys.stderr, flush=True)
    return [job._replace(target=job.beside(PREVIEW)) for job in videos]


def _write_parts(job: Job, photo: StoredPhoto, enhanced: Enhanced) -> None:
    for name in PARTS:
        pixels = np.asarray(getattr(enhanced, name))
        is_colour = pixels.shape[-1] == 3
        write_photo(
            job.beside(name),
            pixels if is_colour else pixels.repeat(3, axis=-1),
            like=photo if is_colour else None,
        )
