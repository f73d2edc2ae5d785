"""A version of a model: its state, what is loaded of it, and how many requests use it."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from kind.serving.server.errors import ServingError

if TYPE_CHECKING:
    from kind.serving.server.version_process import VersionProcess


class State(Enum):
    """The state of a version, numbered as `ModelVersionStatus.State`."""

    START, LOADING, AVAILABLE, UNLOADING, END = 10, 20, 30, 40, 50


class Version:
    """A version of a model, and the number of requests that use it."""

    def __init__(self, name: str, number: int, folder: Path) -> None:
        """A version that is not loaded yet; `name` is its model's."""
        self.name, self.number, self.folder = name, number, folder
        self.state = State.START
        self.error: ServingError | None = None
        self.model: VersionProcess | None = None
        self.users = 0

    @property
    def can_be_asked(self) -> bool:
        """Whether it is served and its model works."""
        return self.state is State.AVAILABLE and self.model is not None and self.model.is_usable
