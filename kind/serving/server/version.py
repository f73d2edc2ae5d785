"""A version of a model: its state, what is loaded of it, and how many requests use it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kind.serving.server.errors import ServingError
from kind.serving.server.signatures import Signature


class State(Enum):
    """The state of a version, numbered as `ModelVersionStatus.State`."""

    START, LOADING, AVAILABLE, UNLOADING, END = 10, 20, 30, 40, 50


class Model(Protocol):
    """A loaded version.

    Attributes:
        definitions: the `SignatureDef`s of its file by name.
        signatures: those that can be run.
        is_usable: whether it can be run now.
    """

    definitions: Mapping[str, Any]
    signatures: Mapping[str, Signature]
    is_usable: bool

    def warm_up(self) -> int:
        """Runs the recorded requests of the folder."""

    def run(self, signature: str, inputs: Mapping[str, np.ndarray], seconds: float) -> dict[str, np.ndarray]:
        """Runs a signature, and stops when it takes longer."""

    def close(self) -> None:
        """Gives back all that it holds."""


class Version:
    """A version of a model, and the number of requests that use it."""

    def __init__(self, name: str, number: int, folder: Path) -> None:
        """A version that is not loaded yet; `name` is its model's."""
        self.name, self.number, self.folder = name, number, folder
        self.state = State.START
        self.error: ServingError | None = None
        self.model: Model | None = None
        self.users = 0

    @property
    def can_be_asked(self) -> bool:
        """Whether it is served and its model works."""
        return self.state is State.AVAILABLE and self.model is not None and self.model.is_usable
