"""`kind ablate`: the grid, the commands of the runs, resuming, and the table."""

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kind.cli import ablate
from kind.cli.ablation_grid import read_grid
from kind.cli.main import main
from kind.cli.train import make_parser
from kind.errors import UserError
from kind.reports.ablation import Row, ablation_table, difference

GRID = {
    "stage": "guided",
    "quick": True,
    "seeds": [0, 1],
    "fields": {"epochs": 2, "freeze": ["stem", "encode_*"]},
    "switch": [
        {"field": "norm", "values": ["instance", "batch", "adaptive"]},
        {"field": "guide", "values": ["learned", "none"]},
        {"field": "lookahead", "values": [False, True]},
    ],
}
SCORES = {"0-0-0": (20.0, 21.0), "1-0-0": (22.0, 23.5), "2-0-0": (19.0, 21.0)}


def written(tmp_path, **changes):
    path = tmp_path / "grid.json"
    content = {key: value for key, value in {**GRID, **changes}.items() if value is not None}
    path.write_text(json.dumps(content))
    return path


def test_by_default_each_switch_is_turned_alone(tmp_path):
    grid = read_grid(written(tmp_path))
    assert grid.rows == ((0, 0, 0), (1, 0, 0), (2, 0, 0), (0, 1, 0), (0, 0, 1))
    assert len(read_grid(written(tmp_path, rows="all")).rows) == 12
    assert read_grid(written(tmp_path, rows=["0 0 0", "2 1 0"])).rows == ((0, 0, 0), (2, 1, 0))


def test_every_command_is_one_of_kind_train(tmp_path):
    grid = read_grid(written(tmp_path, rows="all"))
    for row in grid.rows:
        flags = make_parser().parse_args([*grid.command(row, 3), "--run", "x"])
        wanted = grid.settings(row)
        assert all(getattr(flags, name) == wanted[name] for name in ("norm", "guide", "lookahead"))
        assert (flags.seed, flags.quick, flags.freeze) == (3, True, ["stem", "encode_*"])


def test_toml_says_the_same(tmp_path):
    pytest.importorskip("tomllib", reason="Python 3.11")
    path = tmp_path / "grid.toml"
    path.write_text(
        'stage = "guided"\nquick = true\nseeds = [0, 1]\n'
        '[fields]\nepochs = 2\nfreeze = ["stem", "encode_*"]\n'
        '[[switch]]\nfield = "norm"\nvalues = ["instance", "batch", "adaptive"]\n'
        '[[switch]]\nfield = "guide"\nvalues = ["learned", "none"]\n'
        '[[switch]]\nfield = "lookahead"\nvalues = [false, true]\n'
    )
    assert read_grid(path) == read_grid(written(tmp_path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stage": "x"}, "stage expects one of decom"),
        ({"colour": 1}, "unknown key 'colour'"),
        ({"fields": {"brightest": 1}}, "'brightest' is no setting of guided"),
        ({"fields": {"norm": "batch"}}, "norm is set twice"),
        ({"fields": {"epochs": {"a": 1}}}, "fields.epochs expects a text"),
        ({"switch": []}, "at least one"),
        ({"switch": [{"field": "norm", "values": ["batch"]}]}, "two to ten values"),
        ({"switch": [{"field": "seed", "values": [1, 2]}]}, "'seed' is no setting"),
        ({"rows": ["0 0 2"]}, "rows of 3 digits such as '0 0 0'"),
        ({"rows": ["0 0 0", "0 0 0"]}, "different rows"),
        ({"seeds": [0, 0]}, "list of different numbers"),
        ({"seeds": [True]}, "whole numbers"),
        ({"data": "pairs"}, "or quick = true"),
        ({"seeds": list(range(900))}, "expected 1000 or fewer"),
    ],
)
def test_mistakes_are_named(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        read_grid(written(tmp_path, **changes))
    (tmp_path / "bad.json").write_text("[1")
    with pytest.raises(UserError, match="cannot be read"):
        read_grid(tmp_path / "bad.json")


def pretended(tmp_path, stop_at=None):
    """A trainer that writes what a run leaves, and one that is stopped once."""
    trained = []

    def train(command):
        trained.append(command)
        folder = tmp_path / command[command.index("--run") + 1]
        if len(trained) == stop_at:
            return 143
        score = SCORES[folder.parent.name][int(folder.name[-1])]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps({"monitor": "val_psnr", "higher_is_better": True}))
        lines = [{"epoch": 1, "val_psnr": score - 1}, {"epoch": 2, "val_psnr": score}]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (folder / "sessions.json").write_text(
            json.dumps({"sessions": [{"seconds": 90.0}, {"seconds": 30.0}]})
        )
        return 0

    return trained, train


def test_a_stopped_grid_goes_on_and_a_changed_row_is_trained_anew(tmp_path, capsys):
    arguments = argparse.Namespace(out=tmp_path / "out", cache=None, markdown=None)
    rows = ["0 0 0", "1 0 0", "2 0 0"]
    grid = read_grid(written(tmp_path, rows=rows))
    trained, train = pretended(tmp_path, stop_at=4)
    assert ablate.train_all(grid, arguments, train) == 143 and len(trained) == 4
    trained, train = pretended(tmp_path)
    assert ablate.train_all(grid, arguments, train) == 0 and len(trained) == 3
    assert ablate.train_all(grid, arguments, train) == 0 and len(trained) == 3
    ablate.report(grid, arguments)
    printed = capsys.readouterr().out
    assert "1 0 0" in printed and "+2.250" in printed
    lines = (tmp_path / "out" / "ablation.md").read_text(encoding="utf-8").splitlines()
    assert (
        lines[3] == "| 1 0 0 | batch | learned | False | 22.750 | 1.061 | +2.250 | -0.927 to +5.427 | 2.0 |"
    )
    assert (tmp_path / "out" / "ablation.png").stat().st_size > 1000
    assert json.loads((tmp_path / "out" / "ablation.json").read_text())[2]["difference"]["mean"] == -0.5
    with (tmp_path / "out" / "ablation.csv").open(encoding="utf-8") as file:
        first, second, _ = csv.DictReader(file)
    assert first["difference"] == first["low"] == "" and first["seconds"] == "120.0"
    figures = {name: float(second[name]) for name in ("val_psnr mean", "spread", "difference", "low", "high")}
    expected = (22.75, 1.5 / 2**0.5, 2.25, 2.25 - 12.7062 / 4, 2.25 + 12.7062 / 4)  # Student's t of 1
    assert tuple(figures.values()) == pytest.approx(expected, rel=1e-4)
    changed = read_grid(written(tmp_path, rows=rows, fields={"epochs": 3}))
    assert ablate.train_all(changed, arguments, train) == 0 and len(trained) == 9


def test_a_run_that_fails_is_named(tmp_path):
    arguments = argparse.Namespace(out=tmp_path / "out", cache=None)
    with pytest.raises(UserError, match="0-0-0/seed-0: kind train ended with 2"):
        ablate.train_all(read_grid(written(tmp_path)), arguments, lambda command: 2)


def test_a_run_that_was_killed_is_named_and_resumes(tmp_path):
    arguments = argparse.Namespace(out=tmp_path / "out", cache=None)
    with pytest.raises(UserError, match="seed-0: kind train was ended by signal 9 .Killed.; the same"):
        ablate.train_all(read_grid(written(tmp_path)), arguments, lambda command: -signal.SIGKILL)


@pytest.mark.parametrize("code", [143, 0])
def test_sigterm_is_passed_on_and_waited_for(code, tmp_path, monkeypatch):
    """Also where the run ends by itself meanwhile."""
    script, ready, ended = (tmp_path / name for name in ("train", "ready", "ended"))
    trap = f"trap 'touch {ended}; exit {code}' TERM"
    script.write_text(f"#!/bin/sh\n{trap}\ntouch {ready}\nwhile :; do sleep 0.02; done\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    before = signal.getsignal(signal.SIGTERM)

    def terminate():
        until(ready.exists)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=terminate)
    thread.start()
    assert ablate._in_a_process(["guided"]) == 143 and ended.exists()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before


def until(holds, seconds=300):
    """Waits for something."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_commands_can_be_listed(tmp_path, capsys):
    assert main(["ablate", str(written(tmp_path)), "--out", "runs/a", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10 and lines[0].startswith("kind train guided --quick --epochs 2")


def test_one_seed_has_neither_spread_nor_interval():
    rows = [Row("0", ("a",), (1.0,), None), Row("1", ("b",), (3.0,), None)]
    assert difference(rows[1], rows[0]) == (2.0, None)
    table = ablation_table(["x"], "val_psnr", rows)
    assert table.lines[1] == ["1", "b", "3.000", "–", "+2.000", "–", "–"]


@pytest.mark.slow
def test_a_grid_of_quick_runs(tmp_path):
    path = tmp_path / "grid.json"
    grid = {**GRID, "seeds": [0], "rows": ["0", "1"], "switch": GRID["switch"][1:2]}
    grid["fields"] = {"epochs": 1, "steps": 1, "patch": 32, "batch": 2}
    path.write_text(json.dumps(grid))
    words = ["ablate", str(path), "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    assert main(words) == 0
    assert (tmp_path / "out" / "1" / "seed-0" / "best.keras").is_file()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the trainer in /proc")
def test_a_grid_that_is_terminated_or_loses_its_trainer_resumes_to_the_same_scores(tmp_path):
    fields = {"epochs": 12, "steps": 1, "patch": 32, "batch": 2, "validate_epochs": 1}
    switch = {"field": "guide", "values": ["learned", "none"]}
    grid = {"stage": "guided", "quick": True, "fields": fields, "switch": [switch], "rows": ["0"]}
    path = tmp_path / "grid.json"
    path.write_text(json.dumps(grid))

    def begun(out):
        words = [sys.executable, "-m", "kind", "ablate", str(path), "--out", str(tmp_path / out)]
        words += ["--cache", str(tmp_path / "cache")]
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def metrics(out):
        file = tmp_path / out / "0" / "seed-0" / "metrics.jsonl"
        return file.read_text().splitlines() if file.is_file() else []

    def trainer(process):
        return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())

    with begun("stopped") as process:
        until(lambda: len(metrics("stopped")) >= 2)
        child = trainer(process)
        process.terminate()
        errors = process.communicate(timeout=300)[1]
    assert process.returncode == 143
    assert errors.splitlines()[-1] == "kind ablate: stopped; the same command resumes"
    assert not Path(f"/proc/{child}").exists()
    before = len(metrics("stopped"))
    assert before < 12
    with begun("stopped") as process:
        until(lambda: len(metrics("stopped")) > before)
        os.kill(trainer(process), signal.SIGKILL)
        errors = process.communicate(timeout=300)[1]
    assert process.returncode == 2
    assert "kind train was ended by signal 9 (Killed); the same command resumes" in errors.splitlines()[-1]
    for out in ("stopped", "whole"):
        with begun(out) as process:
            errors = process.communicate(timeout=600)[1]
        assert process.returncode == 0, errors
    assert metrics("stopped") == metrics("whole") and len(metrics("whole")) == 12
