"""How a run's data were split into what it trained on and what it held out, as records say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kind.constants import VALIDATION_EVERY
from kind.training.part_text import read_part


def split_record(config: Mapping[str, Any]) -> dict[str, Any]:
    """The split of a run, by its `config.json`.

    A mixture has always held out one scene in 10, whatever `validation_every` its config records.

    Args:
        config: of a run folder of this version or an earlier one.

    Returns:
        "validation_every", one in this many by sorted name, None where nothing is recorded; "held_out", of
        what: "sample" or "scene"; and of a mixture "trained_whole", the parts of which nothing is held out.
    """
    parts = config.get("mixture")
    if not isinstance(parts, list):
        return {"validation_every": config.get("validation_every"), "held_out": "sample"}
    read = [read_part(part) for part in parts if isinstance(part, str)]
    return {
        "validation_every": VALIDATION_EVERY,
        "held_out": "scene",
        "trained_whole": [part.name for part in read if part and not part.held_out],
    }
