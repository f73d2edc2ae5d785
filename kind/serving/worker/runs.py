"""Runs of a session that can be stopped before they end."""

from __future__ import annotations

import contextlib
import math
import queue
import threading
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from kind.serving.server.errors import ServingError

_MOST_RUNS = 16  # at the same time
_STOP_SECONDS = 5.0


class Runs:
    """Runs signatures; thread-safe.

    A session can be told a time limit when a run begins, and nothing later. So the graph gets switches:
    queues of one boolean. An operation of each run waits at a switch. The end of the run puts True there, and
    the operation passes. False from elsewhere makes it fail, which ends the run as a time limit does: no
    other operation is begun.
    """

    def __init__(self, session: tf.compat.v1.Session, definitions: Mapping[str, Any]) -> None:
        """Adds the switches to the session's graph.

        Args:
            session: holds the graph and its variables.
            definitions: the `SignatureDef`s that can be run, by name.
        """
        self._session, self._definitions = session, definitions
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._locks = [threading.Lock() for _ in range(_MOST_RUNS)]  # of the switches
        self._taken: dict[Hashable, int] = {}  # switches by the name of the run
        self._stopped: set[int] = set()  # switches
        graph = session.graph
        with graph.as_default():
            switches = [tf.queue.FIFOQueue(2, [tf.bool], [[]]) for _ in range(_MOST_RUNS)]
            self._switch = tf.compat.v1.placeholder(tf.int32, [])
            chosen = tf.queue.QueueBase.from_list(self._switch, switches)
            self._passed = tf.raw_ops.Assert(condition=chosen.dequeue(), data=["stopped"])
            self._stop = chosen.enqueue(False)
            self._clear = chosen.dequeue_up_to(chosen.size())
            # Made here: made below, the constant would wait for the outputs, and be folded before it does.
            true = tf.constant(True)
            self._end = {}
            for name, definition in definitions.items():
                with contextlib.suppress(KeyError, ValueError):  # an output that no run can give
                    outputs = [
                        graph.get_tensor_by_name(output.name) for output in definition.outputs.values()
                    ]
                    # Not the outputs themselves: once a function is part of the graph, nothing waits for a
                    # call of it that has no effects.
                    with tf.control_dependencies([tf.identity(output) for output in outputs]):
                        self._end[name] = chosen.enqueue(true)
        for switch in range(_MOST_RUNS):
            self._free.put(switch)
        for operation in (self._stop, self._clear):  # the first run of each takes longer
            self._tell(operation, 0)

    def run(
        self, signature: str, inputs: Mapping[str, np.ndarray], seconds: float, switch: int
    ) -> dict[str, np.ndarray]:
        """Runs a signature, within `stoppable`.

        Args:
            signature: its name.
            inputs: by name.
            seconds: after which no other operation is begun.
            switch: what `stoppable` gave.

        Returns:
            The outputs, in the order of their names.

        Raises:
            tf.errors.OpError: the graph refuses the inputs, the run was stopped, or the time is over.
        """
        definition = self._definitions[signature]
        wanted = {name: definition.outputs[name].name for name in sorted(definition.outputs)}
        given = {definition.inputs[name].name: array for name, array in inputs.items()}
        options = tf.compat.v1.RunOptions(timeout_in_ms=math.ceil(seconds * 1000))
        if signature not in self._end:  # the graph says why
            return self._session.run(wanted, given, options)
        fetched = wanted, self._passed, self._end[signature]
        values, *_ = self._session.run(fetched, {**given, self._switch: switch}, options)
        # NumPy's own type of bytes would lose zeros at the end.
        return {
            name: np.asarray(value, object if isinstance(value, bytes) else None)
            for name, value in values.items()
        }

    def stop(self, name: Hashable) -> None:
        """Ends a run, if it has begun and not ended."""
        switch = self._taken.get(name)
        if switch is None:
            return
        with self._locks[switch]:
            if self._taken.get(name) == switch and switch not in self._stopped:
                self._stopped.add(switch)
                self._tell(self._stop, switch)

    def is_stopped(self, switch: int) -> bool:
        """Whether what runs with a switch was stopped."""
        return switch in self._stopped

    @contextlib.contextmanager
    def stoppable(self, name: Hashable, seconds: float) -> Iterator[int]:
        """Gives a switch to what runs in the block.

        Args:
            name: of the run, for `stop`.
            seconds: to wait for a switch where there are many runs.

        Raises:
            ServingError: the block raised OpError because it was stopped (CANCELLED), or no switch became
                free in time.
        """
        try:
            switch = self._free.get(timeout=seconds)
        except queue.Empty:
            raise ServingError("DEADLINE_EXCEEDED", "not answered in time") from None
        self._taken[name] = switch
        is_clean = False
        try:
            yield switch
            is_clean = True
        except tf.errors.OpError as error:
            if switch in self._stopped:
                raise ServingError("CANCELLED", "stopped") from error
            raise
        finally:
            with self._locks[switch]:
                del self._taken[name]
                is_clean = is_clean and switch not in self._stopped
                self._stopped.discard(switch)
            if not is_clean:
                self._tell(self._clear, switch)
            self._free.put(switch)

    def _tell(self, operation: tf.Operation, switch: int) -> None:
        """Runs an operation at a switch, where the machine lets it."""
        options = tf.compat.v1.RunOptions(timeout_in_ms=math.ceil(_STOP_SECONDS * 1000))
        with contextlib.suppress(tf.errors.DeadlineExceededError):
            self._session.run(operation, {self._switch: switch}, options)
