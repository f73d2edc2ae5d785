"""Cuts a data set of change detection into tiles: A/, B/ and label/, as of LEVIR-CD and WHU-CD."""

from __future__ import annotations

import argparse
from pathlib import Path

from kind.cli.options import add_old_name
from kind.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "data", type=Path, metavar="DIR", help="folder with A/, B/ and label/, or train/, val/ and test/"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the tiles")
    parser.add_argument(
        "--image-size",
        type=int,
        default=256,
        metavar="PIXELS",
        help="side of the tiles (default: %(default)s)",
    )
    add_old_name(parser, "--side", "--image-size")


def run(arguments: argparse.Namespace) -> int:
    """Cuts the tiles and says how many there are.

    Returns:
        0.

    Raises:
        UserError: when the data set is broken or smaller than a tile, or a file cannot be written.
    """
    if arguments.image_size < 1:
        raise UserError(f"--image-size expects at least 1, received {arguments.image_size}")
    if arguments.out.resolve() == arguments.data.resolve():
        raise UserError(f"{arguments.out}: is the data set itself; give --out another folder")
    from kind.detection.change.tiling import cut
    from kind.reports.progress import Progress

    with Progress("triplets") as progress:
        counts = cut(arguments.data, arguments.out, arguments.image_size, progress)
    print(f"{arguments.out}: tiles: {', '.join(f'{count} {part}' for part, count in counts.items())}")
    return 0
