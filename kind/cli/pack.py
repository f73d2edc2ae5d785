"""Packs trained networks into one small folder that --weights takes, in half precision on disk."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kind.errors import UserError

if TYPE_CHECKING:
    from tensorflow import keras

_STAGES = ("decom", "restoration", "illumination", "lite", "detector")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    for stage in _STAGES:
        parser.add_argument(
            f"--{stage}",
            type=Path,
            metavar="RUN",
            help=f"run folder (its best.keras) or .keras file of {stage}",
        )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for STAGE.keras files")


def run(arguments: argparse.Namespace) -> int:
    """Writes the given stages' networks and prints what each takes.

    Returns:
        The exit code 0.

    Raises:
        UserError: when nothing is given, a network cannot be read, or the folder cannot be written to.
    """
    given = {stage: getattr(arguments, stage) for stage in _STAGES if getattr(arguments, stage)}
    if not given:
        raise UserError(f"pack expects at least one of {', '.join(f'--{stage}' for stage in _STAGES)}")

    from kind.nn.saving import save_net

    nets = {stage: _read(stage, path) for stage, path in given.items()}
    total = 0
    for stage, net in nets.items():
        path = arguments.out / f"{stage}.keras"
        try:
            save_net(net, path, half_precision=True)
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error
        size = path.stat().st_size
        total += size
        print(f"{path}: {net.name}, {net.count_params():,} parameters, {size / 1e6:.2f} MB")
    print(f"{total / 1e6:.2f} MB in all")
    return 0


def _read(stage: str, path: Path) -> keras.Model:
    if stage == "detector":
        from kind.detection.predictor import load_detector

        return load_detector(path)
    from kind.nn.saving import load_net
    from kind.training.run_folder import best_weights

    return load_net(best_weights(path), stage)
