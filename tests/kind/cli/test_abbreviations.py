"""Flags are accepted in full only: an abbreviation would mean something else once a flag is added."""

import argparse

import pytest

from kind.cli.main import main, make_parser


def parsers(parser, name="kind"):
    """Every parser of the command line by what is typed to get there."""
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                yield from parsers(inner, f"{name} {word}")


@pytest.mark.parametrize(("name", "parser"), [*parsers(make_parser())], ids=lambda value: str(value)[:30])
def test_no_parser_accepts_abbreviated_flags(name, parser):
    assert not parser.allow_abbrev, name


@pytest.mark.parametrize(
    "words",
    [
        ["remote", "enhance", "a.png", "--out", "lit", "--proto", "rest"],
        ["remote", "detect", "a.png", "--out", "lit", "--conf", "0.5"],
        ["import", "kind", "--de", "x", "--out", "weights"],
        ["import", "yolov8", "x.pt", "--ou", "x.keras"],
        ["import", "keras-cv", "x", "--out", "x.keras", "--cl", "cat"],
    ],
)
def test_an_abbreviated_flag_is_a_mistake(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "unrecognized arguments" in (error := capsys.readouterr().err) or "required" in error
