"""The state of training on disk: what a killed run goes on from."""

from __future__ import annotations

import shutil
from pathlib import Path

import tensorflow as tf

from kind.errors import UserError
from kind.training.stage import Stage

_KEPT = 2


class TrainingCheckpoint:
    """Weights, optimizer state, averages and epoch, saved together and restored bit by bit."""

    def __init__(self, folder: Path, stage: Stage) -> None:
        """Names what is saved; the newest two are kept, so that one is whole at any moment.

        Args:
            folder: for the backups.
            stage: after `set_up`.
        """
        self._folder = folder
        self._epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._checkpoint = tf.train.Checkpoint(**stage.state(), epoch=self._epoch)
        self._manager = tf.train.CheckpointManager(self._checkpoint, str(folder), max_to_keep=_KEPT)

    def restore(self, folder: Path | None = None) -> int | None:
        """Restores the newest backup, if there is one.

        Args:
            folder: to read from instead of the own one.

        Returns:
            The number of finished epochs; None without a backup.

        Raises:
            UserError: when the backup is damaged.
        """
        newest = tf.train.latest_checkpoint(str(folder or self._folder))
        if newest is None:
            return None
        try:
            self._checkpoint.restore(newest)
        except (tf.errors.OpError, IndexError, ValueError) as error:
            raise UserError(
                f"{newest}: cannot be restored ({str(error).splitlines()[0]}); remove its files to start anew"
            ) from error
        return int(self._epoch.numpy())

    def save(self, epoch: int) -> None:
        """Saves the state after an epoch (its number from 1; 0 before the first).

        Raises:
            OSError: when it cannot be written, as on a full disk; the backups before it are intact.
        """
        self._epoch.assign(epoch)
        try:
            self._manager.save(checkpoint_number=epoch)
        except tf.errors.OpError as error:
            for unfinished in self._folder.glob("*_temp"):
                shutil.rmtree(unfinished, ignore_errors=True)
            raise OSError(None, error.message.splitlines()[0], str(self._folder)) from error
