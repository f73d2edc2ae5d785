"""A version of a model in a process of its own.

What TensorFlow takes or does there is no concern of the server: memory comes back when the process ends, a
model that does not end is killed, and a crash costs the request that caused it. oneDNN keeps some of what it
prepares for each size of image for ever, so a process that has grown too far is exchanged for a fresh one.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from kind.serving.limits import SECONDS
from kind.serving.protos import SignatureDef
from kind.serving.server.errors import ServingError, without_folders
from kind.serving.server.processes import Child, ChildEnded, resident
from kind.serving.server.signatures import Signature, signatures_of
from kind.serving.wire import Arrays

_MODULE = "kind.serving.worker.main"
_WARM_UP = {"do": "warm up"}
_LONGEST_LOADING = 3600.0
_BETWEEN_ATTEMPTS = 5.0  # seconds, to load a version again that could not be
_TO_STOP = 2.0  # seconds that a model has to stop by itself
_MOST_GROWTH = 1 << 30
"""Bytes that a process may have more than when it was loaded, after some 1,000 sizes of image."""


class VersionProcess:
    """A loaded version; thread-safe.

    Attributes:
        definitions: the `SignatureDef`s of the file by name.
        signatures: those that can be run, by name.
        is_usable: False while its process has ended and could not be loaded again.
        is_loading: whether its process has ended and is being loaded again.
    """

    def __init__(
        self, folder: Path, trust: bool = False, seconds: float = SECONDS, module: str = _MODULE
    ) -> None:
        """Starts the process; `load` loads the version.

        Args:
            folder: holds `saved_model.pb`.
            trust: see `kind.serving.worker.loading.LoadedModel`.
            seconds: after which a batch that does not end is ended with its process.
            module: what the process runs.
        """
        self._folder, self._seconds, self._module = folder, seconds, module
        self._loading_call = {"do": "load", "folder": str(folder), "trust": trust}
        self.definitions: dict[str, SignatureDef] = {}
        self.signatures: dict[str, Signature] = {}
        self._closed = False
        self._loading = threading.Lock()
        self._changed = threading.Condition()
        self._children: weakref.WeakSet[Child] = weakref.WeakSet()  # also those that retire
        self._child = self._started()
        self._broken = ""  # why it could not be loaded again …
        self._broken_since = 0.0  # … and when
        self._running = self._wait_alone = 0
        self._alone = self._is_renewing = False
        self._loaded_size = 0

    @property
    def is_usable(self) -> bool:
        """See the class."""
        return not self._broken

    @property
    def is_loading(self) -> bool:
        """See the class."""
        return self._loading.locked()

    @property
    def pid(self) -> int:
        """The number of the process that runs now."""
        return self._child.pid

    def load(self) -> None:
        """Loads the version.

        Raises:
            ServingError: it cannot be loaded.
        """
        _, arrays = self._do(self._loading_call)
        self._loaded_size = resident(self.pid)
        self.definitions = {name: SignatureDef.FromString(text) for name, (text,) in arrays.items()}
        self.signatures = signatures_of(self.definitions)

    def warm_up(self) -> int:
        """Runs the recorded requests of the folder, and returns how many; raises ServingError."""
        return self._do(_WARM_UP)[0]["count"]

    def run(
        self, signature: str, inputs: Arrays, seconds: float, is_wanted: Callable[[], bool] | None = None
    ) -> dict[str, np.ndarray]:
        """Runs a signature.

        When the process ends meanwhile, another is started. A batch that was alone in it is to blame; others
        are run once more, alone.

        Args:
            signature: its name.
            inputs: by name, checked; strings as arrays of bytes objects.
            seconds: after which the model stops, see `LoadedModel.run`. One that does not is ended with its
                process, but only after the seconds of the server: else each hasty client could end it.
            is_wanted: whether anybody waits for the outputs; the model stops when nobody does.

        Returns:
            The outputs in the same form.

        Raises:
            ServingError: the model refuses the inputs, takes too long, was stopped, or ends the process.
        """
        if broken := self._broken:  # nobody waits for another attempt, least of all requests for other models
            self._start_again()
            raise ServingError("UNAVAILABLE", broken)
        reason, is_guilty, end = "", False, time.monotonic() + seconds
        for is_retry in (False, True):
            with self._turn(end, alone=is_retry):
                try:
                    child = self._loaded_child(end)
                    left = _left(end)
                    if is_wanted and not is_wanted():
                        raise ServingError("CANCELLED", "nobody waits for the answer")
                    header = {"do": "run", "signature": signature, "seconds": left}
                    return child.call(header, inputs, self._seconds + _TO_STOP, is_wanted)[1]
                except ChildEnded as ended:
                    reason, is_guilty = str(ended), ended.guilty
                finally:
                    if self._child.has_ended and self.is_usable:  # so that the next need not wait for it
                        self._start_again()
                    self._renew_if_grown()
            if is_guilty:
                break
        raise ServingError("INTERNAL", f"the model's process was ended ({reason}) while it ran this request")

    def close(self, wait: bool = False) -> None:
        """Ends the process, whatever it does, and may wait until it is gone."""
        with self._changed:
            self._closed = True
            for child in self._children:
                child.kill()
        if wait:
            self._child.close()

    def _started(self) -> Child:
        child = Child(self._module)
        with self._changed:
            self._children.add(child)
            if self._closed:  # meanwhile
                child.kill()
        return child

    def _do(self, header: dict) -> tuple[dict, dict]:
        try:
            return self._child.call(header, {}, _LONGEST_LOADING)
        except ChildEnded as ended:
            raise ServingError("INTERNAL", f"its process was ended ({ended})") from ended

    def _loaded_child(self, end: float) -> Child:
        """The process, once it is loaded; raises ServingError, also when that takes until `end`."""
        while self.is_loading or self._child.has_ended:
            if self._broken or self._closed:
                raise ServingError("UNAVAILABLE", self._broken or "the server is being stopped")
            self._start_again()
            with self._changed:
                self._changed.wait_for(lambda: not self.is_loading, _left(end))
        return self._child

    def _load_if_ended(self) -> None:
        """For whoever holds `_loading`; raises ServingError."""
        if self._closed:
            raise ServingError("UNAVAILABLE", "the server is being stopped")
        if not self._child.has_ended:
            return
        self._child.close()
        print(f"kind: the process of {self._folder} has ended; starting another", file=sys.stderr)
        try:
            self._child = self._started()
            self.load()
            self._broken = ""
        except (ServingError, OSError) as error:
            self._child.close()
            reason = without_folders(getattr(error, "message", None) or str(error), self._folder)
            self._broken = f"the model cannot be loaded again: {reason}"
            self._broken_since = time.monotonic()
            raise ServingError("UNAVAILABLE", self._broken) from error

    def _start_again(self) -> None:
        """Loads the version in a thread, unless somebody does, or has just tried."""

        def start() -> None:
            try:
                with contextlib.suppress(ServingError):  # a later request tries again
                    self._load_if_ended()
            finally:
                self._end_loading()

        is_due = not self._broken or time.monotonic() - self._broken_since > _BETWEEN_ATTEMPTS
        if is_due and self._loading.acquire(blocking=False):
            threading.Thread(target=start, daemon=True).start()

    def _end_loading(self) -> None:
        self._loading.release()
        with self._changed:
            self._changed.notify_all()

    def _renew_if_grown(self) -> None:
        """Loads the version in another process, which takes over; this one answers what it has begun."""

        def renew() -> None:
            fresh = None
            try:
                fresh = self._started()
                for call in (self._loading_call, _WARM_UP):
                    fresh.call(call, {}, _LONGEST_LOADING)
                self._loading.acquire()
                try:
                    old, self._child, fresh = self._child, fresh, None
                    self._broken = ""
                    self._loaded_size = resident(self.pid)
                finally:
                    self._end_loading()
                threading.Thread(target=old.retire, daemon=True).start()
            except (ServingError, ChildEnded, OSError) as error:
                if not self._closed:
                    print(f"kind: {self._folder} cannot be loaded once more: {error}", file=sys.stderr)
                self._loaded_size = resident(self.pid)  # it is not tried with every request
            finally:
                if fresh:
                    fresh.close()
                self._is_renewing = False

        with self._changed:
            growth = resident(self.pid) - self._loaded_size
            # What another batch needs will come back, unless there always is one.
            most = _MOST_GROWTH if self._running <= 1 else 2 * _MOST_GROWTH
            if growth <= most or self._is_renewing or self._closed or self._child.has_ended:
                return
            self._is_renewing = True
        text = f"has grown by {growth >> 20:,} MiB; a fresh one takes its place"
        print(f"kind: the process of {self._folder} {text}", file=sys.stderr)
        threading.Thread(target=renew, daemon=True).start()

    @contextlib.contextmanager
    def _turn(self, end: float, alone: bool) -> Iterator[None]:
        """Lets others in at the same time, or nobody; raises ServingError when that takes until `end`."""
        with self._changed:
            self._wait_alone += alone
            try:
                self._changed.wait_for(
                    lambda: not self._alone and not (self._running if alone else self._wait_alone),
                    _left(end),
                )
                _left(end)
            finally:
                self._wait_alone -= alone
                self._changed.notify_all()
            self._running += 1
            self._alone = alone
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._alone = False
                self._changed.notify_all()


def _left(end: float) -> float:
    """Seconds until `end`; ServingError when there are none."""
    left = end - time.monotonic()
    if left <= 0:
        raise ServingError("DEADLINE_EXCEEDED", "not answered in time")
    return left


class Workers:
    """Starts the processes of versions, and ends them all together."""

    def __init__(self, trust: bool, seconds: float, module: str = _MODULE) -> None:
        """See `VersionProcess`."""
        self._arguments = trust, seconds, module
        self._versions: weakref.WeakSet[VersionProcess] = weakref.WeakSet()
        self._closed = False

    def load(self, folder: Path) -> VersionProcess:
        """Loads a version folder; raises ServingError."""
        version = VersionProcess(folder, *self._arguments)
        self._versions.add(version)
        try:
            if self._closed:
                raise ServingError("UNAVAILABLE", "the server is being stopped")
            version.load()
        except BaseException:
            version.close()
            raise
        return version

    def stop(self) -> None:
        """Ends all processes, and those that would be started later."""
        self._closed = True
        for version in list(self._versions):
            version.close(wait=True)
