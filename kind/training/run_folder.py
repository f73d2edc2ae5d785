"""A run folder: what was asked for, what came of it, and enough to go on after being killed."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import tensorflow as tf

from kind.errors import UserError
from kind.files import replacing
from kind.network_files import save_net
from kind.training.stage import Stage


class RunFolder:
    """The files of one run: `config.json`, `metrics.jsonl`, `backup/`, `best.keras`, `last.keras`.

    Everything is written to a temporary name first. `metrics.jsonl` holds nothing that depends on the
    clock, so that a run that was killed and resumed leaves the same bytes as one that was not.
    """

    def __init__(self, path: str | Path) -> None:
        """Names a folder; nothing is written yet."""
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.metrics_file = self.path / "metrics.jsonl"
        self.best_file = self.path / "best.keras"
        self.last_file = self.path / "last.keras"
        self.samples = self.path / "samples"

    def open(self, description: dict[str, Any]) -> None:
        """Records what the run is, or checks that it is the one recorded.

        Args:
            description: JSON values by name; see `describe`.

        Raises:
            UserError: when the folder belongs to a run of another description (the message says what
                changed), holds other files, or cannot be written to.
        """
        if not self.config_file.is_file():
            if self.path.is_dir() and any(self.path.iterdir()):
                raise UserError(
                    f"{self.path}: holds files but no config.json; give --run a new or empty folder"
                )
            try:
                with replacing(self.config_file) as temporary:
                    temporary.write_text(json.dumps(description, indent=2) + "\n")
            except OSError as error:
                raise UserError(f"{self.path}: cannot be written to: {error.strerror}") from error
            return
        recorded = json.loads(self.config_file.read_text())
        changed = [
            f"{name} was {recorded.get(name)!r}, now {description.get(name)!r}"
            for name in sorted({*recorded, *description})
            if recorded.get(name) != description.get(name)
        ]
        if changed:
            raise UserError(
                f"{self.path}: belongs to another run ({'; '.join(changed)}); "
                "give --run a new folder, or the same settings to go on"
            )

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Adds one line for an epoch."""
        with open(self.metrics_file, "a") as file:
            file.write(json.dumps(record) + "\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        """The lines so far; a last line that was cut off by a kill is left out."""
        if not self.metrics_file.is_file():
            return []
        records = []
        for line in self.metrics_file.read_text().splitlines():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return records

    def forget_after(self, epoch: int) -> None:
        """Drops the lines of epochs that will be run again."""
        kept = [record for record in self.read_metrics() if record["epoch"] <= epoch]
        with replacing(self.metrics_file) as temporary:
            temporary.write_text("".join(json.dumps(record) + "\n" for record in kept))

    def best_value(self, stage: Stage) -> float:
        """The best monitored value on record, or the worst possible one."""
        values = [record[stage.monitor] for record in self.read_metrics() if stage.monitor in record]
        best, worst = (max, -math.inf) if stage.higher_is_better else (min, math.inf)
        return best(values, default=worst)

    def save_last(self, stage: Stage) -> None:
        """Writes `last.keras`."""
        save_net(stage.net, self.last_file)

    def save_best(self, stage: Stage) -> None:
        """Writes `best.keras`."""
        save_net(stage.net, self.best_file)


class Backup:
    """Weights, optimiser state and epoch, saved together and restored bit by bit."""

    def __init__(self, folder: RunFolder, stage: Stage) -> None:
        """Names what is saved; the newest two are kept, so that one is whole at any moment.

        Args:
            folder: of the run.
            stage: compiled with its optimiser.
        """
        self._epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        stage.optimizer.build(stage.net.trainable_variables)
        checkpoint = tf.train.Checkpoint(net=stage.net, optimizer=stage.optimizer, epoch=self._epoch)
        self._manager = tf.train.CheckpointManager(checkpoint, str(folder.path / "backup"), max_to_keep=2)

    def restore(self) -> int:
        """Restores the newest backup, if there is one.

        Returns:
            The number of finished epochs, 0 without a backup.
        """
        self._manager.restore_or_initialize()
        return int(self._epoch)

    def save(self, epoch: int) -> None:
        """Saves the state after an epoch (its number from 1)."""
        self._epoch.assign(epoch)
        self._manager.save(checkpoint_number=epoch)


def describe(stage: str, config: Any, **identity: str) -> dict[str, Any]:
    """What `config.json` holds: the stage, its settings, and digests of what it was trained on."""
    description = {"stage": stage, **dataclasses.asdict(config), **identity}
    return json.loads(json.dumps(description))  # tuples become lists, as they will be when read back


def best_weights(run_or_file: str | Path) -> Path:
    """The network file that a user means by a run folder or a `.keras` file.

    Raises:
        UserError: when it is neither.
    """
    path = Path(run_or_file)
    if path.is_dir() and (path / "best.keras").is_file():
        return path / "best.keras"
    if path.is_file():
        return path
    raise UserError(f"{path}: expected a .keras file or a run folder that holds best.keras")
