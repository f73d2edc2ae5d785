"""Prints a script with which a shell completes commands and options."""

from __future__ import annotations

import argparse

from kind.errors import UserError

SHELLS = ("bash", "zsh", "tcsh")
_WHERE = {
    "bash": "~/.local/share/bash-completion/completions/kind",
    "zsh": "_kind in a folder of $fpath",
    "tcsh": "/etc/profile.d/kind.completion.csh",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the shell."""
    places = "; ".join(f"{place} ({shell})" for shell, place in _WHERE.items())
    parser.add_argument("shell", choices=SHELLS, help=f"shell; the script is saved as {places}")


def run(arguments: argparse.Namespace) -> int:
    """Prints the script.

    Args:
        arguments: parsed, with the parser of all commands as `parser`.

    Returns:
        The exit code 0.

    Raises:
        UserError: when the package that writes such scripts is not installed.
    """
    try:
        import shtab
    except ImportError as error:
        raise UserError(
            "kind completion needs the package shtab: pip install 'kind[completion]', or pip install shtab"
        ) from error
    print(shtab.complete(arguments.parser, arguments.shell))
    return 0
