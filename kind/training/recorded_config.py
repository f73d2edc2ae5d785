"""Settings read back from the `config.json` of a run."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from kind.errors import UserError
from kind.training.config import OLD_NAMES, StageConfig
from kind.training.run_folder import read_json


class Recorded(NamedTuple):
    """What a `config.json` gives a new run.

    Attributes:
        settings: of the stage, by name.
        more: what else the command line may say: `init_from`, `init_partly` and `mixture`.
    """

    settings: dict[str, Any]
    more: dict[str, Any]


def read_recorded(path: Path, stage: str, config_class: type[StageConfig]) -> Recorded:
    """Reads the settings of a stage.

    Args:
        path: a `config.json`, or the run folder that it is in.
        stage: that is to be trained.
        config_class: its settings.

    Returns:
        The settings that the file has. Digests of networks and data are left out: the new run has its own.

    Raises:
        UserError: when it cannot be read, is of another stage, or a setting has another type.
    """
    file = path / "config.json" if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"{file}: no such file; --config expects a run's config.json, or its folder")
    content = read_json(file)
    if content.get("stage", stage) != stage:
        raise UserError(f"{file}: is of the stage {content['stage']!r}; this one is {stage!r}")
    hints = typing.get_type_hints(config_class)
    fields = {item.name: item for item in dataclasses.fields(config_class)}
    settings = {}
    for name, value in content.items():
        if name not in fields and OLD_NAMES.get(name) in fields:
            name = OLD_NAMES[name]
        if name in fields:
            settings[name] = _value(file, name, value, hints[name])
        elif similar := difflib.get_close_matches(name, fields, n=1, cutoff=0.8):
            raise UserError(f"{file}: {name} is no setting of {stage}; did you mean {similar[0]}?")
    return Recorded(settings, _more(file, content))


def _more(file: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    expected = {"init_from": str, "init_partly": bool, "mixture": tuple[str, ...]}
    given = {name: content[name] for name in expected if content.get(name)}
    return {name: _value(file, name, value, expected[name]) for name, value in given.items()}


def _value(file: Path, name: str, value: Any, hint: Any) -> Any:
    """A JSON value as the setting's own type."""
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        return tuple(_value(file, name, one, typing.get_args(hint)[0]) for one in value)
    if hint is float and type(value) is int:
        return float(value)
    choices = typing.get_args(hint) if typing.get_origin(hint) is Literal else None
    if value not in choices if choices else type(value) is not hint:
        told = f"one of {', '.join(map(str, choices))}" if choices else getattr(hint, "__name__", "a list")
        raise UserError(f"{file}: {name} expects {told}, received {str(value)[:80]!r}")
    return value
