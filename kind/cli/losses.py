"""Lists the losses that `--loss` takes, shows what one penalises, and writes their document."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kind.errors import UserError

if TYPE_CHECKING:
    from kind.cli.loss_pictures import Shown

_SIDE = 192  # pixels, of the photograph that is shown: five scales of MS-SSIM fit
_COLUMN = 150


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands; without one, the losses are listed."""
    commands = parser.add_subparsers(dest="what", metavar="COMMAND")
    text = "Draws a loss and its gradient on eight degradations of a photograph"
    show = commands.add_parser("show", help=text, description=text)
    show.add_argument("name", metavar="NAME", help="a loss of the list")
    show.add_argument("--out", type=Path, required=True, metavar="DIR", help="output folder")
    show.add_argument(
        "--image", type=Path, metavar="FILE", help="reference photograph (default: a built-in one)"
    )
    show.add_argument(
        "--features",
        metavar="FILE[:LAYER]",
        help="for losses of features: VGG weights (.h5) or a network (.keras; default: a detector)",
    )
    text = "Writes the catalogue as a Markdown document, with pictures in a folder of its name beside it"
    markdown = commands.add_parser("markdown", help=text, description=text)
    markdown.add_argument("--out", type=Path, required=True, metavar="FILE", help="output file")
    markdown.add_argument(
        "--measured",
        type=Path,
        metavar="FILE",
        help="Markdown that ends the document, as of benchmarks.losses (default: what the document ends in)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Lists, shows or writes.

    Returns:
        The exit code 0.

    Raises:
        UserError: on an unknown name, a loss that takes no images, or files that cannot be read or written.
    """
    if arguments.what == "show":
        _show(arguments)
    elif arguments.what == "markdown":
        _write_document(arguments.out, arguments.measured)
    else:
        from kind.losses.catalogue import CATALOGUE

        width = max(map(len, CATALOGUE))
        for name, entry in CATALOGUE.items():
            print(f"{name:{width}}  {entry.summary}")
    return 0


def _write_document(out: Path, measured: Path | None) -> None:
    from kind.cli.loss_document import document, measured_in
    from kind.cli.loss_gallery import draw_pictures
    from kind.reports.writing import write_text

    try:
        ending = measured.read_text(encoding="utf-8") if measured else measured_in(out)
    except (OSError, UnicodeError) as error:
        raise UserError(f"{measured or out}: cannot be read ({error})") from error
    write_text(out, document(draw_pictures(out.with_suffix("")), out.stem, ending))


def _show(arguments: argparse.Namespace) -> None:
    import numpy as np
    import tensorflow as tf

    from kind.cli.loss_pictures import shown, takes_images
    from kind.cli.loss_subjects import network_for, reference_photograph
    from kind.images.contact_sheet import contact_sheet
    from kind.images.photo import write_photo
    from kind.losses import catalogue

    entry = catalogue.CATALOGUE.get(arguments.name)
    if entry is None:
        raise UserError(f"{arguments.name}: no such loss; `kind losses` lists them")
    if not takes_images(entry):
        raise UserError(f"{arguments.name}: takes {entry.inputs}, no images; there is nothing to show")
    network = network_for(entry, arguments.features)
    image = tf.constant(reference_photograph(arguments.image, _SIDE)[np.newaxis], tf.float32)
    same, found = shown(entry, image, features=network, reflectance_of=network)
    target = arguments.out / f"{arguments.name}.png"
    rows, titles = _picture(found)
    write_photo(target, contact_sheet(rows, titles, _COLUMN))
    print(_table(arguments.name, same, found))
    print(f"\nwritten to {target}: each degradation, slight to strong, above its gradient")


def _picture(found: list[Shown]):
    """Rows of pictures and of gradients, one column for each degradation."""
    from kind.cli.loss_pictures import DEGRADATIONS, red_blue

    grades = range(len(found) // len(DEGRADATIONS))
    rows = []
    for grade in grades:
        of_grade = found[grade :: len(grades)]
        rows += [[one.image for one in of_grade], [red_blue(one.gradient) for one in of_grade]]
    return rows, list(DEGRADATIONS)


def _table(name: str, same: float, found: list[Shown]) -> str:
    from kind.cli.loss_pictures import DEGRADATIONS
    from kind.reports.table import Table, text_table

    lines = [["none", "", f"{same:.4g}"]]
    lines += [
        [one.degradation, f"{one.strength:g} {DEGRADATIONS[one.degradation][2]}", f"{one.loss:.4g}"]
        for one in found
    ]
    return text_table(Table(("degradation", "strength", name), lines, {0, 1}))
