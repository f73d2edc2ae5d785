"""Dark photographs in, relit photographs out: what `enhance` and `demo` share."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.jobs import Job, add_writing_arguments, check_quality, work_through
from kind.errors import UserError
from kind.image import Photo, write_photo

if TYPE_CHECKING:
    from kind.pipeline import Enhanced


def add_relighting_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares how photographs are relit and written."""
    parser.add_argument(
        "--alpha",
        type=float,
        default=5.0,
        metavar="α",
        help="how much brighter: 1 keeps the illumination (default: 5.0)",
    )
    parser.add_argument(
        "--fusion",
        choices=("plain", "published"),
        default="plain",
        help="reflectance times illumination, or masked and blended as KinD's script does (default: plain)",
    )
    add_weights_argument(parser)
    add_writing_arguments(parser)


def add_weights_argument(parser: argparse.ArgumentParser) -> None:
    """Declares where the three networks come from."""
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="DIR",
        help="folder of STAGE.keras files or run folders (default: the weights that ship)",
    )


def check_alpha(alpha: float) -> None:
    """Refuses an --alpha that is no number from 0 on with a UserError."""
    if not (math.isfinite(alpha) and alpha >= 0):
        raise UserError(f"--alpha expects a number from 0 on, received {alpha}")


def relight(
    jobs: Sequence[Job],
    arguments: argparse.Namespace,
    then: Callable[[Job, Photo, Enhanced], None] | None = None,
) -> int:
    """Relights one photograph after another and prints a table; one that fails does not stop the rest.

    Args:
        jobs: see `kind.cli.jobs.plan`.
        arguments: parsed, see `add_relighting_arguments`.
        then: called after each photograph is written, with its pixels and the pipeline's parts.

    Returns:
        0 when all were relit, 1 when some could not be, 2 when none could.

    Raises:
        UserError: when the settings or the weights cannot be used.
    """
    check_alpha(arguments.alpha)
    check_quality(arguments)

    from kind.pipeline import Enhancer

    enhancer = Enhancer.load(arguments.weights)

    def work(job: Job, photo: Photo) -> str:
        enhanced = enhancer(photo.pixels, arguments.alpha, arguments.fusion)
        write_photo(job.target, enhanced.relit.numpy(), like=photo, quality=arguments.quality)
        if then:
            then(job, photo, enhanced)
        return f"{arguments.alpha:g}"

    return work_through(jobs, work, "α")
