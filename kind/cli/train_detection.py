"""The detector's flags of `kind train detection` besides its settings."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.annotation_options import add_layout_arguments, annotations_of
from kind.cli.detector_options import add_start_argument
from kind.cli.enhancer_options import add_frozen_enhancer_arguments
from kind.detection.config import DetectionConfig

if TYPE_CHECKING:
    from kind.data.sources import Progress
    from kind.training.loop import Building, Prepared


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags that say what is trained on what."""
    add_layout_arguments(parser)
    add_start_argument(parser)
    add_frozen_enhancer_arguments(parser)
    parser.add_argument(
        "--teacher", type=Path, metavar="FILE", help="teacher detector for distillation; its classes are kept"
    )


def prepare(
    flags: argparse.Namespace,
    config: DetectionConfig,
    *,
    data: Path | None,
    quick: bool,
    cache: Path,
    replicas: int,
    progress: Progress | None = None,
    built: Building | None = None,
) -> Prepared:
    """Reads the data set and the networks that the flags name; see `kind.detection.command.prepare`."""
    from kind.detection.command import prepare

    return prepare(
        config,
        None if quick else partial(annotations_of, flags),
        cache,
        detector=flags.detector,
        teacher=flags.teacher,
        enhancer=flags.enhancer,
        variant=flags.variant,
        replicas=replicas,
        progress=progress,
        built=built,
    )
