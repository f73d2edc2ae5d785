"""What has changed between the run that a folder records and the one that is asked for."""

from __future__ import annotations

import dataclasses
from typing import Any

from kind.errors import listed
from kind.training.config import OLD_NAMES, SCHEDULES_TO_THE_END, StageConfig

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
        The new values by name: more `epochs`, any `early_stop`, and the `schedule_epochs` under which the
        learning rate of the recorded epochs stays as it was. With a schedule that depends on the number of
        epochs there are no more of them without `schedule_epochs`.
    """
    found = {}
    if recorded.get("early_stop") != now.get("early_stop"):
        found["early_stop"] = now.get("early_stop")
    before, after = recorded.get("epochs"), now.get("epochs")
    if type(before) is not int or type(after) is not int or before >= after:
        return found
    if recorded.get("schedule") not in SCHEDULES_TO_THE_END:
        found["epochs"] = after
    elif now.get("schedule_epochs") == (recorded.get("schedule_epochs") or before):
        found["epochs"] = after
        if "schedule_epochs" not in recorded:
            found["schedule_epochs"] = now["schedule_epochs"]
    return found


def with_recorded_cycle(config: StageConfig, recorded: dict[str, Any]) -> StageConfig:
    """The settings that lengthen a run: its cosine schedule keeps its length, unless the user gives another.

    Args:
        config: of the command that resumes the run.
        recorded: of its `config.json`.

    Returns:
        The same, or with the `schedule_epochs` of the run, which are its recorded `epochs` where none were
        given.
    """
    schedules = {config.schedule, recorded.get("schedule")}
    if len(schedules) > 1 or config.schedule not in SCHEDULES_TO_THE_END or config.schedule_epochs:
        return config
    before = recorded.get("epochs")
    cycle = recorded.get("schedule_epochs") or before
    is_longer = type(before) is int and type(cycle) is int and before < config.epochs
    if is_longer or ("schedule_epochs" in recorded and before == config.epochs):
        return dataclasses.replace(config, schedule_epochs=cycle)
    return config


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
