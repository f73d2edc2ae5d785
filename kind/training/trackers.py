"""Experiment trackers that a run reports to by name, where they are installed: Weights & Biases, MLflow."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from tensorflow import keras

from kind.errors import UserError

_NOT_IN_NAMES = re.compile(r"[^\w/.\- ]")  # of MLflow


class Tracker(keras.callbacks.Callback):
    """Sends the settings once and every epoch's figures; a run does not depend on what becomes of them."""

    #: What to import, and to install.
    package = ""

    def __init__(self, name: str, settings: Mapping[str, Any]) -> None:
        """Finds the package.

        Args:
            name: of the run.
            settings: what `config.json` holds.

        Raises:
            UserError: when it is not installed.
        """
        super().__init__()
        self._name, self._settings = name, dict(settings)
        try:
            self._library = self._imported()
        except ImportError as error:
            raise UserError(
                f"--callback {self.package} needs the package {self.package}: pip install {self.package}"
            ) from error

    @staticmethod
    def _imported() -> ModuleType:
        """The package."""
        raise NotImplementedError


class WandbTracker(Tracker):
    """Reports to Weights & Biases; its own environment variables say where, and `wandb login` as whom."""

    package = "wandb"

    @staticmethod
    def _imported() -> ModuleType:
        import wandb

        return wandb

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins a run of the project "kind"."""
        self._run = self._library.init(project="kind", name=self._name, config=self._settings)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Sends the epoch's figures."""
        figures = {name: float(value) for name, value in (logs or {}).items()}
        self._run.log(figures, step=epoch + 1)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Ends the run."""
        self._run.finish()


class MlflowTracker(Tracker):
    """Reports to MLflow; MLFLOW_TRACKING_URI says where, otherwise the folder `mlruns/`."""

    package = "mlflow"

    @staticmethod
    def _imported() -> ModuleType:
        import mlflow

        return mlflow

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins a run of the experiment "kind"."""
        self._library.set_experiment("kind")
        self._library.start_run(run_name=self._name)
        self._library.log_params({name: str(value)[:500] for name, value in self._settings.items()})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Sends the epoch's figures."""
        figures = {_NOT_IN_NAMES.sub("_", name): float(value) for name, value in (logs or {}).items()}
        self._library.log_metrics(figures, step=epoch + 1)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Ends the run."""
        self._library.end_run()


TRACKERS: dict[str, type[Tracker]] = {"wandb": WandbTracker, "mlflow": MlflowTracker}


def make_trackers(names: Sequence[str], run: str, settings: Mapping[str, Any]) -> list[Tracker]:
    """The trackers of these names, each once; see `Tracker` for the rest."""
    return [TRACKERS[name](run, settings) for name in dict.fromkeys(names)]
