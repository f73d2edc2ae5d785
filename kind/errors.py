"""The one kind of error that a command turns into a single line and exit code 2."""

from collections.abc import Sequence


class UserError(ValueError):
    """A mistake that only the user can mend.

    The message is one line that says what was expected, what came, and what to do next. Commands
    print it to stderr without a traceback; everything else that is raised is a bug and keeps its own.
    Names of files and what stands in them may hold line breaks and what moves a terminal's cursor: the text
    of the error has them escaped.
    """

    def __str__(self) -> str:
        """The message, in one line."""
        return one_line(super().__str__())


def one_line(text: str) -> str:
    """Text with everything escaped that is not printable."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names for a message, such as "a, b, c and 4 more"; at most `most` of them are written out."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
