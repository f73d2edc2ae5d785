"""The part that both protocols share: find the version for a request, run it within limits, count it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import NoReturn

import numpy as np

from kind.serving.limits import Limits
from kind.serving.server.batching import Scheduler, Target
from kind.serving.server.calls import Call, Calls
from kind.serving.server.errors import ServingError, bad_request
from kind.serving.server.metrics import Metrics
from kind.serving.server.parsing import ModelSpec, Parser
from kind.serving.server.signatures import Signature, signature_named
from kind.serving.server.threads import bytes_in
from kind.serving.server.versions import ModelManager, Version


class Service:
    """Runs requests, independent of the protocol."""

    def __init__(self, manager: ModelManager, scheduler: Scheduler, metrics: Metrics, limits: Limits) -> None:
        """Keeps the parts; `limits` are of each request, and of all on their way."""
        self.manager, self.scheduler, self.metrics, self.limits = manager, scheduler, metrics, limits
        self.calls = Calls(limits, metrics, manager.names)
        self.stopping = False
        self.loaded = asyncio.Event()
        self.parser = Parser(limits.rows, limits.seconds)
        metrics.waiting.set_function(scheduler.waiting)
        metrics.running.set_function(self.calls.number)

    def stop(self) -> None:
        """Refuses new requests, and those that wait for the first versions."""
        self.stopping = True
        self.loaded.set()

    @contextlib.asynccontextmanager
    async def acquired(self, spec: ModelSpec, call: Call) -> AsyncIterator[Version]:
        """A version that stays until the block ends; waits while the first ones are loaded.

        Raises:
            ServingError: no such version, or the server is stopping.
        """
        if not self.loaded.is_set():
            try:
                await call.in_time(self.loaded.wait())
            except ServingError as error:
                if error.code != "DEADLINE_EXCEEDED":
                    raise
                raise ServingError("UNAVAILABLE", "the models are being loaded") from None
        if self.stopping:
            raise ServingError("UNAVAILABLE", "the server is being stopped")
        version = self.manager.acquire(spec.name, spec.version, spec.label)
        try:
            yield version
        finally:
            self.manager.release(version)

    async def refuse(self, spec: ModelSpec, method: str, call: Call) -> NoReturn:
        """Answers "classify" and "regress": no signature of an image model is for `tf.Example`s.

        Raises:
            ServingError: that of the real server, or see `acquired`.
        """
        async with self.acquired(spec, call) as version:
            found = signature_named(version.model.signatures, spec.signature).method_name
            wanted = f"Expected {method} signature method_name to be tensorflow/serving/{method}"
            raise bad_request(f"{wanted}. Was: {found}")

    async def predict(
        self, version: Version, signature: Signature, inputs: Mapping[str, np.ndarray], call: Call
    ) -> dict[str, np.ndarray]:
        """Runs a request, possibly batched with others.

        Args:
            version: what `acquired` yielded.
            signature: of it, the one to run.
            inputs: unchecked arrays by name.
            call: of the request.

        Returns:
            The outputs by name.

        Raises:
            ServingError: the inputs do not fit the signature, the queue is full, the deadline has passed, or
                the model raised an error.
        """
        rows = await call.compute(bytes_in(inputs), signature.check, inputs, self.limits.pixels)
        target = Target(version.name, version.model, signature.name)
        return await call.in_time(asyncio.wrap_future(self.scheduler.submit(target, inputs, rows, call.end)))
