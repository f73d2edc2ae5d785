"""`sessions.json` of a run folder: when, where and how each process trained; nothing depends on it."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import time
from pathlib import Path
from typing import Any

from tensorflow import keras

from kind.training.run_folder import RunFolder, read_sessions, write_json

PACKAGES = ("tensorflow", "tensorflow-addons", "keras-cv", "numpy")
_SECONDS_BETWEEN_WRITES = 30.0


class Sessions(keras.callbacks.Callback):
    """Records one process's part of a run: its start is written at once, its length now and then."""

    def __init__(self, folder: RunFolder, command: str = "", remark: str = "") -> None:
        """Names what is recorded.

        Args:
            folder: of the run.
            command: what the user typed.
            remark: what the user wants to remember of it.
        """
        super().__init__()
        self._folder = folder
        self._entry = {"command": command, "remark": remark}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self._started = self._written = time.monotonic()
        self._before = read_sessions(self._folder)
        self._entry = {
            "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            **self._entry,
            "device": device_name(),
            "python": platform.python_version(),
            "packages": {name: _version(name) for name in PACKAGES},
            "epochs": 0,
        }
        self._write()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts the epoch."""
        self._entry["epochs"] += 1
        if time.monotonic() - self._written > _SECONDS_BETWEEN_WRITES:
            self._write()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Writes the whole length."""
        self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        entry = {**self._entry, "seconds": round(self._written - self._started, 1)}
        write_json(self._folder.sessions_file, {"sessions": [*self._before, entry]})


def device_name() -> str:
    """Names of the accelerators, or of the processor."""
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(device).get("device_name") for device in devices]
    return ", ".join(name or "GPU" for name in names) or f"CPU {_processor()}".strip()


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{found[0]}, {len(found)} cores" if found else platform.processor()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
