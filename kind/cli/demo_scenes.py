"""A detector at work, without any download: dark generated scenes, and what is found in them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kind.cli.detect import search
from kind.cli.gallery import Entry
from kind.cli.jobs import plan
from kind.constants import DEFAULT_DARKENING
from kind.images.photo import write_photo

if TYPE_CHECKING:
    from kind.enhancing.enhancer import Enhancer

_SCENES, _SIZE, _LEAST_OBJECTS = 3, 320, 3
_SEED = 3  # 1 and 2 are those of the scenes that the detector was trained and measured on


def find_in_scenes(out: Path, enhancer: Enhancer) -> list[Entry]:
    """Writes a few scenes to `inputs/` below a folder, and the detections in them to `scenes/`.

    Args:
        out: the folder.
        enhancer: makes the reflectance that the shipped detector works on.

    Returns:
        An entry of the gallery for each scene.

    Raises:
        UserError: when something cannot be written.
    """
    from kind.detection.predictor import Thresholds, load_detector

    scenes = _write_scenes(out / "inputs")
    found = out / "scenes"
    jobs = plan(scenes, found, None, also=("sheet",))
    search(jobs, load_detector(), Thresholds(size=_SIZE), enhancer, sheets=True)
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
        dark = darken(image, tf.constant([_SEED, number]), PRESETS[DEFAULT_DARKENING])
        paths.append(folder / f"scene_{number}.png")
        write_photo(paths[-1], dark.numpy())
    return paths
