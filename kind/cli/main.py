"""The front door, `python -m kind`: dark photographs in, relit ones out."""

from __future__ import annotations

import argparse
import sys

from kind.cli import (
    darken,
    demo,
    detect,
    doctor,
    enhance,
    evaluate,
    export,
    import_command,
    pack,
    profile,
    remote,
    runs,
    scenes,
    serve,
)
from kind.errors import UserError

#: A command is a module with `add_arguments(parser)` and `run(arguments)`, which returns the exit code.
#: None of them may import TensorFlow before it runs: `--help` must be quick.
COMMANDS = {
    "enhance": (enhance, "relight photographs"),
    "demo": (demo, "relight photographs and lay out every step on a page to look at"),
    "detect": (detect, "find objects in dark photographs"),
    "evaluate": (evaluate, "score enhancement and detectors"),
    "doctor": (doctor, "look at a paired data set before training on it"),
    "runs": (runs, "list training runs with their best figures"),
    "darken": (darken, "make photographs as dark as a camera at night would"),
    "scenes": (scenes, "make a data set for a detector, of simple objects over photographs"),
    "export": (export, "write the pipeline as a SavedModel for servers, for TensorFlow Lite or as ONNX"),
    "serve": (serve, "serve an exported model: a page to look at, REST and gRPC"),
    "remote": (remote, "relight or search photographs on a server"),
    "import": (import_command, "turn other people's trained weights into ours"),
    "profile": (profile, "measure parameters, arithmetic, memory and speed of the networks"),
    "pack": (pack, "put trained networks into one small folder of weights"),
}

DONE, PARTLY_DONE, NOTHING_DONE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: list[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: the command line after the program's name; None takes the process's own.

    Returns:
        The exit code: 0 done, 1 partly done, 2 nothing done, 130 interrupted. Whatever went wrong has
        been printed on stderr.
    """
    parsed = make_parser().parse_args(arguments)
    try:
        return parsed.run(parsed)
    except UserError as error:
        print(f"kind: {error}", file=sys.stderr)
        return NOTHING_DONE
    except KeyboardInterrupt:
        print("kind: interrupted; what was written is complete", file=sys.stderr)
        return INTERRUPTED


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; what it parses has the chosen command's function as `run`."""
    parser = argparse.ArgumentParser(prog="python -m kind", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=module.__doc__, allow_abbrev=False)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def run_from_shell() -> None:
    """The console script `kind`."""
    sys.exit(main())
