"""Fits NIQE's pristine model to clean photographs, and writes it as .npz."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kind.cli.json_lines import emit
from kind.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "photos", type=Path, nargs="+", metavar="INPUT", help="clean photographs, or folders of them"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="file of the model, ends in .npz"
    )
    parser.add_argument("--name", help="name of the model in reports (default: the folder's name)")


def run(arguments: argparse.Namespace) -> int:
    """Fits the model and writes it.

    Returns:
        0, or 1 when some photographs could not be used.

    Raises:
        UserError: when there are too few sharp blocks, or the file cannot be written.
    """
    from kind.evaluation.niqe_fitting import fit_to_photographs
    from kind.evaluation.scoring import DIGITS
    from kind.images.finding import find_photos
    from kind.metrics.niqe_model import save_niqe_model

    if arguments.out.suffix != ".npz":
        raise UserError(f"{arguments.out}: a NIQE model is written as .npz")
    source = arguments.name or ", ".join(path.resolve().name for path in arguments.photos)
    model, left_out = fit_to_photographs(find_photos(arguments.photos), source)
    save_niqe_model(arguments.out, model)
    for reason in left_out:
        print(f"{arguments.program}: left out: {reason}", file=sys.stderr)
    emit({"output": str(arguments.out), "name": model.name, "digest": model.digest[:DIGITS]})
    print(f"{arguments.out}: NIQE model of {model.name}, digest {model.digest[:DIGITS]}")
    return 1 if left_out else 0
