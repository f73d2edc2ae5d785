"""A detector at work, without any download: dark generated scenes, and what is found in them."""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from kind.cli import detect
from kind.cli.gallery import Entry
from kind.images.photo import write_photo

_SCENES, _SIZE, _LEAST_OBJECTS = 3, 320, 3
_SEED = 3  # 1 and 2 are those of the scenes that the detector was trained and measured on


def find_in_scenes(arguments: argparse.Namespace) -> list[Entry]:
    """Writes a few scenes to `inputs/` below --out, and what is found in them to `scenes/`.

    Args:
        arguments: of `demo`: out, variant, weights and precision.

    Returns:
        What to show of them.

    Raises:
        UserError: when something cannot be written.
    """
    scenes = _write_scenes(arguments.out / "inputs")
    found = arguments.out / "scenes"
    parser = argparse.ArgumentParser()
    detect.add_arguments(parser)
    command = [
        *map(str, scenes),
        "--out",
        str(found),
        "--sheets",
        "--size",
        str(_SIZE),
        "--precision",
        arguments.precision,
        "--variant",
        arguments.variant,
    ]
    if arguments.weights:
        command += ["--weights", str(arguments.weights)]
    detect.run(parser.parse_args(command))
    note = "drawn objects over a photograph, found by the demonstration detector, which knows nothing else"
    return [
        Entry(found / scene.name, found / f"{scene.stem}_sheet.png", (_SIZE, _SIZE), note) for scene in scenes
    ]


def _write_scenes(folder: Path) -> list[Path]:
    import tensorflow as tf

    from kind.data.darkening import PRESETS, darken
    from kind.data.generated_scenes import builtin_backgrounds, generated_scene

    paths = []
    for number, photograph in enumerate(builtin_backgrounds()[1 : _SCENES + 1], start=1):
        scenes = (
            generated_scene([photograph], _SEED, index, _SIZE) for index in itertools.count(100 * number)
        )
        scene = next(scene for scene in scenes if len(scene.boxes) >= _LEAST_OBJECTS)
        image = tf.constant(scene.image.astype(np.float32) / 255.0)
        dark = darken(image, tf.constant([_SEED, number]), PRESETS["moderate"])
        paths.append(folder / f"scene_{number}.png")
        write_photo(paths[-1], dark.numpy())
    return paths
