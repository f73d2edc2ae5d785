"""A detector fine-tuned for each input that `benchmarks.detection_inputs` compares."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kind.data.annotations.annotated import AnnotatedImage
    from kind.detection.command import Parts
    from kind.detection.config import DetectionConfig
    from kind.detection.model import Detector


class Arm(NamedTuple):
    """One thing to compare: its name, the kind of the detector's input, and whether of dark twins."""

    name: str
    kind: str
    is_dark: bool = True


ARMS = (
    Arm("dark", "raw"),
    Arm("stretched", "stretched"),
    Arm("relit", "relit"),
    Arm("reflectance", "reflectance"),
    Arm("normal", "raw", is_dark=False),
)
"""The first is what the others are compared with."""


def fine_tune_all(
    flags: argparse.Namespace,
    arms: Sequence[Arm],
    parts: Parts,
    training: Sequence[AnnotatedImage],
    testing: Sequence[AnnotatedImage],
) -> dict[str, Detector]:
    """The detector fine-tuned for each arm, by the arm's name."""
    from kind.detection.command import making_of
    from kind.detection.inputs import needs_enhancer
    from kind.detection.predictor import load_detector
    from kind.detection.sources import make_sources

    configs = {arm.name: _config(flags, arm) for arm in arms}
    making = making_of(configs["dark"], parts.enhancer)
    kinds = [arm.kind for arm in arms if arm.is_dark]
    cache = flags.cache or flags.out / "cache"
    for images, twins in ((training, making.twins), (testing, 1)):
        # All kinds now: the networks run once for all of them.
        make_sources(images, kinds, making._replace(twins=twins), cache, _show_progress)
    trained = {}
    for arm in arms:
        print(f"fine-tuning for {arm.name}", file=sys.stderr)
        own = parts if needs_enhancer(arm.kind) else parts._replace(enhancer=None)
        run = _fine_tune(flags.out / "runs" / arm.name, configs[arm.name], own, (training, testing), cache)
        trained[arm.name] = load_detector(run)
    return trained


def _config(flags: argparse.Namespace, arm: Arm) -> DetectionConfig:
    from kind.detection.config import DetectionConfig

    return DetectionConfig(
        input=arm.kind,
        darken=flags.darken if arm.is_dark else "none",
        twins=flags.twins,
        alpha=flags.alpha,
        seed=flags.seed,
        epochs=flags.epochs,
        validate_epochs=flags.epochs,
        batch=flags.batch,
        image_size=flags.size,
        optimizer="adamw",
        learning_rate=flags.learning_rate,
        warmup_epochs=1,
        freeze_epochs=flags.freeze_epochs,
        average_decay=0.99,
        mosaic=flags.mosaic,
        freeze=tuple(flags.freeze),
        plain_epochs=flags.epochs // 4,
        scale=0.25,
    )


def _fine_tune(
    path: Path,
    config: DetectionConfig,
    parts: Parts,
    images: tuple[Sequence[AnnotatedImage], Sequence[AnnotatedImage]],
    cache: Path,
) -> Path:
    """Trains, or goes on where it was stopped.

    Returns:
        The last network. Not the best one: the test images would have chosen it.
    """
    import tensorflow as tf

    from kind.detection.command import identity, prepared
    from kind.training.loop import train
    from kind.training.run_folder import RunFolder, describe

    tf.keras.utils.set_random_seed(config.seed)
    run, folder = prepared(parts, config, *images, cache, progress=_show_progress), RunFolder(path)
    with folder.opened(describe("detection", config, **identity(parts)), run.data):
        done = [record["epoch"] for record in folder.read_metrics()][-1:]
        if done != [config.epochs] or not folder.last_file.is_file():
            train(run.make_stage, run.datasets, folder)
    return folder.last_file


def _show_progress(what: str, done: int, total: int) -> None:
    if done == total or done % 20 == 0:
        print(f"{what}: {done} of {total}", file=sys.stderr, flush=True)
