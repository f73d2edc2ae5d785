"""The state of training on disk: what a killed run goes on from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from kind.errors import UserError
from kind.files import atomic_write
from kind.training.manifest import (
    Manifest,
    checkpoint_epochs,
    damage,
    file_digest,
    manifest_file,
    read_manifest,
    run_digest,
    write_manifest,
)
from kind.training.run_folder import RunFolder
from kind.training.stage import AVERAGED_STATISTICS, Stage

_KEPT = 2


class Restored(NamedTuple):
    """Where a run goes on.

    Attributes:
        epoch: number of finished epochs.
        manifest: of the checkpoint; None of one that was written before there were manifests.
        passed_over: why newer checkpoints were not taken, one phrase each.
    """

    epoch: int
    manifest: Manifest | None
    passed_over: list[str]


class TrainingCheckpoint:
    """Weights, optimizer state, averages, epoch, history and best network, saved and restored bit by bit."""

    def __init__(self, folder: RunFolder, stage: Stage) -> None:
        """Names what is saved; the newest two are kept, so that one is whole at any moment.

        Args:
            folder: of the run; the checkpoints are in its `backup`.
            stage: after `set_up`.
        """
        self._run = folder
        self._stage = stage
        self._epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._checkpoint = tf.train.Checkpoint(**stage.state(), epoch=self._epoch)
        self._best_epoch: int | None = None
        self._networks: dict[str, str] = {}
        self._digests: dict[str, str | None] = {}

    def restore(self, folder: RunFolder | None = None) -> Restored | None:
        """Restores the newest whole checkpoint and writes nothing.

        Args:
            folder: to read from instead of the own one.

        Returns:
            What was restored; None when the run has not begun.

        Raises:
            UserError: when epochs were trained and no checkpoint is whole.
        """
        run = folder or self._run
        epochs, problems = checkpoint_epochs(run.backup), []
        has_manifests = any(manifest_file(run.backup, epoch).is_file() for epoch in epochs)
        for epoch in epochs:
            try:
                manifest = read_manifest(run.backup, epoch)
                problem = None
                if manifest:
                    problem = damage(manifest, run.backup, run.path)
                elif has_manifests:
                    problem = "it has no manifest: it was being written when the process ended"
                if problem:
                    raise ValueError(problem)
                self._read(run.backup / f"ckpt-{epoch}", epoch)
            except ValueError as error:
                problems.append(f"ckpt-{epoch}: {error}")
                continue
            return Restored(epoch, manifest, problems)
        if run.has_begun() or any(epochs):
            raise UserError(
                f"{run.backup}: no whole checkpoint to resume from ({'; '.join(problems) or 'it is empty'}). "
                f"The folder stays as it is: put a copy of its files back, or start anew with --run NEW"
            )
        return None

    def _read(self, prefix: Path, epoch: int) -> None:
        """Restores one checkpoint; ValueError with the reason when it cannot be.

        Where an earlier version did not average the statistics, their average begins with those of now.
        """
        try:
            checkpoint = self._checkpoint
            names = {name.split("/")[0] for name, _ in tf.train.list_variables(str(prefix))}
            if AVERAGED_STATISTICS not in names:
                state = self._stage.state()
                del state[AVERAGED_STATISTICS]
                checkpoint = tf.train.Checkpoint(**state, epoch=self._epoch)
            checkpoint.read(str(prefix)).assert_existing_objects_matched()
            if AVERAGED_STATISTICS not in names and self._stage.average:
                self._stage.average.restart_statistics()
        except (tf.errors.OpError, IndexError, ValueError, AssertionError) as error:
            raise ValueError(f"cannot be restored ({str(error).splitlines()[0]})") from error
        if int(self._epoch.numpy()) != epoch:
            raise ValueError(f"holds epoch {int(self._epoch.numpy())}")

    def save(self, epoch: int) -> None:
        """Saves the state after an epoch (its number from 1; 0 before the first); its manifest comes last.

        Raises:
            OSError: when it cannot be written, as on a full disk; the checkpoints before it are intact.
        """
        backup, name = self._run.backup, f"ckpt-{epoch}"
        manifest_file(backup, epoch).unlink(missing_ok=True)  # of a damaged one that is written anew
        self._epoch.assign(epoch)
        try:
            self._checkpoint.write(str(backup / name))
        except tf.errors.OpError as error:
            for unfinished in backup.glob("*_temp"):
                shutil.rmtree(unfinished, ignore_errors=True)
            raise OSError(None, error.message.splitlines()[0], str(backup)) from error
        self._keep_networks()
        files = {path.name: file_digest(path) for path in sorted(backup.glob(f"{name}.*"))}
        history = self._run.read_metrics()
        run = run_digest(self._run.config_file)
        write_manifest(backup, Manifest(epoch, run, files, self._networks, self._digests, history))
        self._remove_old(epoch)

    def _keep_networks(self) -> None:
        """Copies the best network so far to the checkpoints; of the last one a digest is enough."""
        self._digests[self._run.last_file.name] = file_digest(self._run.last_file)
        best = self._run.best(self._stage.monitor, self._stage.higher_is_better)
        if best is None or best[0] == self._best_epoch:
            return
        stems = [self._run.best_file.stem, *self._stage.parts(self._stage.net)]
        files = {f"{stem}.keras": f"{stem}-{best[0]}.keras" for stem in stems}
        files = {name: kept for name, kept in files.items() if (self._run.path / name).is_file()}
        for name, kept in files.items():
            copy_file(self._run.path / name, self._run.backup / kept)
        self._best_epoch, self._networks = best[0], files
        self._digests.update({name: file_digest(self._run.backup / kept) for name, kept in files.items()})

    def renew_record(self, newest: int) -> None:
        """Names the checkpoint that was restored in TensorFlow's own record, where another one stands.

        Raises:
            OSError: when it cannot be written.
        """
        self._write_record(
            [epoch for epoch in checkpoint_epochs(self._run.backup) if epoch <= newest][:_KEPT]
        )

    def _write_record(self, epochs: list[int]) -> None:
        """Names checkpoints, the newest first, in the file that TensorFlow's tools look at."""
        path = self._run.backup / "checkpoint"
        names = "".join(f'all_model_checkpoint_paths: "ckpt-{epoch}"\n' for epoch in sorted(epochs))
        text = f'model_checkpoint_path: "ckpt-{max(epochs)}"\n{names}'
        if not path.is_file() or path.read_bytes() != text.encode():
            with atomic_write(path) as temporary:
                temporary.write_text(text)

    def _remove_old(self, newest: int) -> None:
        """Removes all checkpoints but the newest two, and networks that none of them names."""
        backup = self._run.backup
        whole = [epoch for epoch in checkpoint_epochs(backup) if manifest_file(backup, epoch).is_file()]
        kept = [epoch for epoch in whole if epoch <= newest][:_KEPT]
        if len(kept) < _KEPT:  # of before there were manifests
            kept += [epoch for epoch in checkpoint_epochs(backup) if epoch < newest and epoch not in kept][:1]
        networks = set(self._networks.values())
        for epoch in kept:
            if epoch in whole and (manifest := _manifest(backup, epoch)):
                networks |= set(manifest.networks.values())
        self._write_record(kept)
        for path in backup.iterdir():
            is_old = path.name.startswith("ckpt-") and _number(path.name) not in kept
            if is_old or (path.suffix == ".keras" and path.name not in networks):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def put_back(folder: RunFolder, manifest: Manifest) -> list[str]:
    """Makes a run folder's history and best networks those of a checkpoint.

    Args:
        folder: of the run.
        manifest: of the checkpoint that was restored.

    Returns:
        The names of the networks that were missing or other ones.
    """
    folder.write_metrics(manifest.history)
    restored = []
    for name, kept in manifest.networks.items():
        own, copy = folder.path / name, folder.backup / kept
        if file_digest(own) != manifest.digests[name]:
            copy_file(copy, own)
            restored.append(name)
        elif file_digest(copy) != manifest.digests[name]:
            copy_file(own, copy)
    return restored


def copy_file(source: Path, target: Path) -> None:
    """Copies a file, wholly or not at all."""
    with atomic_write(target) as temporary:
        shutil.copyfile(source, temporary)


def _manifest(folder: Path, epoch: int) -> Manifest | None:
    try:
        return read_manifest(folder, epoch)
    except ValueError:
        return None


def _number(name: str) -> int | None:
    digits = name.removeprefix("ckpt-").split(".")[0].split("_")[0]
    return int(digits) if digits.isdigit() else None
