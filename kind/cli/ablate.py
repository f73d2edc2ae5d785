"""Trains a grid of settings and seeds, run by run, and compares the rows; the same command resumes."""

from __future__ import annotations

import argparse
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from kind.cli.ablation_grid import Grid, read_grid, row_name
from kind.cli.markdown_option import add_markdown_argument
from kind.cli.options import add_cache_argument
from kind.errors import UserError

_TERMINATED = 128 + signal.SIGTERM
_STOPPED = (130, _TERMINATED, -signal.SIGINT, -signal.SIGTERM)
_FINISHED = "finished.json"

Train = Callable[[Sequence[str]], int]
"""Runs `kind train` with these words, and returns its exit code."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "grid", type=Path, metavar="GRID.toml", help="stage, data, settings, switches and seeds"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the runs and the tables"
    )
    parser.add_argument("--list", action="store_true", help="print the commands of all runs and train none")
    add_cache_argument(parser)
    add_markdown_argument(parser, "ablation")


def run(arguments: argparse.Namespace) -> int:
    """Trains what is not finished yet, prints the table and writes it.

    Returns:
        0; 130 or 143 when it was stopped: the same command goes on.

    Raises:
        UserError: when the grid or a run cannot be used.
    """
    grid = read_grid(arguments.grid)
    if arguments.markdown:
        arguments.markdown.check()
    if arguments.list:
        for row in grid.rows:
            for seed in grid.seeds:
                print(shlex.join(["kind", "train", *_command(grid, row, seed, arguments)]))
        return 0
    stopped = train_all(grid, arguments, _in_a_process)
    if stopped:
        print("kind ablate: stopped; the same command resumes", file=sys.stderr)
        return stopped
    report(grid, arguments)
    return 0


def train_all(grid: Grid, arguments: argparse.Namespace, train: Train) -> int:
    """Trains every run that is not finished.

    Args:
        grid: of the runs.
        arguments: `out` and `cache`.
        train: trains one run, or resumes it.

    Returns:
        0, or the exit code of a run that was stopped.

    Raises:
        UserError: when a run fails.
    """
    from kind.reports.writing import write_json

    runs = [(row, seed) for row in grid.rows for seed in grid.seeds]
    for number, (row, seed) in enumerate(runs, start=1):
        command = _command(grid, row, seed, arguments)
        folder = run_folder(arguments.out, row, seed)
        if _finished_as(folder) == command:
            continue
        print(f"kind: run {number}/{len(runs)}: {row_name(row)}, seed {seed}", file=sys.stderr, flush=True)
        code = train(command)
        if code in _STOPPED:
            return 128 - code if code < 0 else code
        if code < 0:
            which = f"signal {-code} ({signal.strsignal(-code)})"
            raise UserError(f"{folder}: kind train was ended by {which}; the same command resumes")
        if code:
            raise UserError(f"{folder}: kind train ended with {code}; what it said stands above")
        write_json(folder / _FINISHED, {"command": command})
    return 0


def report(grid: Grid, arguments: argparse.Namespace) -> None:
    """Prints and writes the table of finished runs.

    Raises:
        UserError: when a run does not log the score.
    """
    from kind.reports.ablation import Row, ablation_table, as_csv, as_records, draw_rows
    from kind.reports.table import markdown_table, text_table
    from kind.reports.writing import write_csv, write_json, write_text

    rows, score = [], ""
    for row in grid.rows:
        found = [_outcome(grid, run_folder(arguments.out, row, seed)) for seed in grid.seeds]
        score = found[0][0]
        seconds = [one[2] for one in found if one[2] is not None]
        values = tuple(str(switch.values[digit]) for switch, digit in zip(grid.switches, row))
        mean = sum(seconds) / len(seconds) if seconds else None
        rows.append(Row(row_name(row), values, tuple(one[1] for one in found), mean))
    switches = [switch.field for switch in grid.switches]
    table = ablation_table(switches, score, rows)
    fixed = ", ".join(f"{name} {value}" for name, value in grid.fields.items())
    seeds = ", ".join(map(str, grid.seeds))
    text = f"{markdown_table(table)}\n\nStage {grid.stage}; {fixed}; best {score} of each run; seeds {seeds}."
    out = arguments.out
    write_text(out / "ablation.md", f"{text}\n")
    write_csv(out / "ablation.csv", *as_csv(switches, score, rows))
    write_json(out / "ablation.json", as_records(rows))
    draw_rows(score, rows, out / "ablation.png")
    if arguments.markdown:
        arguments.markdown.write(text)
    print(text_table(table))
    print(f"written: {', '.join(str(out / f'ablation.{kind}') for kind in ('md', 'csv', 'json', 'png'))}")


def run_folder(out: Path, row: tuple[int, ...], seed: int) -> Path:
    """Where one run is kept."""
    return out / "-".join(map(str, row)) / f"seed-{seed}"


def _command(grid: Grid, row: tuple[int, ...], seed: int, arguments: argparse.Namespace) -> list[str]:
    cache = ["--cache", str(arguments.cache)] if arguments.cache else []
    return [*grid.command(row, seed), "--run", str(run_folder(arguments.out, row, seed)), *cache]


def _in_a_process(command: Sequence[str]) -> int:
    """Trains in a process of its own, which gives its memory back; SIGTERM is passed on to it."""
    running: list[subprocess.Popen] = []
    was_asked = False

    def pass_on(number: int, frame: object) -> None:
        nonlocal was_asked
        was_asked = True
        for process in running:
            process.terminate()

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        with subprocess.Popen([sys.executable, "-m", "kind", "train", *command]) as process:
            running.append(process)
            if was_asked:  # while the process was started
                process.terminate()
            code = _waited_for(process)
    finally:
        signal.signal(signal.SIGTERM, before)
    return _TERMINATED if was_asked else code  # also where it came after the last epoch


def _waited_for(process: subprocess.Popen) -> int:
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # which a terminal sends to it as well: it ends once its state is saved
            continue


def _finished_as(folder: Path) -> list[str] | None:
    """The command that a finished run was trained with; None of others."""
    from kind.training.run_folder import read_json

    path = folder / _FINISHED
    return read_json(path).get("command") if path.is_file() else None


def _outcome(grid: Grid, path: Path) -> tuple[str, float, float | None]:
    """Name of the score, its best value and the seconds of a run."""
    from kind.training.run_folder import RunFolder, read_json, read_sessions

    folder = RunFolder(path)
    config = read_json(folder.config_file)
    score = grid.score or config["monitor"]
    is_monitor = grid.score in (None, config["monitor"])
    higher = config["higher_is_better"] if is_monitor else grid.higher_is_better
    best = folder.best(score, higher)
    if best is None:
        raise UserError(f"{folder.metrics_file}: has no {score!r}; give another score in the grid")
    lengths = [one["seconds"] for one in read_sessions(folder) if isinstance(one.get("seconds"), float)]
    return score, best[1], sum(lengths) if lengths else None
