"""Reads the grid of `kind ablate`: which stage, which settings, which switches, which seeds."""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kind.cli.stages import STAGES
from kind.constants import MAX_SEED
from kind.errors import UserError, listed
from kind.training.config import flag_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_KEYS = frozenset("stage data quick given fields seeds rows score higher_is_better switch".split())
_LARGEST_FILE = 1 << 20
_MOST_RUNS = 1000
_OWN = ("seed",)


class Switch(NamedTuple):
    """A setting whose values are compared; digit d of a row's name stands for `values[d]`."""

    field: str
    values: tuple[Any, ...]


class Grid(NamedTuple):
    """What is trained.

    Attributes:
        stage: a key of `kind.cli.stages.STAGES`.
        words: of the command line of every run: data and given networks.
        fields: settings of every run.
        switches: settings that differ.
        rows: for each row a digit of each switch.
        seeds: each row is trained with each.
        score: what is compared, of `metrics.jsonl`; None: what the stage chooses its best network by.
        higher_is_better: of `score`.
    """

    stage: str
    words: tuple[str, ...]
    fields: dict[str, Any]
    switches: tuple[Switch, ...]
    rows: tuple[tuple[int, ...], ...]
    seeds: tuple[int, ...]
    score: str | None
    higher_is_better: bool

    def settings(self, row: tuple[int, ...]) -> dict[str, Any]:
        """All settings of a row."""
        chosen = {switch.field: switch.values[digit] for switch, digit in zip(self.switches, row)}
        return {**self.fields, **chosen}

    def command(self, row: tuple[int, ...], seed: int) -> list[str]:
        """Words of `kind train` for one run, without its folder."""
        words = [self.stage, *self.words]
        for name, value in {**self.settings(row), "seed": seed}.items():
            if isinstance(value, bool):
                words.append(flag_of(name) if value else f"--no-{flag_of(name)[2:]}")
            else:
                values = value if isinstance(value, list) else [value]
                words += [flag_of(name), *map(str, values)]
        return words


def row_name(row: tuple[int, ...]) -> str:
    """The digits of a row: "0 1 0"."""
    return " ".join(map(str, row))


def read_grid(path: Path) -> Grid:
    """Reads a grid from TOML, or from JSON of the same structure.

    Args:
        path: ends in .toml or .json; docs/comparing.md describes the content.

    Returns:
        The grid.

    Raises:
        UserError: when it cannot be read, or says what no stage has.
    """
    content = _content(path)
    if unknown := set(content) - _KEYS:
        raise UserError(f"{path}: unknown key {min(unknown)!r}; expected some of {listed(sorted(_KEYS), 12)}")
    stage = content.get("stage")
    if stage not in STAGES:
        raise UserError(f"{path}: stage expects one of {', '.join(STAGES)}; received {stage!r}")
    names = {item.name for item in dataclasses.fields(STAGES[stage].config)} - set(_OWN)
    fields = _table(path, content, "fields")
    switches = tuple(_switches(path, content))
    for name in (*fields, *(switch.field for switch in switches)):
        if name not in names:
            raise UserError(f"{path}: {name!r} is no setting of {stage}; see kind train {stage} --help")
    rows = tuple(_rows(path, content.get("rows"), switches))
    seeds = content.get("seeds", [0])
    if not isinstance(seeds, list) or not seeds or len(set(map(str, seeds))) < len(seeds):
        raise UserError(f"{path}: seeds expects a list of different numbers; received {seeds!r}")
    if not all(type(seed) is int and 0 <= seed <= MAX_SEED for seed in seeds):
        raise UserError(f"{path}: seeds expects whole numbers from 0 to {MAX_SEED}; received {seeds!r}")
    if len(rows) * len(seeds) > _MOST_RUNS:
        raise UserError(f"{path}: asks for {len(rows) * len(seeds)} runs; expected {_MOST_RUNS} or fewer")
    score, higher = content.get("score"), content.get("higher_is_better", True)
    if not isinstance(score, (str, type(None))) or type(higher) is not bool:
        raise UserError(f"{path}: score expects a name of metrics.jsonl, higher_is_better true or false")
    words = tuple(_words(path, content))
    return Grid(stage, words, fields, switches, rows, tuple(seeds), score, higher)


def _content(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise UserError(f"{path}: is larger than {_LARGEST_FILE} bytes; expected a grid of `kind ablate`")
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # of either format, and of what is not UTF-8
        raise UserError(f"{path}: cannot be read: {ascii(str(error))[1:-1]}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected keys and values; see docs/comparing.md")
    return content


def _table(path: Path, content: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = content.get(key, {})
    if not isinstance(table, dict):
        raise UserError(f"{path}: {key} expects a table of names and values; received {table!r}")
    for name, value in table.items():
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, (str, int, float)) for part in parts):
            raise UserError(
                f"{path}: {key}.{name} expects a text, a number, true or false, or a list of them"
            )
    return dict(table)


def _switches(path: Path, content: Mapping[str, Any]) -> Iterator[Switch]:
    items = content.get("switch", [])
    if not isinstance(items, list) or not items:
        raise UserError(f"{path}: expected at least one [[switch]] with field and values")
    seen = set(content.get("fields", ()))
    for item in items:
        field, values = (item.get("field"), item.get("values")) if isinstance(item, dict) else (None, None)
        fits = isinstance(field, str) and isinstance(values, list) and 2 <= len(values) <= 10
        if not fits or set(item) != {"field", "values"}:
            raise UserError(f"{path}: [[switch]] expects a field and two to ten values; received {item!r}")
        if field in seen:
            raise UserError(f"{path}: {field} is set twice")
        seen.add(field)
        _table(path, {"switch": {field: values}}, "switch")
        yield Switch(field, tuple(values))


def _rows(path: Path, rows: Any, switches: tuple[Switch, ...]) -> Iterator[tuple[int, ...]]:
    """The rows that are named; "all", or by default the first value of all, then each other value alone."""
    choices = [range(len(switch.values)) for switch in switches]
    if rows == "all":
        yield from itertools.product(*choices)
    elif rows is None:
        first = (0,) * len(switches)
        yield first
        for place, digits in enumerate(choices):
            for digit in digits[1:]:
                yield (*first[:place], digit, *first[place + 1 :])
    else:
        names = rows if isinstance(rows, list) else [rows]
        for name in names:
            digits = name.split() if isinstance(name, str) else []
            fits = len(digits) == len(switches) and all(
                digit.isdecimal() and int(digit) in choice for digit, choice in zip(digits, choices)
            )
            if not fits or names.count(name) > 1:
                form = f"different rows of {len(switches)} digits such as {row_name((0,) * len(switches))!r}"
                raise UserError(f'{path}: rows expects "all" or {form}; received {name!r}')
            yield tuple(map(int, digits))


def _words(path: Path, content: Mapping[str, Any]) -> Iterator[str]:
    data, quick = content.get("data"), content.get("quick", False)
    if (not data) != (quick is True):
        raise UserError(f"{path}: expects data, as --data of kind train takes it, or quick = true")
    if quick:
        yield "--quick"
    for part in [data] if isinstance(data, str) else data or ():
        if not isinstance(part, str):
            raise UserError(f"{path}: data expects a text or a list of texts; received {data!r}")
        yield from ("--data", part)
    for name, value in _table(path, content, "given").items():
        yield from (f"--{name}", str(value))
