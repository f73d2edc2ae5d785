"""Compares two photographs on a server: `kind remote changes`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np

from kind.cli.change_files import alignment_of, check_places, compare
from kind.images.photo import encode_photo, read_photo
from kind.serving.answers import pixels_of

if TYPE_CHECKING:
    from kind.serving.client import Client


def compare_remotely(arguments: argparse.Namespace, client: Client) -> int:
    """Registers here, compares on the server, and writes what `kind changes` writes.

    Returns:
        0.

    Raises:
        UserError: when a photograph cannot be read, the two cannot be registered, or the server refuses.
    """
    check_places(arguments)
    dates = [read_photo(path).pixels for path in (arguments.before, arguments.after)]
    alignment = alignment_of(arguments, dates)
    first = encode_photo(dates[0], "png")

    def find(moved: np.ndarray) -> np.ndarray:
        changes = client.detect_changes(first, encode_photo(moved, "png"))
        return pixels_of(changes.probability, dates[0].shape[:2])[..., 0]

    compare(arguments, dates, alignment, dates[1], find, {"server": arguments.server})
    return 0
