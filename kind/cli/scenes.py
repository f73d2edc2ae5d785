"""Makes a data set for a detector: simple objects over photographs, dark, in YOLO's layout."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.json_lines import emit
from kind.cli.options import add_old_name, add_seed_argument
from kind.constants import DARKENING_PRESETS, DEFAULT_DARKENING
from kind.errors import UserError

if TYPE_CHECKING:
    import numpy as np

_BRIGHT = "none"
_PRESETS = (*DARKENING_PRESETS, _BRIGHT)
_LARGEST_SIZE = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "photographs",
        nargs="*",
        type=Path,
        metavar="PHOTO",
        help="photographs in normal light, or folders of them, as backgrounds (default: the built-in ones)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for images/ and labels/")
    parser.add_argument("--count", type=int, default=1000, help="number of scenes (default: 1000)")
    add_seed_argument(parser, "scene number i takes (SEED, i)")
    parser.add_argument(
        "--image-size", type=int, default=320, metavar="PIXELS", help="side of a scene (default: 320)"
    )
    add_old_name(parser, "--size", "--image-size")
    parser.add_argument(
        "--preset",
        choices=_PRESETS,
        default=DEFAULT_DARKENING,
        help=f"strength of darkness and noise; {_BRIGHT} keeps the scenes bright, for training, which "
        f"darkens them itself (default: {DEFAULT_DARKENING})",
    )


def run(arguments: argparse.Namespace) -> int:
    """Writes the scenes and prints what is in them.

    Returns:
        The exit code 0.

    Raises:
        UserError: when a number is out of range, a photograph cannot be read, or the folder cannot be
            written to.
    """
    _check_range("--count", arguments.count, 1, 1_000_000)
    _check_range("--image-size", arguments.image_size, 64, _LARGEST_SIZE)

    from kind.data.drawn_objects import CLASSES
    from kind.data.generated_scenes import write_scenes
    from kind.reports.progress import Progress

    def write_record(name: str, of_scene: np.ndarray) -> None:
        emit(
            {
                "output": str(arguments.out / "images" / f"{name}.png"),
                "labels": str(arguments.out / "labels" / f"{name}.txt"),
                "objects": dict(zip(CLASSES, map(int, of_scene))),
            }
        )

    photographs = _photographs(arguments.photographs) if arguments.photographs else None
    develop = None if arguments.preset == _BRIGHT else _darkener(arguments.preset, arguments.seed)
    with Progress("scenes") as progress:
        counts = write_scenes(
            arguments.out,
            arguments.count,
            arguments.seed,
            arguments.image_size,
            develop,
            photographs,
            progress,
            write_record,
        )
    print(f"{arguments.out}: {arguments.count} scenes, {counts.sum()} objects")
    for name, count in zip(CLASSES, counts):
        print(f"  {name:<6} {count:>7}")
    return 0


def _check_range(flag: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise UserError(f"{flag} expects a number from {low} to {high}, received {value}")


def _photographs(inputs: list[Path]) -> list[np.ndarray]:
    import numpy as np

    from kind.images.finding import find_photos
    from kind.images.photo import read_photo

    return [np.rint(read_photo(path).pixels * 255).astype(np.uint8) for path in find_photos(inputs)]


def _darkener(preset: str, seed: int) -> Callable[[np.ndarray, int], np.ndarray]:
    """Scene number i is darkened with (seed, i), as `kind darken` does with photographs."""
    import tensorflow as tf

    from kind.data.darkening import PRESETS, darken

    signature = [tf.TensorSpec([None, None, 3]), tf.TensorSpec([2], tf.int32)]
    graph = tf.function(
        lambda pixels, seeds: darken(pixels, seeds, PRESETS[preset]), input_signature=signature
    )
    return lambda pixels, index: graph(tf.constant(pixels), tf.constant([seed, index])).numpy()
