"""A run folder: what was asked for, what came of it, and enough to go on after being killed."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kind.errors import UserError
from kind.files import atomic_write, lock, remove_leftovers
from kind.training.manifest import checkpoint_epochs, is_record, renew_run
from kind.training.run_changes import data_differences, differences, new_lengths
from kind.training.split_record import split_record

#: Beside packed weights: what each network was trained with, by the stem of its file.
TRAINING_FILE = "training.json"
_DIGEST_LENGTH = 24


class RunFolder:
    """The files of one run: `config.json`, `data.json`, `metrics.jsonl`, `backup/`, `best.keras`, ….

    Everything is written to a temporary name first. `metrics.jsonl` holds nothing that depends on the
    clock, so that a run that was killed and resumed leaves the same bytes as one that was not.
    """

    def __init__(self, path: str | Path) -> None:
        """Names a folder; nothing is written yet."""
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.data_file = self.path / "data.json"
        self.metrics_file = self.path / "metrics.jsonl"
        self.best_file = self.path / "best.keras"
        self.last_file = self.path / "last.keras"
        self.curves_file = self.path / "curves.png"
        self.sessions_file = self.path / "sessions.json"
        self.backup = self.path / "backup"
        self.samples = self.path / "samples"

    @contextlib.contextmanager
    def opened(self, config: dict[str, Any], data: dict[str, dict[str, str]]) -> Iterator[None]:
        """Records what the run is, or checks that it is the one recorded, and keeps other processes out.

        Args:
            config: JSON values by name; see `describe`.
            data: for each part of the data set, a digest of each sample by its name.

        Yields:
            Nothing; the folder is free again after the block, or when the process ends, however it ends.

        Raises:
            UserError: when the folder belongs to a run of another config or other data that has finished an
                epoch (the message says what changed; see `new_lengths` for what may), is in use, holds other
                files, or cannot be written to.
        """
        changed: list[str] = []
        recorded: dict[str, Any] = {}
        lengths: dict[str, Any] = {}
        if self.config_file.is_file():
            recorded = read_json(self.config_file)
            lengths = new_lengths(recorded, config)
            changed = differences({**recorded, **lengths}, config)
            changed += data_differences(read_json(self.data_file), data)
            if changed and self._has_progress():
                weights = f"--run NEW --init-from {self.path} to start anew from its weights"
                raise UserError(
                    f"{self.path}: belongs to another run: {'; '.join(changed)}. Give the same settings and "
                    f"data to go on, or {weights if self.best_file.is_file() else '--run NEW to start anew'}"
                )
        elif self.path.is_dir() and any(path.name != "data.json" for path in self.path.glob("[!.]*")):
            raise UserError(f"{self.path}: holds files but no config.json; give --run a new or empty folder")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = open(self.path / ".lock", "w")
        except OSError as error:
            raise self._unwritable(error) from error
        with file:
            try:
                locked = lock(file.fileno())
            except BlockingIOError:
                message = f"{self.path}: another process is training in this folder; let it finish"
                raise UserError(message) from None
            for folder in (self.path, self.samples, self.backup):
                remove_leftovers(folder, locked=locked)
            self.check_places()
            if changed:
                print(f"{self.path}: redefined, no epoch was finished: {'; '.join(changed)}", file=sys.stderr)
            try:
                if changed or not self.config_file.is_file():
                    write_json(self.data_file, data)
                    write_json(self.config_file, config)
                elif lengths:
                    told = "; ".join(differences(recorded, {**recorded, **lengths}))
                    print(f"{self.path}: {told}", file=sys.stderr)
                    renew_run(self.backup, self.config_file)  # first: a kill must leave all of it readable
                    write_json(self.config_file, config)
            except OSError as error:
                raise self._unwritable(error) from error
            yield

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Adds one line for an epoch."""
        with open(self.metrics_file, "a") as file:
            file.write(json.dumps(record) + "\n")

    def read_metrics(self, *, strict: bool = False) -> list[dict[str, Any]]:
        """The lines so far, up to one that was cut off by a kill or damaged.

        Args:
            strict: refuse a damaged file.

        Raises:
            UserError: when `strict`, and a line that was written to its end is no record of an epoch.
        """
        try:
            lines = self.metrics_file.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UserError(f"{self.metrics_file}: cannot be read ({error.strerror})") from error
        records = []
        for number, line in enumerate(lines, start=1):
            record = _record(line)
            if record is None:
                if strict and line.endswith(b"\n"):
                    raise UserError(f"{self.metrics_file}: line {number} is no record of an epoch")
                break
            records.append(record)
        return records

    def write_metrics(self, records: list[dict[str, Any]]) -> None:
        """Makes the file hold these lines and no others."""
        with atomic_write(self.metrics_file) as temporary:
            temporary.write_text("".join(json.dumps(record) + "\n" for record in records))

    def forget_after(self, epoch: int) -> None:
        """Drops the lines of epochs that will be run again."""
        self.write_metrics([record for record in self.read_metrics() if record["epoch"] <= epoch])

    def _has_progress(self) -> bool:
        """Whether there is anything to lose: a finished epoch, or a checkpoint after one."""
        return self.has_begun() or any(checkpoint_epochs(self.backup))

    def has_begun(self) -> bool:
        """Whether an epoch was finished here, whatever is left of it."""
        traces = (self.metrics_file, self.best_file, self.last_file)
        return any(path.is_file() and path.stat().st_size for path in traces)

    def check_places(self) -> None:
        """Refuses folders where files belong, and files where folders do, before anything is written.

        Raises:
            UserError: naming the first one.
        """
        files = [self.metrics_file, self.curves_file, *self.path.glob("*.keras"), *self.path.glob("*.json")]
        folders = [self.backup, self.samples, self.path / "train", self.path / "validation"]
        if self.backup.is_dir():
            files += [path for path in self.backup.iterdir() if not path.name.endswith("_temp")]
        for path in files:
            if path.is_dir():
                raise UserError(f"{path}: a folder, where the run has a file; remove it or move it away")
        for path in folders:
            if path.exists() and not path.is_dir():
                raise UserError(f"{path}: a file, where the run has a folder; remove it or move it away")

    def best(self, monitor: str, higher_is_better: bool) -> tuple[int, float] | None:
        """The epoch and value of the best monitored figure so far; the earlier one of two equals."""
        values = [(record["epoch"], record[monitor]) for record in self.read_metrics() if monitor in record]
        sign = -1 if higher_is_better else 1
        return min(values, key=lambda item: (not math.isfinite(item[1]), sign * item[1]), default=None)

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(f"{self.path}: cannot be written to ({error.strerror}); give --run another folder")


def _record(line: bytes) -> dict[str, Any] | None:
    """One line of `metrics.jsonl`; None when it is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if is_record(record) else None


def describe(stage: str, config: Any, **more: Any) -> dict[str, Any]:
    """What `config.json` holds: the stage, its settings, and what else the result depends on."""
    settings = dataclasses.asdict(config)
    for item in dataclasses.fields(config):
        if "later" in item.metadata and settings[item.name] == item.default:
            settings.pop(item.name)
    description = {"stage": stage, **settings, **more}
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


def training_record(run_or_file: str | Path) -> dict[str, Any]:
    """What `kind pack` keeps of the run that a network comes from.

    Args:
        run_or_file: a run folder, or a `.keras` file in one or in a folder with `training.json`.

    Returns:
        What `split_record` gives; "data", a digest of the data set; and "input", where the stage has this
        setting. Empty where nothing is recorded.

    Raises:
        UserError: when a record is damaged.
    """
    path = Path(run_or_file)
    folder = path if path.is_dir() else path.parent
    if (folder / "config.json").is_file():
        run = RunFolder(folder)
        config = read_json(run.config_file)
        seen = {"input": config["input"]} if "input" in config else {}
        data = json.dumps(read_json(run.data_file), sort_keys=True) if run.data_file.is_file() else None
        digest = data and hashlib.sha256(data.encode()).hexdigest()[:_DIGEST_LENGTH]
        return {**split_record(config), "data": digest, **seen}
    return read_training_json(folder).get(path.stem, {})


def read_training_json(folder: Path) -> dict[str, dict[str, Any]]:
    """The records of a folder of packed weights by network; empty without a file.

    Raises:
        UserError: when the file is damaged.
    """
    file = folder / TRAINING_FILE
    return read_json(file) if file.is_file() else {}


def read_sessions(folder: RunFolder) -> list[dict[str, Any]]:
    """When, where and how a run's processes trained, see `kind.training.sessions`; empty of older runs.

    A damaged file counts as none: no result depends on it.
    """
    try:
        found = json.loads(folder.sessions_file.read_text())["sessions"]
        return [entry for entry in found if isinstance(entry, dict)]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return []


def read_json(path: Path) -> dict[str, Any]:
    """Reads one of a run folder's JSON files.

    Raises:
        UserError: when it is missing or damaged.
    """
    try:
        values = json.loads(path.read_text())
        if not isinstance(values, dict):
            raise ValueError(f"expected an object, found {type(values).__name__}")
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: not a readable JSON file of a run folder; give --run a new folder"
        ) from error
    return values


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Writes a JSON file, wholly or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n")
