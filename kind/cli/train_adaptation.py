"""The flags of `kind train adapt` besides its settings."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.annotation_options import add_layout_arguments, annotations_of
from kind.cli.detector_options import add_start_argument
from kind.detection.adaptation.config import AdaptationConfig

if TYPE_CHECKING:
    from kind.data.sources import Progress
    from kind.training.loop import Building, Prepared


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags that say what is trained on what."""
    add_layout_arguments(parser)
    add_start_argument(parser)
    parser.add_argument(
        "--decom",
        type=Path,
        metavar="FILE",
        help="--reference retinex: decomposition that the reference comes from, a .keras file or run folder "
        "(default: the shipped one)",
    )


def prepare(
    flags: argparse.Namespace,
    config: AdaptationConfig,
    *,
    data: Path | None,
    quick: bool,
    cache: Path,
    replicas: int,
    progress: Progress | None = None,
    built: Building | None = None,
) -> Prepared:
    """Reads the data set and the networks; see `kind.detection.adaptation.command.prepare`."""
    from kind.detection.adaptation.command import prepare

    return prepare(
        config,
        None if quick else partial(annotations_of, flags),
        cache,
        detector=flags.detector,
        decom=flags.decom,
        replicas=replicas,
        progress=progress,
        built=built,
    )
