"""Finds what has changed between two photographs of one place, whatever the light.

The second photograph is registered to the first. Written are both with the outlines of the changed regions, a
mask of the first one's size, the regions as polygons and a summary.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from kind.cli.change_files import add_comparison_arguments, alignment_of, check_places, compare
from kind.cli.enhancer_options import add_enhancer_arguments, load_enhancer
from kind.cli.options import add_old_name
from kind.detection.inputs import INPUTS, needs_enhancer
from kind.images.photo import read_photo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_comparison_arguments(parser)
    parser.add_argument(
        "--detector",
        type=Path,
        metavar="FILE",
        help=".keras file or run folder of `kind train change` (default: the network that ships)",
    )
    add_old_name(parser, "--network", "--detector")
    parser.add_argument(
        "--input",
        choices=tuple(INPUTS),
        help="what is compared (default: what the network was trained on, as its record says)",
    )
    add_enhancer_arguments(parser, precision="float32")


def run(arguments: argparse.Namespace) -> int:
    """Finds the changes, writes the files and prints a summary.

    Returns:
        0.

    Raises:
        UserError: when a photograph cannot be read, or the two cannot be registered.
    """
    from kind.detection.change.predictor import ChangePredictor, input_of, load_change_net

    check_places(arguments)
    dates = [read_photo(path).pixels for path in (arguments.before, arguments.after)]
    kind = arguments.input or input_of(arguments.detector)
    net = load_change_net(arguments.detector)
    find = ChangePredictor(net, kind, load_enhancer(arguments) if needs_enhancer(kind) else None)
    seen = [find.seen(date) for date in dates]
    alignment = alignment_of(arguments, seen)
    compare(arguments, dates, alignment, seen[1], partial(find.compare, seen[0]), {"input": kind})
    return 0
