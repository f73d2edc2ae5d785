"""Which file of a folder of weights is whose; imports no TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from kind.errors import UserError
from kind.nn.forms import SHIPPED_WEIGHTS


def find_weights(stages: Sequence[str], folder: str | Path | None = None) -> dict[str, Path]:
    """Names the file of each stage's network, the shipped one where `folder` has none.

    Args:
        stages: names of the stages.
        folder: see `Enhancer.load`.

    Returns:
        A path for each stage, in the order of `stages`.

    Raises:
        UserError: when the folder does not exist or holds none of them.
    """
    shipped = {stage: SHIPPED_WEIGHTS / f"{stage}.keras" for stage in stages}
    if folder is None:
        return shipped
    folder = Path(folder)
    if not os.path.isdir(folder):
        raise UserError(f"{folder}: no such folder of weights")
    found = {stage: path for stage in stages if (path := _weights_in(folder, stage))}
    if not found:
        names = ", ".join(f"{stage}.keras" for stage in stages)
        several = "any of " if len(stages) > 1 else ""
        raise UserError(f"{folder}: expected {several}{names} (or run folders of these names); found none")
    return {stage: found.get(stage, shipped[stage]) for stage in stages}


def beside(file: Path, stage: str) -> Path | None:
    """Another stage's network in the same folder of weights as a file of `find_weights`; None without one."""
    return _weights_in(file.parent.parent if file.name == "best.keras" else file.parent, stage)


def _weights_in(folder: Path, stage: str) -> Path | None:
    """A stage's network in a folder of weights: its file, or that of a run folder of its name."""
    for path in (folder / f"{stage}.keras", folder / stage / "best.keras"):
        if path.is_file():
            return path
    return None
