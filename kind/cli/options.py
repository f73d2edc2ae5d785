"""Options that several commands have, each declared and checked once; and old names of options.

Imports no TensorFlow: `--help` must be quick.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path

from kind.constants import (
    CHANGE_THRESHOLD,
    DEFAULT_ALPHA,
    FUSIONS,
    LARGEST_ALPHA,
    MAX_PIXELS,
    MAX_SEED,
    SMALLEST_CHANGE,
)
from kind.errors import UserError
from kind.images.photo import DEFAULT_QUALITY, WRITABLE_SUFFIXES

FORMATS = tuple(suffix[1:] for suffix in WRITABLE_SUFFIXES)

_MOST_WORKERS = 64


class Checked(argparse.Action):
    """Stores a value when it is in range, and raises a UserError that names the option otherwise.

    Example:
        >>> parser.add_argument(
        ...     "--quality", action=Checked, type=int, accepts=lambda value: value > 0, expected="1 or more"
        ... )
    """

    def __init__(self, *arguments, accepts: Callable[[object], bool], expected: str, **settings) -> None:
        """Takes what is accepted, and the same in words."""
        super().__init__(*arguments, **settings)
        self._accepts, self._expected = accepts, expected

    def __call__(self, parser, namespace, values, option_string=None):
        """Stores `values`."""
        if not self._accepts(values):
            raise UserError(f"{option_string} expects {self._expected}, received {values}")
        setattr(namespace, self.dest, values)


def add_threshold_argument(parser: argparse.ArgumentParser) -> None:
    """Declares --threshold of change detection."""
    parser.add_argument(
        "--threshold",
        action=Checked,
        type=float,
        accepts=is_fraction,
        expected="a number from 0 to 1",
        default=CHANGE_THRESHOLD,
        help="probability above which a pixel has changed (default: %(default)s)",
    )


def add_smallest_argument(parser: argparse.ArgumentParser) -> None:
    """Declares --smallest of change detection."""
    parser.add_argument(
        "--smallest",
        type=int,
        default=SMALLEST_CHANGE,
        metavar="PIXELS",
        help="leave out regions of fewer pixels (default: %(default)s)",
    )


def add_alpha_argument(
    parser: argparse.ArgumentParser,
    text: str,
    default: str = "auto, the network's suggestion for each photograph; without an exposure head, --variant "
    f"kind takes {DEFAULT_ALPHA:g}",
) -> None:
    """Declares --alpha; None, which "auto" gives as well, leaves α to the variant."""
    parser.add_argument(
        "--alpha",
        action=Checked,
        type=alpha,
        accepts=lambda alpha: alpha is None or 0 <= alpha <= LARGEST_ALPHA,
        expected="a number from 0 on, or auto",
        metavar="α",
        help=f"{text} (default: {default})",
    )


def alpha(text: str) -> float | None:
    """Reads α; "auto" is None."""
    return None if text == "auto" else float(text)


def add_brightness_argument(parser: argparse.ArgumentParser) -> None:
    """Declares --brightness, which takes the place of --alpha; `check_brightness` reads both."""
    parser.add_argument(
        "--brightness",
        action=Checked,
        type=float,
        accepts=lambda value: 0 < value < 1,
        expected="a number between 0 and 1",
        metavar="LUMA",
        help="mean luma of each result, between 0 and 1, in place of --alpha",
    )


def check_brightness(arguments: argparse.Namespace) -> None:
    """Refuses --brightness together with --alpha, with a UserError."""
    if arguments.brightness is not None and arguments.alpha is not None:
        raise UserError("--brightness and --alpha both say how bright the result is; give one of them")


def add_strength_argument(parser: argparse.ArgumentParser) -> None:
    """Declares --strength."""
    parser.add_argument(
        "--strength",
        action=Checked,
        type=float,
        accepts=is_fraction,
        expected="a number from 0 to 1",
        default=1.0,
        metavar="SHARE",
        help="blending weight of the enhanced image, 0 to 1; 0 gives the photograph (default: 1)",
    )


def add_fusion_argument(parser: argparse.ArgumentParser) -> None:
    """Declares --fusion."""
    parser.add_argument(
        "--fusion",
        choices=FUSIONS,
        default=FUSIONS[0],
        help="how the result is composed: plain multiplies reflectance and illumination; published masks and "
        f"blends as KinD's evaluation script does (default: {FUSIONS[0]})",
    )


def add_writing_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares --format and --quality of written images."""
    add_format_argument(parser)
    parser.add_argument(
        "--quality",
        action=Checked,
        type=int,
        accepts=lambda quality: 1 <= quality <= 100,
        expected="1 to 100",
        help=f"quality of JPEG and WebP files, 1 to 100 (default: a JPEG's own, else {DEFAULT_QUALITY})",
    )


def add_format_argument(parser: argparse.ArgumentParser) -> None:
    """Declares --format of written images."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        metavar="FORMAT",
        help=f"image format: {', '.join(FORMATS)} (default: the input's)",
    )


def add_workers_argument(parser: argparse.ArgumentParser) -> None:
    """Declares --workers, the number of threads that read and that write."""
    parser.add_argument(
        "--workers",
        action=Checked,
        type=int,
        accepts=lambda workers: 0 <= workers <= _MOST_WORKERS,
        expected=f"0 to {_MOST_WORKERS}",
        default=1,
        metavar="N",
        help="number of photographs that are read ahead while others are processed and written; 0 processes "
        "one at a time, in the least memory (default: %(default)s)",
    )


def add_seed_argument(parser: argparse.ArgumentParser, text: str) -> None:
    """Declares --seed; `text` says what the random numbers are for."""
    parser.add_argument(
        "--seed",
        action=Checked,
        type=int,
        accepts=lambda seed: 0 <= seed <= MAX_SEED,
        expected=f"a number from 0 to {MAX_SEED}",
        default=0,
        help=f"random seed; {text} (default: %(default)s)",
    )


def add_validation_every_argument(parser: argparse.ArgumentParser, unit: str, default: str) -> None:
    """Declares --validation-every of evaluations; `unit` is held out, and None is `default`, in words."""
    parser.add_argument(
        "--validation-every",
        action=Checked,
        type=int,
        accepts=lambda number: number >= 2,
        expected="at least 2",
        metavar="N",
        help=f"validation is one {unit} in N, by sorted name (default: {default})",
    )


def add_max_pixels_argument(parser: argparse.ArgumentParser, text: str) -> None:
    """Declares --max-pixels; `text` says of what."""
    parser.add_argument(
        "--max-pixels",
        action=Checked,
        type=int,
        accepts=lambda number: number >= 1,
        expected="1 or more",
        default=MAX_PIXELS,
        metavar="N",
        help=f"{text} (default: {MAX_PIXELS:,})",
    )


def add_seconds_argument(parser: argparse.ArgumentParser, option: str, text: str, default: float) -> None:
    """Declares a time limit; `text` says for what."""
    parser.add_argument(
        option,
        action=Checked,
        type=float,
        accepts=lambda value: 0 < value < math.inf,
        expected="a number over 0",
        default=default,
        metavar="SECONDS",
        help=f"{text} (default: {default:g})",
    )


def add_cache_argument(parser: argparse.ArgumentParser) -> None:
    """Declares --cache; None is the default folder."""
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="folder for decoded images (default: ~/.cache/kind)"
    )


def is_fraction(value: float) -> bool:
    """Whether a value is in [0, 1]; for `Checked`."""
    return 0 <= value <= 1


class _Renamed(argparse.Action):
    """Stores the value under the new name, and says once that the old name is deprecated."""

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
