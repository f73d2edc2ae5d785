"""Dark photographs in, relit photographs out: what `enhance` and `demo` share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kind.cli.jobs import (
    Job,
    add_workers_argument,
    add_writing_arguments,
    check_quality,
    check_workers,
    work_through,
)
from kind.cli.pipelined import Worked
from kind.cli.tile_progress import TileProgress
from kind.enhancing.precision import PRECISIONS
from kind.enhancing.variants import add_variant_argument
from kind.errors import UserError
from kind.images.photo import Photo, write_photo

if TYPE_CHECKING:
    from kind.enhancing.enhancer import Enhanced, Enhancer

#: Of the command line; from Python it is float32.
DEFAULT_PRECISION = "auto"

LARGEST_ALPHA = 1e30
"""Within float32, with room for products."""

WEIGHTS_HELP = "folder of STAGE.keras files or run folders (default: the weights that ship)"


def add_relighting_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares how photographs are relit and written."""
    add_alpha_argument(parser, "how much brighter: 1 keeps the illumination")
    parser.add_argument(
        "--fusion",
        choices=("plain", "published"),
        default="plain",
        help="reflectance times illumination, or masked and blended as KinD's script does (default: plain)",
    )
    add_weights_argument(parser)
    add_writing_arguments(parser)
    add_workers_argument(parser)


def add_weights_argument(parser: argparse.ArgumentParser, precision: str = DEFAULT_PRECISION) -> None:
    """Declares which networks, from where, and what they compute in; `load_enhancer` reads it."""
    add_variant_argument(parser)
    parser.add_argument("--weights", type=Path, metavar="DIR", help=WEIGHTS_HELP)
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=precision,
        help="what the networks compute in; bfloat16 is faster where the processor has it, and auto takes it "
        f"there (default: {precision})",
    )


def add_alpha_argument(parser: argparse.ArgumentParser, text: str) -> None:
    """Declares --alpha; None is the variant's own choice."""
    parser.add_argument(
        "--alpha",
        type=float,
        metavar="α",
        help=f"{text} (default: 5.0; with --variant lite, what the network suggests for each photograph)",
    )


def load_enhancer(arguments: argparse.Namespace) -> Enhancer:
    """The networks that the flags ask for; says on stderr when --precision auto chose bfloat16.

    Raises:
        UserError: when the weights cannot be used.
    """
    from kind.enhancing.enhancer import Enhancer

    enhancer = Enhancer.load(arguments.weights, arguments.precision, arguments.variant)
    if arguments.precision == "auto" and enhancer.precision == "bfloat16":
        text = (
            "kind: computing in bfloat16, which this processor is fast at (--precision float32 to avoid it)"
        )
        print(text, file=sys.stderr, flush=True)
    return enhancer


def check_alpha(alpha: float | None) -> None:
    """Refuses an --alpha that is no number from 0 on with a UserError."""
    if alpha is not None and not 0 <= alpha <= LARGEST_ALPHA:
        raise UserError(f"--alpha expects a number from 0 on, received {alpha}")


def relight(
    jobs: Sequence[Job],
    arguments: argparse.Namespace,
    parts: Collection[str] = (),
    write_more: Callable[[Job, Photo, Enhanced], None] | None = None,
    then: Callable[[Job, Photo, str], None] | None = None,
) -> int:
    """Relights one photograph after another and prints a table; one that fails does not stop the rest.

    Args:
        jobs: see `kind.cli.jobs.plan`.
        arguments: parsed, see `add_relighting_arguments`.
        parts: names of what is wanted of the pipeline beside the relit photograph.
        write_more: called with each photograph and these parts once it is written, in another thread.
        then: called with each photograph and its α when all of it is written, in the order of `jobs`.

    Returns:
        0 when all were relit, 1 when some could not be, 2 when none could.

    Raises:
        UserError: when the settings or the weights cannot be used.
    """
    check_alpha(arguments.alpha)
    check_quality(arguments)
    check_workers(arguments)
    work = relighting(load_enhancer(arguments), arguments, parts, write_more, then)
    return work_through(jobs, work, "α", arguments.workers)


def relighting(
    enhancer: Enhancer,
    arguments: argparse.Namespace,
    parts: Collection[str] = (),
    write_more: Callable[[Job, Photo, Enhanced], None] | None = None,
    then: Callable[[Job, Photo, str], None] | None = None,
) -> Callable[[Job, Photo], Worked]:
    """What `relight` does with each photograph; the arguments are those of `relight`."""

    def work(job: Job, photo: Photo) -> Worked:
        with TileProgress(job.source.name) as progress:
            enhanced = enhancer(
                photo.pixels, arguments.alpha, arguments.fusion, parts={"relit", *parts}, progress=progress
            )

        def write() -> None:
            # `numpy()` would copy what may be a large image.
            write_photo(job.target, np.asarray(enhanced.relit), like=photo, quality=arguments.quality)
            if write_more:
                write_more(job, photo, enhanced)

        alpha = f"{float(enhanced.alpha):.3g}"
        return Worked(alpha, write, (lambda: then(job, photo, alpha)) if then else None)

    return work
