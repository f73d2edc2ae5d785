import argparse
import json
import subprocess
import sys

import pytest

from kind.cli.runs import add_arguments, find_runs, run
from kind.cli.stages import STAGES
from kind.errors import UserError
from kind.training import curves
from kind.training.run_folder import RunFolder


def make_run(path, stage, monitor, higher_is_better, values, network=True):
    folder = RunFolder(path)
    config = {"stage": stage, "epochs": 9, "monitor": monitor, "higher_is_better": higher_is_better}
    with folder.opened(config, {}):
        for epoch, value in enumerate(values, start=1):
            folder.append_metrics(
                {"epoch": epoch, "loss": 1.0, **({} if value is None else {monitor: value})}
            )
    if network:
        folder.best_file.write_text("")


def command(*arguments):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([str(argument) for argument in arguments]))


@pytest.fixture
def runs(tmp_path):
    make_run(tmp_path / "deep" / "b", "restoration", "val_psnr", True, [None, 20.5, 19.0])
    make_run(tmp_path / "a", "decom", "val_loss", False, [0.5, 0.25, 0.75, None])
    make_run(tmp_path / "new", "decom", "val_loss", False, [], network=False)
    sessions = [{"seconds": 70.0, "remark": "first"}, {"seconds": 5, "remark": "brighter\ncrops"}, 3]
    (tmp_path / "deep" / "b" / "sessions.json").write_text(json.dumps({"sessions": sessions}))
    (tmp_path / "a" / "sessions.json").write_text("{")  # damaged: nothing depends on it
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text("{}")
    return tmp_path


def test_runs_are_listed_with_their_best_figure(runs, capsys):
    assert command(runs) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["run", "stage", "epochs", "best", "at", "epoch", "time", "network", "remark"]
    assert rows[1:] == [
        ["a", "decom", "4/9", "val_loss", "0.25", "2", "-", str(runs / "a" / "best.keras")],
        ["new", "decom", "0/9", "-", "-", "-", "-"],
        [
            *("deep/b", "restoration", "3/9", "val_psnr", "20.5", "2", "1m15s"),
            *(str(runs / "deep" / "b" / "best.keras"), "brighter", "crops"),
        ],
    ]


def test_stages_come_in_the_tables_order_and_unknown_ones_last(tmp_path):
    for number, stage in enumerate(["vignetting", *reversed(STAGES)]):
        make_run(tmp_path / str(number), stage, "val_loss", False, [0.5])
    assert [found.stage for found in find_runs(tmp_path)] == [*STAGES, "vignetting"]


def test_json_and_a_run_folder_itself(runs, capsys):
    assert command(runs / "a", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "run": ".",
        "stage": "decom",
        "epochs": [4, 9],
        "best": ["val_loss", 0.25],
        "best_epoch": 2,
        "network": str(runs / "a" / "best.keras"),
        "seconds": None,
        "remark": "",
        "sessions": [],
    }


def test_curves_of_several_runs_in_one_figure(runs, tmp_path, capsys, monkeypatch):
    drawn, plot = {}, curves._plot

    def recording(axes, records, key, **style):
        drawn[style["label"], key] = [one[key] for one in records if key in one]
        plot(axes, records, key, **style)

    monkeypatch.setattr(curves, "_plot", recording)
    out = tmp_path / "both.png"
    both = [runs / "a", runs / "deep" / "b"]
    assert command("--curves", *both, "--out", out, "--skip-epochs", "1", "--log") == 0
    assert out.read_bytes()[:4] == b"\x89PNG" and capsys.readouterr().out == f"written: {out}\n"
    assert drawn["a, validation", "val_loss"] == [0.25, 0.75]
    assert drawn["b, validation", "val_psnr"] == [20.5, 19.0] and drawn["b", "loss"] == [1.0, 1.0]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "give a folder to list the runs in it, or --curves RUN"),
        (["{}", "--curves", "{}/a"], "not both"),
        (["--curves", "{}/a", "{}/new"], "new: no run with a finished epoch"),
        (["--curves", "{}/a", "--skip-epochs", "4"], "a: no run with a finished epoch after the first 4"),
        (["--curves", "{}/a", "--out", "{}/a.jpg"], "--out expects a .png file"),
    ],
)
def test_curves_that_cannot_be_drawn_are_refused(runs, arguments, message):
    with pytest.raises(UserError, match=message):
        command(*(argument.format(runs) for argument in arguments))


def test_nothing_to_list_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no run folder in it"):
        find_runs(tmp_path)
    with pytest.raises(UserError, match="none: no such folder"):
        find_runs(tmp_path / "none")


def test_a_damaged_run_is_named(runs):
    (runs / "a" / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"a/config\.json: not a readable JSON file"):
        find_runs(runs)


def test_listing_needs_no_tensorflow(runs):
    script = (
        "import sys, pathlib; from kind.cli.runs import find_runs; find_runs(pathlib.Path(sys.argv[1])); "
    )
    script += "sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script, str(runs)]).returncode == 0


@pytest.mark.parametrize(
    "file, content, message",
    [
        ("metrics.jsonl", "[1]\n", r"a/metrics\.jsonl: line 1 is no record of an epoch"),
        ("metrics.jsonl", '{"epoch": "x"}\n', r"a/metrics\.jsonl: line 1 is no record of an epoch"),
        ("metrics.jsonl", "\x00\n", r"a/metrics\.jsonl: line 1 is no record of an epoch"),
        ("config.json", "[]", r"a/config\.json: not a readable JSON file"),
        (
            "config.json",
            '{"stage": [], "epochs": 1, "monitor": "x", "higher_is_better": 0}',
            r"a/config\.json: not a run's: it does not say stage, higher_is_better",
        ),
        ("config.json", "{}", r"a/config\.json: not a run's: it does not say stage, epochs, monitor"),
    ],
)
def test_other_content_is_named_in_one_line(runs, file, content, message, capsys):
    (runs / "a" / file).write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        find_runs(runs)
    assert "\n" not in str(caught.value)


def test_names_of_folders_and_stages_stay_in_their_cells(tmp_path, capsys):
    make_run(tmp_path / "a\n\x1b[31mred", "new\nstage", "val_loss", False, [0.5])
    assert command(tmp_path) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 and rows[1].isprintable() and r"a\n\x1b[31mred" in rows[1]
    (tmp_path / "a\n\x1b[31mred/config.json").write_text("[]")
    with pytest.raises(UserError) as caught:
        find_runs(tmp_path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "line", ['{"epoch": 0, "val_loss": 1}', '{"epoch": 1, "val_loss": 1' + "0" * 400 + "}"]
)
def test_figures_that_cannot_be_are_no_record(runs, line):
    with open(runs / "a" / "metrics.jsonl", "a") as file:
        file.write(line + "\n")
    with pytest.raises(UserError, match="line 5 is no record of an epoch"):
        find_runs(runs)
