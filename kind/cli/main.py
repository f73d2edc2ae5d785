"""Enhances dark photographs and finds objects in them; trains, measures, exports and serves the networks."""

from __future__ import annotations

import argparse
import sys
import traceback

import kind
from kind.cli import (
    ablate,
    changes,
    compare,
    completion,
    darken,
    demo,
    detect,
    doctor,
    edges,
    enhance,
    evaluate,
    export,
    import_command,
    losses,
    pack,
    profile,
    remote,
    runs,
    scenes,
    serve,
    tiles,
    train,
)
from kind.cli.parser import Parser
from kind.cli.talk import JSON_COMMANDS, add_common_arguments, apply_common_arguments
from kind.cli.terminal import guarded
from kind.enhancing.tiling.freed_memory import give_back_large_pieces
from kind.errors import UserError

#: A command is a module with `add_arguments(parser)` and `run(arguments)`, which returns the exit code. It
#: may declare sub-commands of its own with `parser.add_subparsers`. None of them may import TensorFlow before
#: it runs: `--help` must be quick.
COMMANDS = {
    "enhance": (enhance, "relight photographs"),
    "demo": (demo, "relight photographs and show every step on a web page"),
    "detect": (detect, "find objects in dark photographs"),
    "changes": (changes, "find what has changed between two photographs of one place"),
    "edges": (edges, "draw edges that do not depend on the illumination"),
    "evaluate": (evaluate, "score enhancement, detectors and change detection"),
    "compare": (compare, "compare enhancers by quality, speed and memory"),
    "doctor": (
        doctor,
        "check a data set before training on it: pairs, annotated images, changes, photographs",
    ),
    "train": (train, "train one stage, or resume its run"),
    "ablate": (ablate, "train a grid of settings and compare the runs"),
    "losses": (losses, "list the losses that training takes, and show what one penalises"),
    "runs": (runs, "list training runs with their best metrics"),
    "darken": (darken, "darken photographs as a camera at night would"),
    "scenes": (scenes, "make a data set for detectors: simple objects drawn over photographs"),
    "tiles": (tiles, "cut a data set of change detection into tiles"),
    "export": (export, "export the networks as a SavedModel, for TensorFlow Lite or as ONNX"),
    "serve": (serve, "serve an exported model over REST and gRPC, with a web page to try it"),
    "remote": (remote, "relight photographs, find objects in them or compare them, on a server"),
    "import": (import_command, "convert published weights into .keras files"),
    "profile": (profile, "measure parameters, operations, memory and speed of the networks"),
    "pack": (pack, "pack trained networks into one small folder of weights"),
    "completion": (completion, "print a script with which a shell completes commands and options"),
}

DONE, PARTLY_DONE, NOTHING_DONE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: list[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: the command line after the program's name; None takes the process's own.

    Returns:
        The exit code: 0 done, 1 partly done, 2 nothing done, 130 interrupted; 141 when the reader of its
        output went away. Whatever went wrong has been printed on stderr.
    """
    give_back_large_pieces()
    parsed = None
    with guarded() as outcome:
        try:
            parsed = make_parser().parse_args(arguments)
            apply_common_arguments(parsed)
            outcome.code = parsed.run(parsed)
        except UserError as error:
            if parsed and parsed.verbose:
                traceback.print_exc()
            print(f"kind: {error}", file=sys.stderr)
            outcome.code = NOTHING_DONE
        except KeyboardInterrupt:
            print("kind: interrupted; what was written is complete", file=sys.stderr)
            outcome.code = INTERRUPTED
    return outcome.code


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; what it parses has the chosen command's function as `run`."""
    parser = Parser(prog="kind", description=__doc__)
    parser.add_argument("--version", action="version", version=f"kind {kind.__version__}")
    parser.set_defaults(parser=parser)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=module.__doc__)
        module.add_arguments(command)
        add_common_arguments(command, name in JSON_COMMANDS)
        command.set_defaults(run=module.run, command=name)
    return parser
