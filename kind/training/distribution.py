"""One machine or several, one accelerator or several: `tf.distribute` does it, this chooses how."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator

import tensorflow as tf

from kind.errors import UserError

STRATEGIES = ("auto", "mirrored", "multiworker")


def choose_strategy(name: str) -> tf.distribute.Strategy:
    """Makes the strategy; before any other use of TensorFlow, because workers connect now.

    Args:
        name: "multiworker" takes the machines of TF_CONFIG, "mirrored" all accelerators of this one, and
            "auto" the first of these that has more than one replica, or else no distribution at all.

    Returns:
        The strategy; its `num_replicas_in_sync` share each batch.

    Raises:
        UserError: when TF_CONFIG is missing or cannot be used, or another name is given.
    """
    if name not in STRATEGIES:
        raise UserError(f"--strategy expects one of {', '.join(STRATEGIES)}; received {name}")
    workers = _workers()
    if name == "multiworker" and not workers:
        raise UserError(
            "--strategy multiworker expects TF_CONFIG in the environment, such as "
            '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
        )
    if name == "multiworker" or (name == "auto" and len(workers) > 1):
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "mirrored" or len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes the run folder."""
    resolver = strategy.cluster_resolver
    return (
        resolver is None or not resolver.task_type or (resolver.task_type, resolver.task_id) == ("worker", 0)
    )


_GONE = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,  # of a heartbeat, where the machine is busy
)
"""What TensorFlow raises when it has no connection to another process of the cluster."""


@contextlib.contextmanager
def rejoining(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Starts this process over when another one of the cluster has gone: it then waits for that one.

    A process cannot connect to a cluster twice, so it becomes a new one, with the same command line and
    the same process number, and goes on from the last checkpoint.
    """
    try:
        yield
    except _GONE:
        if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            raise
        print("lost a worker: waiting for it, to go on from the last checkpoint", file=sys.stderr, flush=True)
        os.execv(sys.executable, [sys.executable, *_command()])


def _command() -> list[str]:
    """What Python was started with: a script, or `-m kind`, whose script alone does not say so."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    is_package = spec is not None and spec.name.startswith("kind.")
    return ["-m", "kind", *sys.argv[1:]] if is_package else sys.argv


class ChiefsWord:
    """Makes all processes go by the chief's numbers, for decisions that they have to take alike."""

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        """Prepares the exchange, once: every process takes part in each."""
        self._alone = not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        self._is_chief = is_chief(strategy)
        replicas_of_chief = strategy.num_replicas_in_sync / max(1, len(_workers()))

        @tf.function(input_signature=[tf.TensorSpec([])])
        def exchanged(value):
            return strategy.reduce("SUM", strategy.run(tf.identity, [value]), axis=None) / replicas_of_chief

        self._exchanged = exchanged

    def __call__(self, value: float) -> float:
        """The chief's value in every process; where there is one process, the value itself."""
        if self._alone:
            return float(value)
        return float(self._exchanged(tf.constant(value if self._is_chief else 0.0, tf.float32)))


def _workers() -> list[str]:
    """The addresses of TF_CONFIG's workers, none without it."""
    text = os.environ.get("TF_CONFIG", "")
    if not text.strip():
        return []
    try:
        config = json.loads(text)
        workers, task = config["cluster"]["worker"], config["task"]
        if set(config["cluster"]) != {"worker"} or task["type"] != "worker":
            raise ValueError("only workers are known here")
        workers[task["index"]]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UserError(f"TF_CONFIG: not a cluster of workers ({error}); received {text}") from error
    return workers
