"""Layers by name: which stand still, learn at their own rate, or take weights over from another network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

import tensorflow as tf
from tensorflow import keras

from kind.errors import UserError

_FLAG = "--learning-rate-multipliers"


def named_layers(net: keras.Model) -> dict[str, keras.layers.Layer]:
    """The layers that have weights, by path.

    Args:
        net: a functional model; inner models are gone into.

    Returns:
        Layers in the network's order; one inside an inner model is named "model/layer".
    """
    return dict(_walk(net, ""))


def freeze(net: keras.Model, patterns: Sequence[str]) -> list[keras.layers.Layer]:
    """Takes the layers that match any pattern out of training; batch statistics stand still too.

    Args:
        net: changed in place.
        patterns: shell patterns of paths, see `named_layers`.

    Returns:
        The layers that were trained until now.

    Raises:
        UserError: when a pattern matches no layer, or no layer is left to train.
    """
    layers, frozen = named_layers(net), []
    for pattern in patterns:
        for path in _matching(layers, pattern, "--freeze"):
            if layers[path].trainable:
                layers[path].trainable = False
                frozen.append(layers[path])
    if not net.trainable_variables:
        raise UserError(f"--freeze {' '.join(patterns)} leaves nothing to train in {net.name}")
    return frozen


def rate_groups(net: keras.Model, multipliers: Sequence[str]) -> dict[float, list[tf.Variable]]:
    """Groups the trainable weights by the multiplier of their learning rate.

    Args:
        net: after `freeze`.
        multipliers: "PATTERN=FACTOR"; where several match a layer, the last counts.

    Returns:
        Variables by factor, in the network's order; 1 for those that no pattern matches.

    Raises:
        UserError: when an entry is not of this form, or matches no layer.
    """
    layers = named_layers(net)
    factors = dict.fromkeys(layers, 1.0)
    for entry in multipliers:
        pattern, _, number = entry.rpartition("=")
        factor = _positive(number)
        if not pattern or factor is None:
            raise UserError(f"{_FLAG} expects PATTERN=FACTOR with a factor above 0; received {entry!r}")
        factors.update(dict.fromkeys(_matching(layers, pattern, _FLAG), factor))
    groups: dict[float, list[tf.Variable]] = {}
    for path, layer in layers.items():
        if layer.trainable_variables:
            groups.setdefault(factors[path], []).extend(layer.trainable_variables)
    return groups


def statistics(net: keras.Model, learnt: Sequence[tf.Variable]) -> list[tf.Variable]:
    """Finds what changes while a network is trained although no gradient changes it.

    Args:
        net: after `freeze`.
        learnt: the weights that are stepped, now or later.

    Returns:
        The other floating-point variables of layers that are not frozen for good, such as the moving mean and
        variance of a batch normalisation.
    """
    known = {variable.ref() for variable in learnt}
    found = {}
    for layer in named_layers(net).values():
        if layer.trainable or any(variable.ref() in known for variable in layer.weights):
            found.update({variable.ref(): variable for variable in layer.weights})
    return [one for key, one in found.items() if key not in known and one.dtype.is_floating]


def take_weights(net: keras.Model, source: keras.Model, *, partly: bool = False) -> list[str]:
    """Copies the weights of layers with the same path and shapes.

    Args:
        net: receives them.
        source: another network, of the same architecture unless `partly`.
        partly: leave layers that `source` lacks, or has in other shapes, as they are.

    Returns:
        The paths of the layers of `net` that were left as they are.

    Raises:
        UserError: when layers do not fit and `partly` is false, or when none fits.
    """
    layers, sources = named_layers(net), named_layers(source)
    fitting = [
        path for path, layer in layers.items() if path in sources and _shapes(layer) == _shapes(sources[path])
    ]
    left = [path for path in layers if path not in fitting]
    if not fitting or (left and not partly):
        hint = "" if not fitting else "; --init-partly re-initialises these layers"
        raise UserError(f"the weights of {source.name} do not fit {net.name}: {', '.join(left)}{hint}")
    for path in fitting:
        layers[path].set_weights(sources[path].get_weights())
    return left


def _walk(net: keras.Model, prefix: str) -> Iterator[tuple[str, keras.layers.Layer]]:
    for layer in net.layers:
        if isinstance(layer, keras.Model):
            yield from _walk(layer, f"{prefix}{layer.name}/")
        elif layer.weights:
            yield prefix + layer.name, layer


def _matching(layers: dict[str, keras.layers.Layer], pattern: str, flag: str) -> list[str]:
    found = [path for path in layers if fnmatchcase(path, pattern)]
    if not found:
        raise UserError(f"{flag}: {pattern!r} matches no layer; there are {', '.join(layers)}")
    return found


def _positive(number: str) -> float | None:
    """The number that a text stands for, None when it stands for none above zero."""
    try:
        value = float(number)
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None


def _shapes(layer: keras.layers.Layer) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]
