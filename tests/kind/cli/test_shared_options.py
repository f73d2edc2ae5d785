"""Options that several commands share: one declaration, one check, no abbreviations."""

import argparse

import pytest

from kind.cli.main import main, make_parser
from kind.cli.parser import Parser
from kind.errors import UserError


def parsers(parser=None, name=""):
    """Every parser of the command line with its name."""
    parser = parser or make_parser()
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from parsers(below, f"{name} {word}".strip())


def test_sub_commands_of_sub_commands_take_none_either(capsys):
    below = Parser().add_subparsers().add_parser("a").add_subparsers().add_parser("b")
    below.add_argument("--alpha")
    with pytest.raises(SystemExit):
        below.parse_args(["--alp", "3"])


SHARED = "variant precision weights alpha fusion seed cache validation-every max-pixels timeout".split()


@pytest.mark.parametrize("option", [f"--{name}" for name in SHARED])
def test_an_option_is_the_same_wherever_it_is(option):
    found = {}
    for name, parser in parsers():
        # `compare`, `evaluate enhance` and `exposures` compare folders of weights, [NAME=]DIR; `train` has
        # settings of a stage.
        if (option == "--weights" and name in ("compare", "evaluate enhance", "evaluate exposures")) or (
            name.startswith("train ") and option in ("--alpha", "--seed", "--validation-every")
        ):
            continue
        for action in parser._actions:
            if option in action.option_strings and action.help != argparse.SUPPRESS:
                found.setdefault(tuple(action.choices) if action.choices else action.type, []).append(name)
    assert len(found) == 1, found


def test_a_size_of_the_detectors_input_has_a_new_name_and_the_old_one_still_works(capsys):
    words = ["detect", "in.png", "--out", "out"]
    assert make_parser().parse_args([*words, "--image-size", "64"]).detector_image_size == 64
    assert capsys.readouterr().err == ""
    assert make_parser().parse_args([*words, "--size", "64"]).detector_image_size == 64
    assert "--size is deprecated; use --image-size" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, old, new, name",
    [
        (["changes", "a", "b", "--out", "c"], "--network", "--detector", "detector"),
        (["evaluate", "change", "--data", "a", "--out", "b"], "--network", "--detector", "detector"),
        (["evaluate", "change", "--data", "a", "--out", "b"], "--size", "--image-size", "image_size"),
        (["tiles", "a", "--out", "b"], "--side", "--image-size", "image_size"),
        (["profile"], "--json", "--json-file", "json_file"),
    ],
)
def test_a_renamed_option_still_works(words, old, new, name, capsys):
    expected = vars(make_parser().parse_args([*words, new, "64"]))[name]
    assert vars(make_parser().parse_args([*words, old, "64"]))[name] == expected
    assert f"{old} is deprecated; use {new}" in capsys.readouterr().err


@pytest.mark.parametrize("name, parser", list(parsers()))
def test_help_offers_what_is_accepted_and_says_it_in_sentences(name, parser):
    assert parser.description[:1].isupper()
    text = " ".join(parser.format_help().split())
    assert "(default: )" not in text and "python -m kind" not in text
    if name not in ("enhance", "demo", "export", "profile"):
        assert ",int8" not in text
    if name in ("train detection", "train adapt"):
        assert "--lookahead" not in text
    if name == "train adapt":
        for flag in ("--alpha", "--freeze-epochs", "--joint", "--twins", "--similarity-weight"):
            assert f"{flag} " not in text
        assert "with --teacher" not in text and "--alignment-weight " in text


ADAPT, DETECTION = ["train", "adapt"], ["train", "detection"]


@pytest.mark.parametrize(
    "words, flag, message",
    [
        (ADAPT, "--feature-weight 0.5", "--feature-weight does nothing in this stage; leave it out"),
        (ADAPT, "--response-weight 0", "--response-weight does nothing"),
        (ADAPT, "--box-temperature 3", "--box-temperature does nothing"),
        (ADAPT, "--alpha 3", "--alpha does nothing"),
        (ADAPT, "--joint", "--joint does nothing in this stage"),
        (DETECTION, "--box-response-weight 0.1", "--box-response-weight expects --teacher, without which"),
    ],
)
def test_flags_that_would_do_nothing_are_refused_unless_the_run_has_begun(
    words, flag, message, tmp_path, capsys
):
    run = tmp_path / "run"
    command = [*words, "--data", str(tmp_path / "none"), "--run", str(run), *flag.split()]
    assert main(command) == 2 and message in capsys.readouterr().err
    assert not run.exists()
    run.mkdir()
    (run / "config.json").write_text("{}")
    assert main(command) == 2 and message not in capsys.readouterr().err  # there are no data


@pytest.mark.parametrize(
    "option, value, shown",
    [
        ("--alpha", "-1", "-1.0"),
        ("--alpha", "nan", "nan"),
        ("--quality", "101", "101"),
        ("--workers", "65", "65"),
    ],
)
def test_a_value_out_of_range_is_one_line_that_names_the_option(option, value, shown, capsys):
    assert main(["enhance", "in.png", "--out", "out", option, value]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"kind: {option} expects") and line.endswith(f"received {shown}")


def test_a_value_out_of_range_can_be_caught():
    with pytest.raises(UserError, match="--seed expects a number from 0 to 2147483647, received -1"):
        make_parser().parse_args(["darken", "in.png", "--out", "out", "--seed", "-1"])


@pytest.mark.parametrize("option", ["--pairs", "--image-size"])
def test_a_change_is_scored_on_one_pixel_and_pair_at_least(option, capsys, tmp_path):
    words = ["evaluate", "change", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main([*words, option, "0"]) == 2
    assert f"{option} expects at least 1, received 0" in capsys.readouterr().err
