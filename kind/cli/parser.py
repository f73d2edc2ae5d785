"""The parser of the command line: no abbreviations, and a suggestion where a word is misspelt."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterable

_CLOSE = 0.6


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that takes no abbreviated options; its sub-parsers take none either.

    A command or option that does not exist is answered with the one that was probably meant.
    """

    def __init__(self, *arguments, **settings) -> None:
        """Takes what ArgumentParser takes."""
        super().__init__(*arguments, **{"allow_abbrev": False, **settings})

    def parse_args(self, args=None, namespace=None):
        """As ArgumentParser's; unknown options are reported by the sub-command's parser."""
        words = list(sys.argv[1:] if args is None else args)
        values, unknown = self.parse_known_args(words, namespace)
        if unknown:
            chosen = chosen_parser(self, words)
            found = [suggestion(word, chosen._option_string_actions) for word in unknown if word[:1] == "-"]
            chosen.error(f"unrecognized arguments: {' '.join(unknown)}{next(filter(None, found), '')}")
        return values

    def error(self, message: str) -> None:
        """Prints the usage and the message, and exits with 2; suggests a choice that is spelt alike."""
        wrong = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)$", message)
        if wrong:
            choices = re.findall(r"[\w.-]+", wrong[2])
            message = message[: wrong.start()] + f"invalid choice: {wrong[1]!r}"
            message += suggestion(wrong[1], choices) or f" (choose from {wrong[2]})"
        super().error(message)


def chosen_parser(parser: argparse.ArgumentParser, words: Iterable[str]) -> argparse.ArgumentParser:
    """The parser of the innermost command that the words name."""
    for word in words:
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction) and word in action.choices:
                parser = action.choices[word]
                break
    return parser


def suggestion(word: str, known: Iterable[str]) -> str:
    """Asks for the known word that is most alike, such as "; did you mean enhance?"; empty when none is."""
    close = difflib.get_close_matches(word.partition("=")[0], list(known), n=1, cutoff=_CLOSE)
    return f"; did you mean {close[0]}?" if close else ""
