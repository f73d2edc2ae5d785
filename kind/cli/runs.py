"""`python -m kind runs DIR`: what was trained there, how far it came and how good it is."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

from kind.cli.stages import STAGES
from kind.errors import UserError
from kind.training.run_folder import RunFolder, read_json

_RECORDED = {"stage": str, "epochs": int, "monitor": str, "higher_is_better": bool}
_ORDER = {stage: place for place, stage in enumerate(STAGES)}
_COLUMNS = ("run", "stage", "epochs", "best", "at epoch", "network")


class Run(NamedTuple):
    """One run folder as a row of the table.

    Attributes:
        run: its path, relative to the folder that was asked for.
        stage: what was trained.
        epochs: how many are done of how many.
        best: the best figure with its name; None before the first validation.
        best_epoch: when it was reached.
        network: the file of the best network; None before the first validation.
    """

    run: str
    stage: str
    epochs: tuple[int, int]
    best: tuple[str, float] | None
    best_epoch: int | None
    network: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's flags."""
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="a run folder, or one with runs anywhere in it"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, one run a line")


def run(arguments: argparse.Namespace) -> int:
    """Prints the runs by stage, each with its best figure.

    Returns:
        The exit code 0.

    Raises:
        UserError: when there is no such folder, or no run in it.
    """
    runs = find_runs(arguments.folder)
    if arguments.json:
        for found in runs:
            print(json.dumps(found._asdict()))
        return 0
    rows = [_COLUMNS, *map(_row, runs)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    return 0


def find_runs(folder: Path) -> list[Run]:
    """Reads every run folder in a folder, itself included.

    Args:
        folder: where to look, at any depth.

    Returns:
        The runs by stage, in the order of `STAGES`, and by path; stages that are not known come last.

    Raises:
        UserError: when there is no such folder, no run in it, or one cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; expected one with run folders in it")
    configs = [path for path in sorted(folder.rglob("config.json")) if (path.parent / "data.json").is_file()]
    if not configs:
        raise UserError(f"{folder}: no run folder in it (they hold config.json and data.json)")
    runs = (_read(path.parent, folder) for path in configs)
    return sorted(runs, key=lambda found: (_ORDER.get(found.stage, len(STAGES)), found.stage, found.run))


def _read(path: Path, above: Path) -> Run:
    folder = RunFolder(path)
    config: dict[str, Any] = read_json(folder.config_file)
    if missing := [name for name, form in _RECORDED.items() if not isinstance(config.get(name), form)]:
        raise UserError(f"{folder.config_file}: not a run's: it does not say {', '.join(missing)}")
    records = folder.read_metrics(strict=True)
    best = folder.best(config["monitor"], config["higher_is_better"])
    return Run(
        run=str(path.relative_to(above)),
        stage=config["stage"],
        epochs=(records[-1]["epoch"] if records else 0, config["epochs"]),
        best=(config["monitor"], best[1]) if best else None,
        best_epoch=best[0] if best else None,
        network=str(folder.best_file) if folder.best_file.is_file() else None,
    )


def _row(found: Run) -> tuple[str, ...]:
    done, wanted = found.epochs
    return (
        found.run,
        found.stage,
        f"{done}/{wanted}",
        f"{found.best[0]} {found.best[1]:.4g}" if found.best else "-",
        str(found.best_epoch or "-"),
        found.network or "-",
    )
