"""Draws the edges of photographs that do not depend on the illumination, in red and blue.

The map is that of the colour-invariant convolution (CIConv): the logarithm of an invariant, with mean 0 and
variance 1 in each photograph. Edges above the mean are red, what lies below it is blue, the mean is white.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from kind.cli.batch import add_batch_arguments, carry_out
from kind.cli.jobs import Job, work_through
from kind.cli.options import Checked, add_format_argument
from kind.cli.pipelined import Worked
from kind.images.photo import Photo, write_photo

_INVARIANTS = {
    "E": "edges of the intensity",
    "W": "edges that do not depend on the intensity of the light",
    "C": "edges that do not depend on intensity and shading",
    "N": "edges that do not depend on intensity, shading and the light's colour",
    "H": "edges that do not depend on intensity, shading and highlights",
}
_LARGEST_SCALE = 2.5
# The dark ends of ColorBrewer's RdBu, sRGB.
_BLUE, _RED = (0.020, 0.188, 0.380), (0.404, 0.0, 0.122)
_MIDDLE_BLUE, _MIDDLE_RED = (0.263, 0.576, 0.765), (0.839, 0.376, 0.302)
_NODES = np.array([_BLUE, _MIDDLE_BLUE, (1.0, 1.0, 1.0), _MIDDLE_RED, _RED], np.float32)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_batch_arguments(parser, ending="-edges", stdout=True)
    parser.add_argument(
        "--invariant",
        choices=tuple(_INVARIANTS),
        default="W",
        help="; ".join(f"{name}: {text}" for name, text in _INVARIANTS.items())
        + " (default: %(default)s, what detectors get with --input ciconv)",
    )
    parser.add_argument(
        "--scale",
        action=Checked,
        type=float,
        accepts=lambda scale: abs(scale) <= _LARGEST_SCALE,
        expected=f"a number from -{_LARGEST_SCALE} to {_LARGEST_SCALE}",
        default=0.0,
        help="edges are found at σ = 2^SCALE pixels, SCALE from -2.5 to 2.5 (default: %(default)s)",
    )
    parser.add_argument(
        "--limit",
        action=Checked,
        type=float,
        accepts=lambda limit: math.isfinite(limit) and limit > 0,
        expected="a number above 0",
        default=3.0,
        metavar="DEVIATIONS",
        help="colour-scale limit, in standard deviations (default: %(default)s)",
    )
    add_format_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Draws the edges and prints a table.

    Returns:
        0 when all were drawn, 1 when some could not be, 2 when none could.

    Raises:
        UserError: when nothing can be done, before anything is.
    """
    return carry_out(arguments, partial(_draw, arguments), format=arguments.format)


def _draw(arguments: argparse.Namespace, jobs: Sequence[Job]) -> int:
    from kind.ops.colour_invariants import invariant_edges

    def work(job: Job, photo: Photo) -> Worked:
        edges = invariant_edges(
            photo.pixels[None], arguments.invariant, arguments.scale, repeat_border=True
        ).numpy()[0, ..., 0]
        strong = float((edges > 1.0).mean())
        drawn = red_and_blue(edges, arguments.limit)
        like = replace(photo, gray=False, alpha=None)
        return Worked(f"{strong:.1%}", partial(write_photo, job.target, drawn, like=like), lambda: None)

    return work_through(jobs, work, "edges")


def red_and_blue(values: np.ndarray, limit: float) -> np.ndarray:
    """Signed values in a symmetric scale: blue below 0, white at 0, red above.

    Args:
        values: float [H, W].
        limit: from which on, on either side, the colour is the darkest.

    Returns:
        float32 [H, W, 3], sRGB in [0, 1].
    """
    places = np.linspace(-limit, limit, len(_NODES))
    return np.stack([np.interp(values, places, channel) for channel in _NODES.T], axis=-1).astype(np.float32)
