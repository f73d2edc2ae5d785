"""What both protocols do: find the version that a request means, run it within limits, count it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from kind.serving.limits import Limits
from kind.serving.server.batching import Scheduler, Target
from kind.serving.server.errors import ServingError
from kind.serving.server.loading import LoadedModel
from kind.serving.server.metrics import Metrics
from kind.serving.server.signatures import Signature
from kind.serving.server.versions import ModelManager, Version


class ModelSpec(NamedTuple):
    """Which model a request means; "" and None stand for the default."""

    name: str
    version: int | None = None
    label: str | None = None
    signature: str = ""


class Lease(NamedTuple):
    """The version and signature that a request met."""

    version: Version
    model: LoadedModel
    signature: Signature


class Service:
    """The heart of the server, without any protocol."""

    def __init__(self, manager: ModelManager, scheduler: Scheduler, metrics: Metrics, limits: Limits) -> None:
        """Puts the parts together."""
        self.manager, self.scheduler, self.metrics, self.limits = manager, scheduler, metrics, limits
        self.in_flight = 0
        self.stopping = False
        metrics.waiting.set_function(scheduler.waiting)
        metrics.running.set_function(lambda: self.in_flight)

    @contextlib.contextmanager
    def counted(self, name: str, api: str, entrypoint: str) -> Iterator[None]:
        """Counts and times the request that is answered within the block."""
        started, status = time.monotonic(), "OK"
        self.in_flight += 1
        try:
            if self.in_flight > self.limits.in_flight:
                raise ServingError(
                    "UNAVAILABLE", f"more than {self.limits.in_flight} requests at the same time"
                )
            yield
        except ServingError as refused:
            status = refused.code
            raise
        except asyncio.CancelledError:
            status = "CANCELLED"
            raise
        except BaseException:
            status = "INTERNAL"
            raise
        finally:
            self.in_flight -= 1
            # Otherwise anybody could fill the memory with names of models that do not exist.
            known = name if name in self.manager.names() else ""
            self.metrics.answered(known, api, entrypoint, status, time.monotonic() - started)

    @contextlib.contextmanager
    def opened(self, spec: ModelSpec) -> Iterator[Lease]:
        """Finds version and signature, and keeps the version in memory until the block ends.

        Raises:
            ServingError: there is none, or the server is being stopped.
        """
        if self.stopping:
            raise ServingError("UNAVAILABLE", "the server is being stopped")
        version = self.manager.acquire(spec.name, spec.version, spec.label)
        try:
            yield Lease(version, version.model, version.model.signature(spec.signature))
        finally:
            self.manager.release(version)

    async def predict(
        self, opened: Lease, inputs: Mapping[str, np.ndarray], seconds: float | None = None
    ) -> dict[str, np.ndarray]:
        """Runs a request, possibly together with others.

        Args:
            opened: what `opened` yielded.
            inputs: arrays by name, not yet checked.
            seconds: how long the sender will wait, if that is known.

        Returns:
            The outputs by name.

        Raises:
            ServingError: the inputs do not fit, too much is waiting already, the time is over, or the model
                refused them.
        """
        rows = opened.signature.check(inputs, self.limits.pixels)
        version = opened.version
        target = Target(version.name, opened.model, opened.signature.name)
        # Held until the model is through with it, also when the sender does not wait that long.
        self.manager.hold(version)
        try:
            future = self.scheduler.submit(target, inputs, rows)
        except BaseException:
            self.manager.release(version)
            raise
        future.add_done_callback(lambda _: self.manager.release(version))
        self.metrics.received(version.name, rows)
        limit = self.limits.seconds if seconds is None else min(seconds, self.limits.seconds)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), limit)
        except asyncio.TimeoutError:
            raise ServingError("DEADLINE_EXCEEDED", f"not answered within {limit:g} s") from None
