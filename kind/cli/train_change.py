"""The flags of `kind train change` besides its settings."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.enhancer_options import add_frozen_enhancer_arguments
from kind.detection.change.config import ChangeConfig

if TYPE_CHECKING:
    from kind.data.sources import Progress
    from kind.training.loop import Building, Prepared


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags that say what is trained on what."""
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        metavar="DIR",
        help="one folder with A/, B/ and label/ (LEVIR-CD, WHU-CD; in train/ and val/, or with list/), or "
        "folders of photographs to make pairs of",
    )
    add_frozen_enhancer_arguments(parser)


def prepare(
    flags: argparse.Namespace,
    config: ChangeConfig,
    *,
    data: Sequence[str] | None,
    quick: bool,
    cache: Path,
    replicas: int,
    progress: Progress | None = None,
    built: Building | None = None,
) -> Prepared:
    """Reads the data set and the networks; see `kind.detection.change.command.prepare`."""
    from kind.detection.change.command import prepare

    return prepare(
        config,
        None if quick else data,
        cache,
        enhancer=flags.enhancer,
        variant=flags.variant,
        replicas=replicas,
        progress=progress,
        built=built,
    )
