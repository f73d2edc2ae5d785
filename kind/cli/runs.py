"""Lists the training runs in a folder, with their progress and best metrics."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

from kind.cli.stages import STAGES
from kind.errors import UserError, one_line
from kind.training.duration import duration
from kind.training.run_folder import RunFolder, read_json, read_sessions

_RECORDED = {"stage": str, "epochs": int, "monitor": str, "higher_is_better": bool}
_ORDER = {stage: place for place, stage in enumerate(STAGES)}
_COLUMNS = ("run", "stage", "epochs", "best", "at epoch", "time", "network", "remark")


class Run(NamedTuple):
    """One run folder as a row of the table.

    Attributes:
        run: its path, relative to the folder that was asked for.
        stage: what was trained.
        epochs: how many are done of how many.
        best: the best figure with its name; None before the first validation.
        best_epoch: when it was reached.
        network: the file of the best network; None before the first validation.
        seconds: that training took, over all its processes; None of runs that do not record it.
        remark: the last one that was given with --remark.
        sessions: of each process start, command, versions and device, see `kind.training.sessions`.
    """

    run: str
    stage: str
    epochs: tuple[int, int]
    best: tuple[str, float] | None
    best_epoch: int | None
    network: str | None
    seconds: float | None = None
    remark: str = ""
    sessions: tuple[dict[str, Any], ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's flags."""
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        metavar="DIR",
        help="a run folder, or one with runs anywhere in it",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, one run a line")
    parser.add_argument(
        "--curves", type=Path, nargs="+", metavar="RUN", help="plot the curves of these runs in one figure"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("curves.png"),
        metavar="FILE",
        help="--curves: the PNG (default: %(default)s)",
    )
    parser.add_argument(
        "--skip-epochs", type=int, default=0, metavar="N", help="--curves: leave out the first N epochs"
    )
    parser.add_argument("--log", action="store_true", help="--curves: logarithmic scale")


def run(arguments: argparse.Namespace) -> int:
    """Prints the runs by stage, each with its best figure, or plots the curves of some.

    Returns:
        The exit code 0.

    Raises:
        UserError: when there is no such folder, or no run in it.
    """
    if (arguments.folder is None) == (arguments.curves is None):
        raise UserError("give a folder to list the runs in it, or --curves RUN … to plot some, not both")
    if arguments.curves:
        return _plot_curves(arguments)
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


def _plot_curves(arguments: argparse.Namespace) -> int:
    from kind.reports.names import distinct_paths
    from kind.training.curves import draw_comparison

    if arguments.out.suffix.lower() != ".png":
        raise UserError(f"--out expects a .png file, received {arguments.out}")
    if arguments.skip_epochs < 0:
        raise UserError(f"--skip-epochs expects 0 or more, received {arguments.skip_epochs}")
    records = []
    for path in arguments.curves:
        records.append(
            [one for one in RunFolder(path).read_metrics() if one["epoch"] > arguments.skip_epochs]
        )
        if not records[-1]:
            raise UserError(f"{path}: no run with a finished epoch after the first {arguments.skip_epochs}")
    names = distinct_paths(arguments.curves)
    try:
        draw_comparison(dict(zip(names, records)), arguments.out, log=arguments.log)
    except OSError as error:
        raise UserError(f"{arguments.out}: cannot be written ({error.strerror})") from error
    print(f"written: {arguments.out}")
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
    sessions = read_sessions(folder)
    lengths = [one["seconds"] for one in sessions if isinstance(one.get("seconds"), (int, float))]
    return Run(
        run=str(path.relative_to(above)),
        stage=config["stage"],
        epochs=(records[-1]["epoch"] if records else 0, config["epochs"]),
        best=(config["monitor"], best[1]) if best else None,
        best_epoch=best[0] if best else None,
        network=str(folder.best_file) if folder.best_file.is_file() else None,
        seconds=sum(lengths) if lengths else None,
        remark=next((text for one in reversed(sessions) if (text := str(one.get("remark", "")))), ""),
        sessions=tuple(sessions),
    )


def _row(found: Run) -> tuple[str, ...]:
    done, wanted = found.epochs
    return (
        one_line(found.run),
        one_line(found.stage),
        f"{done}/{wanted}",
        f"{found.best[0]} {found.best[1]:.4g}" if found.best else "-",
        str(found.best_epoch or "-"),
        "-" if found.seconds is None else duration(found.seconds),
        one_line(found.network or "-"),
        " ".join(found.remark.split()),
    )
