"""Which images of a data set the scored networks were not trained on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kind.errors import UserError
from kind.training.split_record import split_record

_RUN_FILES = ("best.keras", "last.keras")
#: Networks that a run also writes by themselves, beside the whole, by its stage.
_PARTS = {
    "joint": ("decom", "restoration", "illumination"),
    "detection": ("detector",),
    "adapt": ("detector",),
}


class HeldOut(NamedTuple):
    """The rule by which training holds out images for validation.

    Attributes:
        every: one image in this many, by sorted name and from the first on.
        scenes: of one scene in this many. Of both, 1 is no rule; images are held out that fulfil both.
        rule: both in words.
        fact: the rule, where it comes from, and its exceptions, in words.
        notes: what a reader must know besides.
    """

    every: int
    scenes: int
    rule: str
    fact: str
    notes: list[str]


class RecordedSplit(NamedTuple):
    """What a network's training held out, as its record says.

    Attributes:
        every: one sample, or scene, in this many, by sorted name.
        by_scene: all samples of a scene are held out together: a mixture.
        whole: parts of the mixture of which nothing is held out.
        is_vague: the record is of a version that did not tell mixtures from other data.
    """

    every: int
    by_scene: bool = False
    whole: tuple[str, ...] = ()
    is_vague: bool = False

    def in_words(self, unit: str) -> str:
        """Such as "one scene in 10"."""
        return f"one {'scene' if self.by_scene else unit} in {self.every}"


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
    recorded = {name: split for name, split in found.items() if split is not None}
    splits = list(recorded.values()) or [RecordedSplit(default)]
    if given is not None:
        splits, reason = [split._replace(every=given) for split in splits], "as --validation-every says"
    elif recorded:
        reason = "as the weights record"
    else:
        reason = "the default of training; no weights record another rule"
    by_unit = [
        RecordedSplit(math.lcm(*(split.every for split in splits if split.by_scene == by_scene)), by_scene)
        for by_scene in (False, True)
    ]
    rule = " and ".join(split.in_words(unit) for split in by_unit if split.every > 1)
    fact = f"{rule}, by sorted name, {reason}"
    notes = _notes_of_rules(recorded, given, unit, rule)
    unknown = [name for name in found if name not in recorded]
    if recorded and unknown:
        notes.append(f"no split is recorded for {', '.join(unknown)}: these may have seen the images")
    vague = [name for name, split in recorded.items() if split.is_vague and unit == "pair"]
    if vague:
        notes.append(
            f"an earlier version recorded the split of {', '.join(vague)}, without what a mixture holds out: "
            "if these were trained on one, they may have seen the images"
        )
    parts = sorted({part for split in recorded.values() for part in split.whole})
    if parts:
        trained = ", ".join(name for name, split in recorded.items() if split.whole)
        fact += f"; nothing of {', '.join(parts)}"
        notes.append(
            f"training held nothing out of {', '.join(parts)} (in {trained}); figures on images of that data "
            "are not figures on unseen images"
        )
    return HeldOut(by_unit[0].every, by_unit[1].every, rule, fact, notes)


def _notes_of_rules(
    recorded: Mapping[str, RecordedSplit], given: int | None, unit: str, rule: str
) -> list[str]:
    """Notes about networks whose rules differ from each other, or from the given one."""
    told = ", ".join(f"{name} {split.in_words(unit)}" for name, split in recorded.items())
    if given is not None and {split.every for split in recorded.values()} - {given}:
        return [f"--validation-every {given} is not how the weights were trained: they record {told}"]
    if len({(split.every, split.by_scene) for split in recorded.values()}) > 1:
        return [
            f"the weights were trained with different splits ({told}); validation is {rule}, which all of "
            "them held out"
        ]
    return []


def recorded_split(file: Path) -> RecordedSplit | None:
    """Reads what a network's training held out.

    Args:
        file: in a run folder, whose `config.json` records it; or `STAGE.keras` in a folder of packed weights,
            whose `training.json` does, by stage.

    Returns:
        The split; None when nothing is recorded.

    Raises:
        UserError: when a record cannot be read.
    """
    config, training = file.with_name("config.json"), file.with_name("training.json")
    if config.is_file():
        record = _read(config)
        if file.name in _RUN_FILES or file.stem in _PARTS.get(record.get("stage"), ()):
            return _split(config, split_record(record))
    if training.is_file():
        return _split(training, _read(training).get(file.stem, {}))
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: expected JSON that records how weights were trained: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a JSON object that records how weights were trained")
    return content


def _split(path: Path, record: Any) -> RecordedSplit | None:
    """What `kind.training.split_record` gave, or its earlier form with "validation_every" alone."""
    every = record.get("validation_every") if isinstance(record, dict) else None
    if every is None:
        return None
    if not (type(every) is int and every > 1):
        raise UserError(f"{path}: validation_every expects a whole number from 2 on, received {every!r}")
    held_out, whole = record.get("held_out"), record.get("trained_whole", [])
    if held_out not in (None, "sample", "scene"):
        raise UserError(f"{path}: held_out expects sample or scene, received {held_out!r}")
    if not (isinstance(whole, list) and all(isinstance(part, str) for part in whole)):
        raise UserError(f"{path}: trained_whole expects a list of names, received {whole!r}")
    return RecordedSplit(every, held_out == "scene", tuple(whole), is_vague=held_out is None)
