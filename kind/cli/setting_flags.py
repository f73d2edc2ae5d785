"""The settings of a stage as flags, made from its config class, and back."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import typing
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from kind.enhancing.precision import WITHOUT_INT8, chosen_precision
from kind.errors import UserError
from kind.training.config import StageConfig, flag_of

Config = TypeVar("Config", bound=StageConfig)

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def add_flags(parser: argparse.ArgumentParser, config_class: type) -> None:
    """Adds one flag for each field of a config class; a flag that is not given leaves the default."""
    hints = typing.get_type_hints(config_class)
    for item in dataclasses.fields(config_class):
        kind = hints[item.name]
        text = item.metadata["help"] + (f" (default: {item.default})" if item.default != "" else "")
        how: dict[str, Any] = {"type": kind}
        if kind is bool:
            how = {"action": argparse.BooleanOptionalAction}
            text = item.metadata["help"]  # argparse adds the default itself on some versions
        elif typing.get_origin(kind) is tuple:
            text = f"{item.metadata['help']} (default: {' '.join(map(str, item.default)) or 'none'})"
            how = {"type": typing.get_args(kind)[0], "nargs": "+"}
            if "repeated" in item.metadata:
                how["action"] = "extend"
        elif typing.get_origin(kind) is Literal:
            how = {"choices": typing.get_args(kind)}
        elif item.metadata["choices"]:
            how = {
                "choices": item.metadata["choices"],
                "type": _present_name,
                "metavar": WITHOUT_INT8,
            }
        elif kind is int:
            how["metavar"] = "N"
        if item.name == "lookahead" and "radam" not in typing.get_args(hints["optimizer"]):
            text = argparse.SUPPRESS  # it would be refused
        if item.name in config_class.unused:
            text = argparse.SUPPRESS
        parser.add_argument(flag_of(item.name), dest=item.name, default=None, help=text, **how)


def check_useful(config_class: type[StageConfig], arguments: argparse.Namespace) -> None:
    """Refuses flags that would do nothing.

    Args:
        config_class: the stage's dataclass.
        arguments: parsed by a parser that `add_flags` prepared; a flag that was not given is None.

    Raises:
        UserError: naming the flag.
    """
    for name in config_class.unused:
        if getattr(arguments, name) is not None:
            raise UserError(f"{flag_of(name)} does nothing in this stage; leave it out")
    for name, other in config_class.only_with.items():
        if getattr(arguments, name) and not getattr(arguments, other):
            raise UserError(f"{flag_of(name)} expects {flag_of(other)}, without which it does nothing")


def config_from_flags(
    config_class: type[Config],
    arguments: argparse.Namespace,
    recorded: Mapping[str, Any] = MappingProxyType({}),
    **replaced: Any,
) -> Config:
    """The config that the flags describe.

    Args:
        config_class: the stage's dataclass.
        arguments: parsed by a parser that `add_flags` prepared.
        recorded: settings of another run, where the user gave no flag.
        **replaced: defaults to use instead of the class's own, where the user gave no flag.

    Returns:
        An instance.

    Raises:
        UserError: when a value cannot be used.
    """
    given = {item.name: getattr(arguments, item.name) for item in dataclasses.fields(config_class)}
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }
    if "precision" in given:
        given["precision"] = _POLICIES[chosen_precision(given["precision"])]
    given = {**recorded, **given}
    return config_class(**{**config_class.defaults(given), **replaced, **given})


def _present_name(word: str) -> str:
    """A precision; "mixed_bfloat16" is an earlier name of bfloat16."""
    if word == _POLICIES["bfloat16"]:
        print(f"--precision {word} is deprecated; use bfloat16", file=sys.stderr)
        return "bfloat16"
    return word
