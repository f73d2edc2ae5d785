"""The front door, `python -m kind`: dark photographs in, relit ones out."""

from __future__ import annotations

import argparse
import sys

from kind.cli import demo, enhance, import_command
from kind.errors import UserError

#: A command is a module with `add_arguments(parser)` and `run(arguments)`, which returns the exit code.
#: None of them may import TensorFlow before it runs: `--help` must be quick.
COMMANDS = {
    "enhance": (enhance, "relight photographs"),
    "demo": (demo, "relight photographs and lay out every step on a page to look at"),
    "import": (import_command, "turn other people's trained weights into ours"),
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
    parser = argparse.ArgumentParser(prog="python -m kind", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=module.__doc__, allow_abbrev=False)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    parsed = parser.parse_args(arguments)
    try:
        return parsed.run(parsed)
    except UserError as error:
        print(f"kind: {error}", file=sys.stderr)
        return NOTHING_DONE
    except KeyboardInterrupt:
        print("kind: interrupted; what was written is complete", file=sys.stderr)
        return INTERRUPTED
