"""The part that both protocols share: find the version for a request, run it within limits, count it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from kind.serving.limits import Limits
from kind.serving.server.batching import Scheduler, Target
from kind.serving.server.errors import ServingError
from kind.serving.server.metrics import Metrics
from kind.serving.server.parsing import ModelSpec, Parser
from kind.serving.server.signatures import Signature, check_rows, signature_named
from kind.serving.server.threads import bytes_in, call_in_thread_if_large
from kind.serving.server.version import Version
from kind.serving.server.versions import ModelManager


class Lease(NamedTuple):
    """A version that stays in memory while a request uses it, and the signature to run."""

    version: Version
    signature: Signature


class Service:
    """Runs requests, independent of the protocol."""

    def __init__(self, manager: ModelManager, scheduler: Scheduler, metrics: Metrics, limits: Limits) -> None:
        """Keeps the parts; `limits` apply to each request."""
        self.manager, self.scheduler, self.metrics, self.limits = manager, scheduler, metrics, limits
        self.in_flight = 0
        self.stopping = False
        self.loaded = asyncio.Event()
        self.parser = Parser(limits.rows, limits.seconds)
        metrics.waiting.set_function(scheduler.waiting)
        metrics.running.set_function(lambda: self.in_flight)

    @contextlib.contextmanager
    def counted(self, name: str, api: str, entrypoint: str) -> Iterator[SimpleNamespace]:
        """Counts and times the request answered in the block; ServingError when there are too many.

        Yields an object with the attribute `name`, of the model, which may be set later.
        """
        call = SimpleNamespace(name=name)
        started, status = time.monotonic(), "OK"
        self.in_flight += 1
        try:
            if self.in_flight > self.limits.in_flight:
                raise ServingError(
                    "UNAVAILABLE", f"more than {self.limits.in_flight} requests at the same time"
                )
            yield call
        except ServingError as error:
            status = error.code
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
            known = call.name if call.name in self.manager.names() else ""
            self.metrics.answered(known, api, entrypoint, status, time.monotonic() - started)

    @contextlib.asynccontextmanager
    async def acquired(self, spec: ModelSpec) -> AsyncIterator[Version]:
        """A version that stays until the block ends; waits while the first ones are loaded.

        Raises:
            ServingError: no such version, or the server is stopping.
        """
        if self.stopping:
            raise ServingError("UNAVAILABLE", "the server is being stopped")
        try:
            await asyncio.wait_for(self.loaded.wait(), self.limits.seconds)
        except asyncio.TimeoutError:
            raise ServingError("UNAVAILABLE", "the models are being loaded") from None
        version = self.manager.acquire(spec.name, spec.version, spec.label)
        try:
            yield version
        finally:
            self.manager.release(version)

    @contextlib.asynccontextmanager
    async def lease(self, spec: ModelSpec) -> AsyncIterator[Lease]:
        """`acquired`, with the signature; ServingError when there is none of that name."""
        async with self.acquired(spec) as version:
            yield Lease(version, signature_named(version.model.signatures, spec.signature))

    async def predict(
        self, lease: Lease, inputs: Mapping[str, np.ndarray], seconds: float | None = None
    ) -> dict[str, np.ndarray]:
        """Runs a request, possibly batched with others.

        Args:
            lease: what `lease` yielded.
            inputs: unchecked arrays by name.
            seconds: the sender's deadline, if known.

        Returns:
            The outputs by name.

        Raises:
            ServingError: the inputs do not fit the signature, the queue is full, the deadline has passed, or
                the model raised an error.
        """
        check_rows(max((len(array) for array in inputs.values() if array.ndim), default=0), self.limits.rows)
        rows = await call_in_thread_if_large(
            bytes_in(inputs), lease.signature.check, inputs, self.limits.pixels
        )
        version = lease.version
        target = Target(version.name, version.model, lease.signature.name)
        limit = self.limits.seconds if seconds is None else min(seconds, self.limits.seconds)
        future = self.scheduler.submit(target, inputs, rows, limit)
        self.metrics.received(version.name, rows)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), limit)
        except asyncio.TimeoutError:
            raise ServingError("DEADLINE_EXCEEDED", f"not answered within {limit:g} s") from None
