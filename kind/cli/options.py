"""Options that several commands have, each declared and checked once; and old names of options."""

from __future__ import annotations

import argparse
import sys


class _Renamed(argparse.Action):
    """Hands the value to the option of the new name, and says once that the old name is deprecated."""

    def __init__(self, *arguments, target: argparse.Action, **settings) -> None:
        super().__init__(*arguments, **settings)
        self._target = target

    def __call__(self, parser, namespace, values, option_string=None):
        """Stores `values` where the new option does."""
        new = self._target.option_strings[0]
        print(f"{option_string} is deprecated; use {new}", file=sys.stderr)
        self._target(parser, namespace, values, new)


def add_old_name(parser: argparse.ArgumentParser, old: str, new: str) -> None:
    """Lets an option be given by an earlier name too, which `--help` does not show.

    Args:
        parser: declares `new` already.
        old: such as "--optimiser".
        new: such as "--optimizer".
    """
    (target,) = [action for action in parser._actions if new in action.option_strings]
    parser.add_argument(
        old,
        action=_Renamed,
        target=target,
        dest=target.dest,
        nargs=target.nargs,
        type=target.type,
        choices=target.choices,
        default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )
