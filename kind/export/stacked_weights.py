"""Variables of the same shape as one variable, so that an export has dozens to restore instead of hundreds.

TensorFlow keeps five nodes for a variable and takes most of the time of loading a detector for them. A part
of a stack is computed with where it lies, whenever it has a multiple of 64 bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator

import tensorflow as tf
from tensorflow import keras


class StackedWeights(tf.Module):
    """The variables of networks, stacked by shape and type, for graphs that are built of these networks.

    Attributes:
        stacks: float [K, …] each, of K variables that are the same in shape and type.
    """

    def __init__(self, networks: Collection[keras.Model]) -> None:
        """Copies the variables as they are now; the networks stay as they are."""
        super().__init__()
        places: dict[tuple, dict[object, list[tuple[keras.layers.Layer, str]]]] = {}
        for network in networks:
            for layer in network.submodules:
                computing = getattr(layer, "compute_dtype", "")
                for name, value in vars(layer).items():
                    # Others are cast whenever their layer reads them.
                    if isinstance(value, tf.Variable) and value.dtype.name == computing:
                        alike = places.setdefault((value.dtype, *value.shape), {})
                        alike.setdefault(value.ref(), []).append((layer, name))
        several = [alike for alike in places.values() if len(alike) > 1]
        self._places = [list(alike.values()) for alike in several]
        self.stacks = [
            tf.Variable(tf.stack([ref.deref().value() for ref in alike]), trainable=False)
            for alike in several
        ]

    def used_by(self, function: Callable) -> Callable:
        """`function`, for a graph in which the networks compute with parts of the stacks."""

        def call(*arguments, **named):
            with self._in_layers():
                return function(*arguments, **named)

        return call

    @contextlib.contextmanager
    def _in_layers(self) -> Iterator[None]:
        before = []
        try:
            for stack, places in zip(self.stacks, self._places):
                for part, users in zip(tf.unstack(stack), places):
                    for layer, name in users:
                        before.append((layer, name, vars(layer)[name]))
                        vars(layer)[name] = part  # not an assignment, which Keras would keep track of
            yield
        finally:
            for layer, name, variable in reversed(before):  # a layer may be in several networks
                vars(layer)[name] = variable
