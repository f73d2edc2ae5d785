"""What a network's file may say: checks that turn values of a JSON config into arguments of our calls.

A check takes a value and returns what a constructor gets for it, or raises `Refused`. An object in a config
is known by all three of module, class name and registered name, exactly as the writers of files spell them; a
table of such names holds a constructor and a check for each of its settings. A key, a value or an object that
is in no table is refused, so a file chooses among what is written here and can reach nothing else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Check = Callable[[Any], Any]
Identity = tuple[str, str, "str | None"]
"""Module, class name and registered name."""

# What TensorFlow takes for the name of a scope; any other name fails, or garbles a terminal.
_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]{0,255}")
_OBJECT_KEYS = {"module", "class_name", "registered_name", "config", "build_config"}
_LARGEST_REAL = 1e9


class Refused(ValueError):
    """Something that no network's file says; the message says what."""


class Known(NamedTuple):
    """An object that files may ask for.

    Attributes:
        make: called with the checked settings by name.
        settings: a check for each setting; a file may leave settings out.
    """

    make: Callable[..., Any]
    settings: Mapping[str, Check]


Table = dict[Identity, Known]


def shown(value: object) -> str:
    """A value for a message: one line of printable ASCII, and not too long."""
    text = ascii(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def identity_of(item: object) -> Identity:
    """Which object a dictionary of a config describes.

    Raises:
        Refused: when it describes none, or is more than a description.
    """
    if not isinstance(item, dict) or not isinstance(item.get("class_name"), str):
        raise Refused(f"an object without a name: {shown(item)}")
    if surplus := item.keys() - _OBJECT_KEYS:
        raise Refused(f"{shown(item['class_name'])} with {shown(min(surplus))}")
    names = item.get("module"), item["class_name"], item.get("registered_name")
    if not isinstance(names[0], str) or not isinstance(names[2], (str, type(None))):
        raise Refused(f"{shown(item['class_name'])} without a module")
    return names


def made(item: object, table: Table) -> Any:
    """Makes the object that a dictionary of a config describes.

    Args:
        item: with module, class name, registered name and the object's own config.
        table: of all objects that may stand there.

    Returns:
        What the table's constructor returned.

    Raises:
        Refused: when the table has no such object, or it is given settings that it does not have.
    """
    identity = identity_of(item)
    if identity not in table:
        registered = "" if identity[2] in (None, identity[1]) else f" registered as {shown(identity[2])}"
        raise Refused(shown(_dotted(item)) + registered)
    known = table[identity]
    return known.make(**checked(item.get("config"), known.settings, identity[1]))


def _dotted(item: dict) -> str:
    return f"{item.get('module')}.{item['class_name']}"


def checked(config: object, settings: Mapping[str, Check], owner: str) -> dict[str, Any]:
    """The checked settings of an object."""
    if not isinstance(config, dict):
        raise Refused(f"{shown(owner)} without settings")
    arguments = {}
    for name, value in config.items():
        if name not in settings:
            if isinstance(value, dict) and "class_name" in value:
                raise Refused(f"{shown(_dotted(value))} as {shown(name)} of {shown(owner)}")
            raise Refused(f"{shown(owner)} with a setting {shown(name)}")
        try:
            arguments[name] = settings[name](value)
        except Refused as refused:
            raise Refused(f"{refused} as {name} of {shown(owner)}") from None
    return arguments


def objects(table: Table) -> Check:
    """One of the objects of a table."""
    return lambda value: made(value, table)


def whole(low: int, high: int) -> Check:
    """A whole number between two others, both included."""

    def check(value):
        if type(value) is not int or not low <= value <= high:
            raise Refused(shown(value))
        return value

    return check


def real(value: Any) -> float:
    """A finite number."""
    if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > _LARGEST_REAL:
        raise Refused(shown(value))
    return value


def flag(value: Any) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise Refused(shown(value))
    return value


def choice(*values: Any) -> Check:
    """One of these values, of the same type."""

    def check(value):
        if not any(type(value) is type(known) and value == known for known in values):
            raise Refused(shown(value))
        return value

    return check


def optional(check: Check) -> Check:
    """None, or what passes another check."""
    return lambda value: None if value is None else check(value)


def several(check: Check, low: int, high: int) -> Check:
    """A list of so many values, as a tuple."""

    def check_all(value):
        if not isinstance(value, list) or not low <= len(value) <= high:
            raise Refused(shown(value))
        return tuple(check(item) for item in value)

    return check_all


def either(*checks: Check) -> Check:
    """What passes the first check that it passes."""

    def check(value):
        for one in checks:
            try:
                return one(value)
            except Refused as refused:
                last = refused
        raise last

    return check


def scope_name(value: Any) -> str:
    """The name of a layer or network."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise Refused(f"the name {shown(value)}")
    return value


MOST_CLASSES, LONGEST_LABEL = 1 << 14, 200
"""Classes of a detector, as many as a layer has channels at most; characters of a name."""


def label(value: Any) -> str:
    """A text for people, such as the name of a class of objects: one line."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_LABEL or not value.isprintable():
        raise Refused(shown(value))
    return value
