"""Layers that compute in 16 bits while training, and networks that do not once they are saved."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tensorflow import keras


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Layers made inside a `with` block follow a Keras policy: "float32" or "mixed_bfloat16"."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


class Float32Copy:
    """A network of the same architecture whose layers all compute in float32."""

    def __init__(self, net: keras.Model) -> None:
        """Builds the copy, unless the network is of float32 already."""
        config = net.get_config()
        plain = _in_float32(config)
        self._copy = None if plain == config else net.__class__.from_config(plain)

    def of(self, net: keras.Model) -> keras.Model:
        """The network with its present weights: itself, or the copy."""
        if self._copy is None:
            return net
        self._copy.set_weights(net.get_weights())
        return self._copy


def _in_float32(config: object) -> object:
    """A network's config with every mixed precision policy replaced."""
    if isinstance(config, dict):
        if config.get("class_name") == "Policy":
            return "float32"
        return {name: _in_float32(value) for name, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_in_float32(value) for value in config)
    return config
