"""A detector at work, without any download: what is found in the built-in dark photographs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from kind.cli import detect
from kind.cli.gallery import Entry
from kind.images.photo import read_photo

FOLDER = "found"


def find_objects(arguments: argparse.Namespace, photographs: Sequence[Path]) -> list[Entry]:
    """Finds objects in photographs, and writes them with their boxes to `found/` below --out.

    Args:
        arguments: of `demo`: out, variant, weights and precision.
        photographs: the files, dark.

    Returns:
        What to show of them.

    Raises:
        UserError: when something cannot be read or written.
    """
    found = arguments.out / FOLDER
    parser = argparse.ArgumentParser()
    detect.add_arguments(parser)
    command = [
        *map(str, photographs),
        "--out",
        str(found),
        "--sheets",
        "--precision",
        arguments.precision,
        "--variant",
        arguments.variant,
    ]
    if arguments.weights:
        command += ["--weights", str(arguments.weights)]
    detect.run(parser.parse_args(command))
    note = "objects that the detector finds in the restored reflectance"
    return [
        Entry(
            found / photograph.name,
            found / f"{photograph.stem}_sheet.png",
            read_photo(photograph).pixels.shape[:2],
            note,
        )
        for photograph in photographs
    ]
