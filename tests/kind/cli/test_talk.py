"""What a command says: less, more, and what was probably meant."""

import argparse
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from kind.cli import export
from kind.cli import main as module
from kind.cli.jobs import Job, work_through
from kind.cli.json_lines import JsonLines
from kind.cli.main import main, make_parser
from kind.cli.native_output import native_output_kept
from kind.cli.pipelined import Worked
from kind.cli.talk import ErrorsOnly, choose_device
from kind.errors import UserError
from kind.images.photo import write_photo


@pytest.mark.parametrize(
    "words, meant",
    [
        (["enhanse", "a.png"], "did you mean enhance?"),
        (["train", "decomm", "--run", "r"], "did you mean decom?"),
        (["enhance", "a.png", "--out", "o", "--strenght", "1"], "did you mean --strength?"),
        (["evaluate", "enhance", "--out", "o", "--photos", "p", "--splt=all"], "did you mean --split?"),
        (["enhance", "a.png", "--out", "o", "--variant", "lit"], "did you mean lite?"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_likely_one(words, meant, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2 and meant in capsys.readouterr().err


def test_what_is_like_nothing_lists_the_choices(capsys):
    with pytest.raises(SystemExit):
        main(["xyzzy"])
    assert "choose from" in capsys.readouterr().err


class Command:
    """A command that prints a table and progress, and fails when it is told to."""

    def add_arguments(self, parser):
        parser.add_argument("--fail", action="store_true")

    def run(self, arguments):
        print("a table")
        print("3 of 28 photographs", file=sys.stderr)
        print("kind: a.png: a note", file=sys.stderr)
        if arguments.fail:
            raise UserError("b.png: cannot be read")
        return 0


@pytest.fixture
def command(monkeypatch):
    monkeypatch.setattr(module, "COMMANDS", {"work": (Command(), "works")})


@pytest.mark.usefixtures("command")
def test_quiet_leaves_errors_and_warnings(capsys):
    assert main(["work", "-q"]) == 0
    assert capsys.readouterr() == ("", "kind: a.png: a note\n")
    assert main(["work", "--quiet", "--fail"]) == 2
    assert capsys.readouterr() == ("", "kind: a.png: a note\nkind: b.png: cannot be read\n")
    assert main(["work"]) == 0
    assert capsys.readouterr().out == "a table\n"


@pytest.mark.usefixtures("command")
def test_verbose_shows_where_an_error_was_found(capsys, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    assert main(["work", "-v", "--fail"]) == 2
    assert "in run" in (error := capsys.readouterr().err) and error.endswith("kind: b.png: cannot be read\n")
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"


def test_progress_of_tiles_is_no_error():
    stream = io.StringIO()
    quiet = ErrorsOnly(stream)
    quiet.write("kind: a.png: 3 of 9 tiles, 5 s left\nkind: b.png: no")
    quiet.write(" such file\n\rbar")
    quiet.write("\nepoch 3: WARNING: everything is black\nepoch 4: loss 0.1\n")
    assert stream.getvalue() == "kind: b.png: no such file\nepoch 3: WARNING: everything is black\n"


def test_every_command_has_the_common_options():
    def leaves(parser):
        inner = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
        below = [each for a in inner for c in a.choices.values() for each in leaves(c)]
        return below if any(a.required for a in inner) else [parser, *below]

    for parser in leaves(make_parser()):
        assert {"--quiet", "--verbose", "--device"} <= parser._option_string_actions.keys(), parser.prog


@pytest.mark.parametrize("text, visible", [("cpu", "-1"), ("gpu", "0"), ("gpu:2", "2")])
def test_a_device_is_chosen(monkeypatch, text, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "before")
    monkeypatch.setattr("kind.cli.talk._has_gpu", lambda: True)
    choose_device("auto")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "before"
    choose_device(text)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == visible


def test_other_devices_are_refused(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "before")
    monkeypatch.setattr("kind.cli.talk._has_gpu", lambda: False)
    with pytest.raises(UserError, match="--device expects auto, cpu, gpu or gpu:N, received 'tpu'"):
        choose_device("tpu")
    with pytest.raises(UserError, match="TensorFlow finds no such GPU"):
        choose_device("gpu")


def test_what_libraries_print_is_kept_unless_they_fail(capfd):
    with native_output_kept():
        os.write(2, b"(f32: 54)\n")
    assert capfd.readouterr() == ("", "")
    with pytest.raises(OSError), native_output_kept():
        os.write(1, b"what went wrong\n")
        raise OSError
    assert capfd.readouterr().err == "what went wrong\n"
    os.write(1, b"after\n")
    assert capfd.readouterr().out == "after\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_shell_gets_a_script_of_all_commands(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(word in script for word in ("enhance", "doctor", "strength"))


def test_completion_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert "pip install 'kind[completion]'" in capsys.readouterr().err


def test_a_photograph_is_a_line_of_json(monkeypatch, capsys, tmp_path):
    class Enhance(Command):
        def run(self, arguments):
            print("a table")
            jobs = [
                Job(tmp_path / "a.png", tmp_path / "lit.png"),
                Job(tmp_path / "b.png", tmp_path / "c.png"),
            ]
            write_photo(jobs[0].source, np.zeros((3, 5, 3)))
            return work_through(jobs, lambda job, photo: Worked("1000"), "α", workers=0)

    monkeypatch.setattr(module, "COMMANDS", {"enhance": (Enhance(), "works")})
    assert main(["enhance", "--json", "-q"]) == 1
    printed = capsys.readouterr()
    done, failed = map(json.loads, printed.out.splitlines())
    assert done.pop("seconds") >= 0 and done == {
        "file": str(tmp_path / "a.png"), "output": str(tmp_path / "lit.png"), "width": 5, "height": 3,
        "alpha": 1000, "notes": [], "error": None,
    }  # fmt: skip
    assert "no such file" in failed["error"] and failed["output"] is failed["alpha"] is None
    assert "b.png" in printed.err


def test_what_darkens_and_draws_and_checks_prints_lines_of_json_too(capsys, tmp_path):
    write_photo(tmp_path / "in/a.png", np.full((64, 70, 3), 0.7))
    (tmp_path / "in/b.png").write_text("no image")

    def lines(*words):
        code = main([*map(str, words), "--json", "-q"])
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    for preset, told in (("moderate", "shot_noise"), ("slight", "twin_mean")):
        out = tmp_path / preset
        code, (done, failed) = lines("darken", tmp_path / "in", "--preset", preset, "--out", out)
        assert code == 1 and (done["file"], done["height"]) == (str(tmp_path / "in/a.png"), 64)
        assert done["output"] == str(out / "a.png") and 0 < done[told] < 1
        assert failed["file"] == str(tmp_path / "in/b.png") and "not an image" in failed["error"]
    words = "scenes", "--out", tmp_path / "scenes", "--count", 2, "--image-size", 64, "--preset", "none"
    code, scenes = lines(*words)
    assert code == 0 and [Path(one["output"]).name for one in scenes] == ["000000.png", "000001.png"]
    objects = sum(len(Path(one["labels"]).read_text().splitlines()) for one in scenes)
    assert sum(sum(one["objects"].values()) for one in scenes) == objects
    code, findings = lines("doctor", tmp_path / "in", "--out", tmp_path / "doctor")
    assert code == 3 and any(one["files"] == ["b.png"] for one in findings)


def test_numbers_that_json_does_not_have_are_null(capsys):
    JsonLines(sys.stdout).emit({"psnr": float("inf"), "count": np.int64(3)})
    assert json.loads(capsys.readouterr().out) == {"psnr": None, "count": 3}


def test_export_says_what_takes_a_while_at_a_terminal(monkeypatch, capsys):
    export._say("loading the networks")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    export._say("loading the networks")
    assert capsys.readouterr().err == "loading the networks …\n"
