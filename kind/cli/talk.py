"""How much a command says, what it computes on: options that every command has."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from typing import BinaryIO, TextIO

from kind.cli.json_lines import JsonLines
from kind.errors import UserError

JSON_COMMANDS = ("enhance", "demo", "detect", "remote", "edges", "darken", "scenes", "doctor", "evaluate")
"""Commands that can print a line of JSON for each photograph, finding or score; others write files of it."""

_DEVICE = re.compile(r"auto|cpu|gpu(:\d+)?")


def add_common_arguments(parser: argparse.ArgumentParser, json_lines: bool = False) -> None:
    """Declares -q, -v and --device for a command, or for its sub-commands where it needs one.

    Args:
        parser: of the command.
        json_lines: whether it works on files one by one, and can print a line of JSON for each.
    """
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for command in {id(each): each for action in inner for each in action.choices.values()}.values():
        add_common_arguments(command, json_lines)
    if any(action.required for action in inner):
        return
    group = parser.add_argument_group("everywhere")
    amount = group.add_mutually_exclusive_group()
    amount.add_argument(
        "-q", "--quiet", action="store_true", help="print errors and warnings only: no tables, no progress"
    )
    amount.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="also print what TensorFlow logs, and where in the code an error was found",
    )
    if json_lines:
        group.add_argument(
            "--json",
            action="store_true",
            help="print a line of JSON for each photograph, finding or score in place of the text",
        )
    group.add_argument(
        "--device",
        default="auto",
        metavar="DEVICE",
        help="what the networks compute on: auto, cpu, gpu or gpu:N (default: auto, a GPU if there is one)",
    )


def apply_common_arguments(arguments: argparse.Namespace) -> None:
    """Does what the options of `add_common_arguments` ask for; before TensorFlow is imported.

    Raises:
        UserError: on another device, or a GPU that is not there.
    """
    if arguments.verbose:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
    choose_device(arguments.device)
    json_lines = getattr(arguments, "json", None) is True and arguments.command in JSON_COMMANDS
    if json_lines:
        sys.stdout = JsonLines(sys.stdout)
    if arguments.quiet:  # `guarded` puts the streams back
        sys.stderr = ErrorsOnly(sys.stderr)
        sys.stdout = sys.stdout if json_lines else Silent(sys.stdout)


def choose_device(text: str) -> None:
    """Hides the other devices from TensorFlow.

    Args:
        text: "auto" hides none; "cpu"; "gpu", "gpu:1".

    Raises:
        UserError: on another text, or a GPU that is not there.
    """
    if not _DEVICE.fullmatch(text):
        raise UserError(f"--device expects auto, cpu, gpu or gpu:N, received {text!r}")
    if text == "auto":
        return
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1" if text == "cpu" else text.partition(":")[2] or "0"
    if text.startswith("gpu") and not _has_gpu():
        raise UserError(
            f"--device {text}: TensorFlow finds no such GPU; check nvidia-smi and the CUDA libraries, or "
            "leave --device out"
        )


def _has_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


class ErrorsOnly(io.TextIOBase):
    """Lets lines of errors and warnings through, which begin with the program's name, and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        """Takes the stream below."""
        self._stream, self._line = stream, ""

    def isatty(self) -> bool:
        """No: bars are for terminals."""
        return False

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, text: str) -> int:
        """Keeps a line until it has ended, and then writes or drops it."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if (line.startswith("kind") or ": WARNING: " in line) and not line.endswith(" left"):
                self._stream.write(f"{line}\n")
        return len(text)

    def flush(self) -> None:
        """Flushes the stream below."""
        self._stream.flush()


class Silent(io.TextIOBase):
    """Takes all text and writes none; bytes, such as those of an image, go through."""

    def __init__(self, stream: TextIO) -> None:
        """Takes the stream below."""
        self._stream = stream

    @property
    def buffer(self) -> BinaryIO:
        """Where bytes go."""
        return self._stream.buffer

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, text: str) -> int:
        """Drops it."""
        return len(text)
