"""What has changed between the run that a folder records and the one that is asked for."""

from __future__ import annotations

from typing import Any

from kind.errors import listed
from kind.training.config import OLD_NAMES, SCHEDULES_TO_THE_END
from kind.training.manifest import LENGTHS

#: Settings that older run folders record under another name.
RENAMED_SETTINGS = {**OLD_NAMES, "fork": "init_from", "fork_partly": "init_partly"}


def differences(recorded: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What has changed between two flat dictionaries, one phrase for each name."""
    # A name that is still in use was not renamed: other stages than the detector's have patches.
    renamed = {old: new for old, new in RENAMED_SETTINGS.items() if new in now and old not in now}
    recorded = {renamed.get(name, name): value for name, value in recorded.items()}
    return [
        f"{name} was {recorded.get(name)!r}, now {now.get(name)!r}"
        for name in [*recorded, *(name for name in now if name not in recorded)]
        if recorded.get(name) != now.get(name)
    ]


def new_lengths(recorded: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """What only ends a run later, or otherwise than recorded: settings that a resumed run may be given.

    Args:
        recorded: of `config.json`.
        now: the same of the command that resumes it.

    Returns:
        The new values by name: more `epochs`, unless the schedule of the learning rate depends on them, and
        any `early_stop`.
    """
    found = {}
    for name in LENGTHS:
        before, after = recorded.get(name), now.get(name)
        is_more = type(before) is int and type(after) is int and before < after
        if before != after and (
            name != "epochs" or (is_more and recorded.get("schedule") not in SCHEDULES_TO_THE_END)
        ):
            found[name] = after
    return found


def data_differences(recorded: dict[str, dict[str, str]], now: dict[str, dict[str, str]]) -> list[str]:
    """What has changed between two data sets: "training data: 2 added (a, b)"."""
    phrases = []
    for part in now:
        before, after = recorded.get(part), now[part]
        before = before if isinstance(before, dict) else {}  # what a damaged file holds is another data set
        groups = {
            "added": after.keys() - before.keys(),
            "removed": before.keys() - after.keys(),
            "changed": {name for name in after.keys() & before.keys() if after[name] != before[name]},
        }
        texts = [
            f"{len(names)} {what} ({listed(sorted(names), 3)})" for what, names in groups.items() if names
        ]
        if texts:
            phrases.append(f"{part} data: {', '.join(texts)}")
    return phrases
