"""The model manager: watches version folders and swaps versions without dropping a request."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Callable

from kind.serving.errors import echoed
from kind.serving.limits import LONGEST_NAME
from kind.serving.server.errors import ServingError, bad_request, serving_error_of, without_folders
from kind.serving.server.version_folders import ModelConfig, fingerprint, version_folders
from kind.serving.server.version_process import VersionProcess

_ENDED_KEPT = 20
_MOST_NAMED = 10


class State(Enum):
    """The state of a version, numbered as `ModelVersionStatus.State`."""

    START, LOADING, AVAILABLE, UNLOADING, END = 10, 20, 30, 40, 50


class Version:
    """A version of a model: its state, what is loaded of it, and how many requests use it."""

    def __init__(self, name: str, number: int, folder: Path) -> None:
        """A version that is not loaded yet; `name` is its model's."""
        self.name, self.number, self.folder = name, number, folder
        self.state = State.START
        self.error: ServingError | None = None
        self.model: VersionProcess | None = None
        self.users = 0


class ModelManager:
    """Holds all models with their versions; thread-safe.

    A new version is loaded and warmed up beside the old one and becomes available; then the old one is
    unloaded as soon as its last request has ended. A version that cannot be loaded changes nothing and is
    tried again when its files change. When all folders vanish, the versions in memory stay.
    """

    def __init__(
        self,
        configs: Iterable[ModelConfig],
        load: Callable[[Path], VersionProcess],
        on_load: Callable[[str, float, float], None] = lambda name, loading, warming: None,
    ) -> None:
        """Keeps the configurations; `poll` loads the models.

        Args:
            configs: the models.
            load: loads a version folder, or raises.
            on_load: called with the model's name and the seconds of loading and of warming up.
        """
        self._load, self._on_load = load, on_load
        self._configs = {config.name: config for config in configs}
        self._versions: dict[str, dict[int, Version]] = {name: {} for name in self._configs}
        self._failed: dict[Path, object] = {}  # fingerprints of folders that could not be loaded
        self._lock = threading.RLock()
        self._loading = threading.RLock()  # one poll or reconfiguration at a time
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None

    def watch(self, seconds: float) -> None:
        """Starts a thread that polls the folders."""

        def watch() -> None:
            while not self._stop.wait(seconds):
                try:
                    self.poll()
                except Exception as error:  # such as a folder that cannot be listed for a moment
                    print(f"kind: watching the versions: {error}", file=sys.stderr, flush=True)

        self._watcher = threading.Thread(target=watch, name="versions", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Stops the thread; loaded versions stay."""
        self._stop.set()
        if self._watcher:
            self._watcher.join()

    def poll(self) -> None:
        """Loads new versions and unloads those no longer wanted; returns when that is done."""
        with self._loading:
            for name in list(self._versions):
                if name in self._configs:
                    self._poll_model(self._configs[name])
                else:
                    self._unload(self._versions[name].values())

    def acquire(self, name: str, number: int | None = None, label: str | None = None) -> Version:
        """Finds the version for a request, and keeps it in memory until `release`.

        Args:
            name: of the model.
            number: of the version; None takes the latest one.
            label: of the version, instead of its number.

        Returns:
            An available version, which stays in memory until it is released.

        Raises:
            ServingError: NOT_FOUND, or INVALID_ARGUMENT for number and label together or an unknown label.
        """
        with self._lock:
            number = self._number(name, number, label)
            available = self._available(name)
            latest = max(available, default=None)
            version = available.get(latest if number is None else number)
            if version is None:
                which = echoed(f"Latest({name})" if number is None else f"Specific({name}, {number})")
                raise ServingError(
                    "NOT_FOUND", f"Servable not found for request: {which}{self._offered(name)}"
                )
            version.users += 1
            return version

    def release(self, version: Version) -> None:
        """Gives back a version that `acquire` returned."""
        with self._lock:
            version.users -= 1
            self._end_if_unused(version)

    def status(self, name: str, number: int | None = None, label: str | None = None) -> list[Version]:
        """The versions of a model, newest first; only one when a number or label is given.

        Raises:
            ServingError: NOT_FOUND when there is none.
        """
        with self._lock:
            number = self._number(name, number, label)
            versions = self._versions.get(name, {})
            if number is not None and number not in versions:
                which = f"version {number} of model {echoed(name)}"
                raise ServingError("NOT_FOUND", f"Could not find {which}{self._offered(name)}")
            if not versions:
                raise ServingError("NOT_FOUND", f"Could not find any versions of model {echoed(name)}")
            numbers = [number] if number is not None else sorted(versions, reverse=True)
            return [versions[number] for number in numbers]

    def names(self) -> list[str]:
        """The models that are configured."""
        with self._lock:
            return list(self._configs)

    def is_ready(self) -> bool:
        """Whether every configured model has a version that can be asked."""
        with self._lock:
            return bool(self._configs) and all(
                any(version.model.is_usable for version in self._available(name).values())
                for name in self._configs
            )

    def reconfigure(self, configs: Iterable[ModelConfig]) -> None:
        """Serves these models instead; returns when they are loaded.

        Raises:
            ServingError: a model has no version that can be loaded, or a label names one that is not
                available. Then everything is served as before.
        """
        wanted = {config.name: config for config in configs}
        with self._loading:
            # Nothing that is served changes before all that is wanted is loaded.
            loaded: list[Version] = []
            try:
                for config in wanted.values():
                    self._load_beside(config, loaded)
                with self._lock:
                    for name, config in wanted.items():
                        self._check_config(config, [each for each in loaded if each.name == name])
            except BaseException:
                for version in loaded:
                    if version.model:
                        version.model.close()
                raise
            with self._lock:
                for name in wanted:
                    self._versions.setdefault(name, {})
                for version in loaded:
                    self._publish(version)
                self._configs = wanted
            self.poll()

    def _load_beside(self, config: ModelConfig, loaded: list[Version]) -> None:
        """Loads the versions that a configuration wants and that are not served, without serving them."""
        folders = version_folders(config.base_path)
        for number in self._not_served(config, folders):
            loaded.append(Version(config.name, number, folders[number]))
            self._load_version(loaded[-1])

    def _check_config(self, config: ModelConfig, loaded: Sequence[Version]) -> None:
        """Raises ServingError when a configuration cannot be served with the versions loaded for it."""
        in_memory = {
            number
            for number, version in self._available(config.name).items()
            if version.folder.parent == config.base_path
        } | {version.number for version in loaded if version.model is not None}
        available = in_memory & config.wanted(version_folders(config.base_path) or in_memory)
        if not available:
            errors = [version.error.message for version in loaded if version.error]
            reason = errors[-1] if errors else f"no version folder in {config.base_path}"
            reason = without_folders(reason, config.base_path)
            raise bad_request(f"model {echoed(config.name)} cannot be served: {reason}")
        for label, number in config.labels.items():
            if number not in available:
                raise ServingError(
                    "FAILED_PRECONDITION",
                    f"label {echoed(label)} names version {number}, which is not available",
                )

    def _available(self, name: str) -> dict[int, Version]:
        """The versions of a model that can be asked for, by number."""
        versions = self._versions.get(name, {})
        return {number: version for number, version in versions.items() if version.state is State.AVAILABLE}

    def _offered(self, name: str) -> str:
        """Which versions of a model could be asked for, to end a sentence with."""
        available = sorted(self._available(name))
        return f"; available: {', '.join(map(str, available[-_MOST_NAMED:]))}" if available else ""

    def _number(self, name: str, number: int | None, label: str | None) -> int | None:
        if len(name) > LONGEST_NAME or len(label or "") > LONGEST_NAME:
            raise bad_request(f"a name of a model or a label has at most {LONGEST_NAME} characters")
        if not label:
            return number
        if number is not None:
            raise bad_request("expects a version or a version label, received both")
        config = self._configs.get(name)
        if config is None or label not in config.labels:
            raise bad_request(f"Unrecognized servable version label: {echoed(label)}")
        return config.labels[label]

    def _poll_model(self, config: ModelConfig) -> None:
        folders = version_folders(config.base_path)
        wanted = config.wanted(folders)
        known = self._versions[config.name]
        for number in self._not_served(config, folders):
            if self._failed.get(folders[number]) != fingerprint(folders[number]):
                version = Version(config.name, number, folders[number])
                self._publish(version)  # so that its loading shows in the status
                self._load_version(version)
                self._publish(version)
        with self._lock:
            others = [version for number, version in known.items() if number not in wanted]
            if wanted & self._available(config.name).keys():
                self._unload(others)
            ended = sorted(number for number, version in known.items() if version.state is State.END)
            for number in ended[:-_ENDED_KEPT]:
                del known[number]

    def _not_served(self, config: ModelConfig, folders: Mapping[int, Path]) -> list[int]:
        """The wanted versions that are not in memory, or were loaded from another folder."""
        known = self._versions.get(config.name, {})
        return [
            number
            for number in sorted(config.wanted(folders))
            if number not in known
            or known[number].state is State.END
            or known[number].folder != folders[number]
        ]

    def _load_version(self, version: Version) -> None:
        """Loads and warms up a version, or notes why that is impossible."""
        folder, files = version.folder, fingerprint(version.folder)
        version.state = State.LOADING
        started, model = time.monotonic(), None
        try:
            model = self._load(folder)
            loaded = time.monotonic()
            model.warm_up()
        except Exception as error:
            if model:
                model.close()
            refused = serving_error_of(error, folder)
            message = without_folders(refused.message, folder)  # for those who ask for the status
            version.error = ServingError(refused.code, message, refused.http_status)
            version.state = State.END
            self._failed[folder] = files
            print(f"kind: {folder} cannot be served: {refused.message}", file=sys.stderr, flush=True)
            return
        self._failed.pop(folder, None)
        self._on_load(version.name, loaded - started, time.monotonic() - loaded)
        version.model = model

    def _publish(self, version: Version) -> None:
        """Serves a version if it is loaded; else only shows it, unless its number is served already."""
        with self._lock:
            known = self._versions[version.name]
            before = known.get(version.number)
            if version.model is None:
                if before is None or before.state is not State.AVAILABLE:
                    known[version.number] = version
                return
            version.state, known[version.number] = State.AVAILABLE, version
            if before is not None and before is not version:
                self._unload([before])
        print(f"kind: serving {version.name} version {version.number}", file=sys.stderr, flush=True)

    def _unload(self, versions: Iterable[Version]) -> None:
        with self._lock:
            for version in versions:
                if version.state is State.AVAILABLE:
                    version.state = State.UNLOADING
                    self._end_if_unused(version)

    def _end_if_unused(self, version: Version) -> None:
        if version.state is State.UNLOADING and not version.users:
            version.model.close()
            version.model, version.state = None, State.END
            print(f"kind: {version.name} version {version.number} is unloaded", file=sys.stderr, flush=True)
