"""Scores enhanced images, detectors and change detection, and fits NIQE's model of clean photographs."""

from __future__ import annotations

import argparse
import sys

from kind.cli import (
    evaluate_change,
    evaluate_detect,
    evaluate_enhance,
    evaluate_exposures,
    evaluate_fit_niqe,
)
from kind.cli.parser import Parser
from kind.cli.terminal import run_guarded
from kind.errors import UserError
from kind.files import remove_leftovers

_EVALUATIONS = {
    "enhance": (evaluate_enhance, "score enhancement on image pairs or on photographs without targets"),
    "exposures": (evaluate_exposures, "score enhancement on photographs made dark, whose truth is known"),
    "fit-niqe": (evaluate_fit_niqe, "fit NIQE's pristine model to clean photographs"),
    "detect": (evaluate_detect, "score detectors on annotated photographs, on several kinds of input"),
    "change": (evaluate_change, "score change detection on pairs whose truth is known, in several lights"),
}

_NOTHING_DONE, _INTERRUPTED = 2, 130


def add_arguments(parser: argparse.ArgumentParser, program: str = "kind") -> None:
    """Declares the command's arguments.

    Args:
        parser: of the command.
        program: what the user typed; messages start with it.
    """
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    for name, (module, text) in _EVALUATIONS.items():
        command = commands.add_parser(name, help=text, description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(evaluation=module.run, program=program)


def run(arguments: argparse.Namespace) -> int:
    """Runs the chosen evaluation.

    Returns:
        The exit code: 0; 1 when some images could not be scored and the others were.

    Raises:
        UserError: when the user must mend something first.
    """
    try:
        remove_leftovers(arguments.out)
        return arguments.evaluation(arguments)
    except OSError as error:  # reading is checked where it happens: this is a full disk or a read-only place
        place = error.filename2 or error.filename or arguments.out
        raise UserError(f"{place}: cannot be written: {error.strerror or error}") from error


def make_parser(program: str = "evaluate.py") -> argparse.ArgumentParser:
    """The parser of `evaluate.py`; it imports nothing heavy."""
    parser = Parser(prog=program, description=__doc__)
    add_arguments(parser, program)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Runs `evaluate.py`.

    Args:
        arguments: the command line after the program's name; None takes the process's own.

    Returns:
        The exit code: as `run`; 2 when the user must mend something first; 130 when interrupted.
    """
    return run_guarded(lambda: _main(arguments))


def _main(arguments: list[str] | None) -> int:
    parser = make_parser()
    try:
        return run(parser.parse_args(arguments))
    except UserError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return _NOTHING_DONE
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted; the same command goes on from here", file=sys.stderr)
        return _INTERRUPTED
