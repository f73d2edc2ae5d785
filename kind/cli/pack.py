"""Packs trained networks into one folder for --weights, stored in half precision."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

from kind.cli.stages import STAGES
from kind.errors import UserError
from kind.files import remove_leftovers
from kind.training.run_folder import TRAINING_FILE, read_training_json, training_record, write_json

_PACKED = {
    stem: entry
    for entry in STAGES.values()
    if entry.packed
    for stem in (entry.packed, *getattr(entry, "others", ()))
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    for stage in _PACKED:
        parser.add_argument(
            f"--{stage}",
            type=Path,
            dest=stage,
            metavar="RUN",
            help=f"trained network of {stage}: a run folder (its best.keras) or a .keras file",
        )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="output folder for the .keras files"
    )


def run(arguments: argparse.Namespace) -> int:
    """Writes the given stages' networks and prints what each takes.

    Returns:
        The exit code 0.

    Raises:
        UserError: when nothing is given, a network cannot be read, or the folder cannot be written to.
    """
    given = {stage: getattr(arguments, stage) for stage in _PACKED if getattr(arguments, stage)}
    if not given:
        raise UserError(f"pack expects at least one of {', '.join(f'--{stage}' for stage in _PACKED)}")

    from kind.nn.saving import save_net

    nets = {stage: _PACKED[stage].read(path) for stage, path in given.items()}
    for stage, net in nets.items():
        if getattr(_PACKED[stage], "others", ()) and net.name != stage:
            raise UserError(f"{given[stage]}: holds {net.name!r}; give it as --{net.name}")
    records = {stage: training_record(path) for stage, path in given.items()}
    kept = read_training_json(arguments.out)
    remove_leftovers(arguments.out)
    total = 0
    for stage, net in nets.items():
        path = arguments.out / f"{stage}.keras"
        with _writing(path):
            save_net(net, path, half_precision=True)
        size = path.stat().st_size
        total += size
        print(f"{path}: {net.name}, {net.count_params():,} parameters, {size / 1e6:.2f} MB")
    with _writing(arguments.out / TRAINING_FILE):
        write_json(arguments.out / TRAINING_FILE, {**kept, **records})
    print(f"{total / 1e6:.2f} MB in all")
    return 0


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turns a failure to write into one line."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error
