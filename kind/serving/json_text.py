"""Reads JSON that somebody else wrote, within limits: some megabytes can stand for gigabytes of objects."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

_LONGEST_INTEGER = 20
_MOST_LISTS, _MOST_VALUES = 1 << 21, 1 << 23  # enough for the pixels of 1920×1080
_MOST_QUOTES = 1 << 18  # enough for the rows of a request


def read_json(text: bytes) -> Any:
    """Reads a JSON text.

    Args:
        text: UTF-8.

    Returns:
        Its objects, lists, strings and numbers.

    Raises:
        ValueError: it is no JSON, nested too deeply, or holds too many values, or NaN or infinity.
    """
    letters = np.frombuffer(text, np.uint8)
    for which, most, what in (
        (b"[{", _MOST_LISTS, "lists and objects"),
        (b",", _MOST_VALUES, "values"),
        (b'"', _MOST_QUOTES, "quotation marks"),
    ):
        if sum(int(np.count_nonzero(letters == letter)) for letter in which) > most:
            raise ValueError(f"more than {most} {what}: send image files, or gRPC")
    try:
        return json.loads(text, parse_int=_integer, parse_float=_decimal, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _decimal(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _integer(text: str) -> int:
    # Reading an integer of millions of digits takes minutes.
    if len(text) > _LONGEST_INTEGER:
        raise ValueError(f"integer of {len(text)} digits")
    return int(text)
