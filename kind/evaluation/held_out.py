"""Which images of a data set the scored networks were not trained on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kind.errors import UserError

_RUN_FILES = ("best.keras", "last.keras")


class HeldOut(NamedTuple):
    """The rule by which training holds out images for validation.

    Attributes:
        every: one image in this many, by sorted name and from the first on.
        fact: the rule and where it comes from, in words.
        notes: what a reader must know besides.
    """

    every: int
    fact: str
    notes: list[str]


def held_out_images(
    networks: Mapping[str, Path], default: int, given: int | None = None, unit: str = "pair"
) -> HeldOut:
    """Finds the rule that the scored networks' training used.

    Where networks recorded different rules, the images are taken that all of them held out: with one in 4
    and one in 6 these are one in 12.

    Args:
        networks: for each network's name its file.
        default: the rule of training where none is recorded.
        given: the rule that the user asks for, None without one.
        unit: what is held out, in the singular.

    Returns:
        The rule.

    Raises:
        UserError: when a record cannot be read.
    """
    found = {name: recorded_split(path) for name, path in networks.items()}
    recorded = {name: every for name, every in found.items() if every is not None}
    told = ", ".join(f"{name} one in {every}" for name, every in recorded.items())
    if given is not None:
        every, reason = given, "as --validation-every says"
    elif recorded:
        every, reason = math.lcm(*recorded.values()), "as the weights record"
    else:
        every, reason = default, "the default of training; no weights record another rule"
    notes = []
    if given is not None and {*recorded.values()} - {given}:
        notes.append(f"--validation-every {given} is not how the weights were trained: they record {told}")
    elif len({*recorded.values()}) > 1:
        notes.append(
            f"the weights were trained with different splits ({told}); validation is one {unit} in {every}, "
            "which all of them held out"
        )
    unknown = [name for name in found if name not in recorded]
    if recorded and unknown:
        notes.append(f"no split is recorded for {', '.join(unknown)}: these may have seen the images")
    return HeldOut(every, f"one {unit} in {every}, by sorted name, {reason}", notes)


def recorded_split(file: Path) -> int | None:
    """Reads what a network's training held out.

    Args:
        file: `best.keras` or `last.keras` in a run folder, whose `config.json` records it; or `STAGE.keras`
            in a folder of packed weights, whose `training.json` does, by stage.

    Returns:
        One image in this many; None when nothing is recorded.

    Raises:
        UserError: when a record cannot be read.
    """
    config, training = file.with_name("config.json"), file.with_name("training.json")
    if file.name in _RUN_FILES and config.is_file():
        return _validation_every(config, _read(config))
    if training.is_file():
        return _validation_every(training, _read(training).get(file.stem, {}))
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: expected JSON that records how weights were trained: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a JSON object that records how weights were trained")
    return content


def _validation_every(path: Path, record: Any) -> int | None:
    every = record.get("validation_every") if isinstance(record, dict) else None
    if every is not None and not (type(every) is int and every > 1):
        raise UserError(f"{path}: validation_every expects a whole number from 2 on, received {every!r}")
    return every
