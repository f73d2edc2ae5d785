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

_AT_ONCE = 64


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
            session: has run nothing yet.
            definitions: the `SignatureDef`s that can be run, by name.
        """
        self._session, self._definitions = session, definitions
        self._lock = threading.Lock()
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._taken: dict[Hashable, int] = {}  # switches by the name of the run
        self._stopped: set[int] = set()  # switches
        graph = session.graph
        with graph.as_default():
            switches = [tf.queue.FIFOQueue(2, [tf.bool], [[]]) for _ in range(_AT_ONCE)]
            passing = tf.constant(True)  # in the block below, it would wait in place of what puts it there
            self._switch = tf.compat.v1.placeholder(tf.int32, [])
            chosen = tf.queue.QueueBase.from_list(self._switch, switches)
            self._passed = tf.raw_ops.Assert(condition=chosen.dequeue(), data=["stopped"])
            self._stop = chosen.enqueue(False)
            self._clear = chosen.dequeue_up_to(chosen.size())
            self._end = {}
            for name, definition in definitions.items():
                outputs = [graph.get_tensor_by_name(output.name) for output in definition.outputs.values()]
                # When functions become part of the graph, nothing waits for a call of one without effects.
                with tf.control_dependencies([tf.identity(output) for output in outputs]):
                    self._end[name] = chosen.enqueue(passing)
        for switch in range(_AT_ONCE):
            self._free.put(switch)

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
        fetched = wanted, self._passed, self._end[signature]
        values, *_ = self._session.run(fetched, {**given, self._switch: switch}, options)
        return {name: np.asarray(value) for name, value in values.items()}

    def stop(self, name: Hashable) -> None:
        """Ends a run, if it has begun and not ended."""
        with self._lock:
            switch = self._taken.get(name)
            if switch is not None and switch not in self._stopped:
                self._stopped.add(switch)
                self._session.run(self._stop, {self._switch: switch})

    def is_stopped(self, switch: int) -> bool:
        """Whether what runs with a switch was stopped."""
        return switch in self._stopped

    @contextlib.contextmanager
    def stoppable(self, name: Hashable) -> Iterator[int]:
        """Gives a switch to what runs in the block; ServingError (CANCELLED) for its OpError when stopped."""
        switch = self._free.get()
        with self._lock:
            self._taken[name] = switch
        was_refused = False
        try:
            yield switch
        except tf.errors.OpError as error:
            was_refused = True
            if switch in self._stopped:
                raise ServingError("CANCELLED", "stopped") from error
            raise
        finally:
            with self._lock:
                del self._taken[name]
                was_stopped = switch in self._stopped
                self._stopped.discard(switch)
            if was_refused or was_stopped:  # something may be left at the switch
                self._session.run(self._clear, {self._switch: switch})
            self._free.put(switch)
