"""Builds the network that a file's config describes, out of the layers in `kind.nn.known_layers` only.

Keras' deserialiser sees nothing of a file: it takes classes by several names, hands out earlier objects by
a shared id, imports what a file names and calls layers with constants. Here every layer is made by a
constructor from our table with checked arguments, and is called with tensors of the graph and nothing else.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import tensorflow as tf
from tensorflow import keras

from kind.nn.file_schema import (
    Identity,
    Refused,
    checked,
    flag,
    identity_of,
    made,
    scope_name,
    several,
    shown,
    whole,
)
from kind.nn.known_layers import LAYERS
from kind.nn.weights_file import UnreadableWeights

_MODULE = "keras.src.engine.functional"
_FUNCTIONAL: set[Identity] = {(_MODULE, "Functional", registered) for registered in (None, "Functional")}
_FUNCTIONAL.add(("kind.nn.network", "Network", "kind>Network"))
_SEQUENTIAL: set[Identity] = {("keras", "Sequential", None)}
_DEEPEST, _MOST_LAYERS, _MOST_USES = 8, 4096, 256
_UNSPOKEN = ({}, {"training": None}, {"mask": None}, {"training": None, "mask": None})


def build_network(
    config: object, most_values: int, shapes: Iterable[tuple[int, ...]] | None = None
) -> tuple[keras.Model, dict[int, str]]:
    """Builds a network from a `.keras` file's config.

    Args:
        config: the parsed `config.json`.
        most_values: how many numbers its variables may have in all.
        shapes: of the arrays that the file holds for them, in any order; None where they are not known.

    Returns:
        The network with zeros for weights, and by layer id the class name that the file has for a layer.

    Raises:
        Refused: when the config asks for anything that is not in our tables.
        UnreadableWeights: when it needs more numbers, or an array of a shape that the file has not or has too
            few of.
    """
    builder = _Builder()
    if isinstance(config, dict):  # losses and optimizers: nothing that a network computes with
        config = {key: value for key, value in config.items() if key != "compile_config"}
    with _zeros(most_values, None if shapes is None else Counter(shapes)):
        # Our layers have no Python branches on tensors, which AutoGraph would look for in all their sources.
        net = tf.autograph.experimental.do_not_convert(builder.built)(config, 0)
    if not isinstance(net, keras.Model):
        raise Refused("a single layer; expected a network")
    return net, builder.class_names


@contextmanager
def _zeros(most_values: int, shapes: Counter[tuple[int, ...]] | None) -> Iterator[None]:
    """Variables made in the block start as zeros, and a file can fill each of them.

    Zeros, because random numbers for millions of weights, which are replaced at once, take their time. A
    variable that no array of the file fits is refused at once: the rest of a network can take seconds.
    """
    left = most_values

    def create(next_creator, **settings):
        nonlocal left
        shape = settings.get("shape")
        if shape is not None and tf.TensorShape(shape).is_fully_defined():
            shape = tf.TensorShape(shape)
            left -= shape.num_elements()
            if left < 0:
                raise UnreadableWeights(f"its arrays hold {most_values:,} numbers at most, too few")
            if shapes is not None:
                shapes[key := tuple(shape)] -= 1
                if shapes[key] < 0:
                    raise UnreadableWeights(f"the network needs more arrays of the shape {key} than it holds")
            settings["initial_value"] = lambda: tf.zeros(shape, settings.get("dtype") or tf.float32)
        return next_creator(**settings)

    with tf.variable_creator_scope(create):
        yield


class _Builder:
    """Makes layers and models, and counts them."""

    def __init__(self) -> None:
        self.class_names: dict[int, str] = {}
        self._count = 0

    def built(self, item: object, depth: int) -> keras.layers.Layer:
        """The layer or model that a dictionary describes."""
        self._count += 1
        if self._count > _MOST_LAYERS or depth > _DEEPEST:
            raise Refused(f"more than {_MOST_LAYERS} layers, or networks {_DEEPEST} deep in one another")
        identity = identity_of(item)
        if identity in _FUNCTIONAL:
            layer = self._functional(item.get("config"), depth)
        elif identity in _SEQUENTIAL:
            layer = self._sequential(item.get("config"), depth)
        else:
            layer = made(item, LAYERS)
        self.class_names[id(layer)] = identity[1]
        return layer

    def _sequential(self, config: object, depth: int) -> keras.Model:
        items = several(lambda item: item, 1, _MOST_LAYERS)
        arguments = checked(config, {"name": scope_name, "layers": items, "trainable": flag}, "Sequential")
        layers = [self.built(item, depth + 1) for item in arguments.get("layers", ())]
        net = keras.Sequential(layers, name=arguments.get("name"))
        if not net.built:
            raise Refused("Sequential without an input")
        return net

    def _functional(self, config: object, depth: int) -> keras.Model:
        anything = several(lambda item: item, 1, _MOST_LAYERS)
        settings = {
            "name": scope_name,
            "trainable": flag,
            "layers": anything,
            "input_layers": several(_reference, 1, 64),
            "output_layers": _references,
        }
        arguments = checked(config, settings, "Functional")
        if missing := settings.keys() - arguments.keys() - {"trainable"}:
            raise Refused(f"Functional without {min(missing)}")
        graph = _Graph()
        for item in arguments["layers"]:
            if not isinstance(item, dict):
                raise Refused(f"a layer {shown(item)}")
            described = {key: value for key, value in item.items() if key not in ("name", "inbound_nodes")}
            graph.add(self.built(described, depth + 1), item.get("name"), item.get("inbound_nodes"))
        graph.connect()
        inputs = [graph.tensor(reference) for reference in arguments["input_layers"]]
        outputs = arguments["output_layers"]
        if isinstance(outputs, dict):
            outputs = {key: graph.tensor(reference) for key, reference in outputs.items()}
        else:
            outputs = [graph.tensor(reference) for reference in outputs]
        return keras.Model(inputs, outputs, name=arguments["name"])


_Reference = tuple[str, int, int]
"""Layer, number of its use, number of its output."""


class _Graph:
    """The layers of one functional model and the tensors between them."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[list[_Reference]]] = {}
        self._layers: dict[str, keras.layers.Layer] = {}
        self._results: dict[str, list[list]] = defaultdict(list)

    def add(self, layer: keras.layers.Layer, name: object, uses: object) -> None:
        """Takes a layer and what it is to be called with."""
        if name != layer.name or layer.name in self._layers:
            raise Refused(f"a layer named {shown(name)} and {shown(layer.name)}, or two of one name")
        self._layers[layer.name] = layer
        is_input = isinstance(layer, keras.layers.InputLayer)
        calls = several(several(_call_argument, 1, _MOST_USES), 0 if is_input else 1, _MOST_USES)(uses)
        if is_input:
            if calls:
                raise Refused("an input that is fed by a layer")
            self._results[layer.name].append([layer.output])
            return
        if isinstance(layer, keras.Model):  # Keras counts the model's own graph as its first use
            self._results[layer.name].append([])
        self._waiting[layer.name] = list(calls)

    def connect(self) -> None:
        """Calls all layers, each as soon as what it takes is there."""
        while self._waiting:
            before = sum(map(len, self._waiting.values()))
            for name in list(self._waiting):
                calls = self._waiting[name]
                while calls and all(self._is_there(reference) for reference in calls[0]):
                    values = [self.tensor(reference) for reference in calls.pop(0)]
                    result = self._layers[name](values[0] if len(values) == 1 else values)
                    self._results[name].append(tf.nest.flatten(result))
                if not calls:
                    del self._waiting[name]
            if sum(map(len, self._waiting.values())) == before:
                raise Refused(f"the layer {min(self._waiting)}, which is fed by nothing")

    def _is_there(self, reference: _Reference) -> bool:
        return reference[1] < len(self._results.get(reference[0], ()))

    def tensor(self, reference: _Reference):
        """One of a layer's outputs."""
        name, use, output = reference
        if not self._is_there(reference) or output >= len(self._results[name][use]):
            raise Refused(f"a tensor that no layer makes, {shown(list(reference))}")
        return self._results[name][use][output]


_NUMBER = whole(0, _MOST_LAYERS)


def _reference(value: object) -> _Reference:
    if not isinstance(value, list) or len(value) != 3:
        raise Refused(f"a tensor {shown(value)}")
    return scope_name(value[0]), _NUMBER(value[1]), _NUMBER(value[2])


def _references(value: object) -> list[_Reference] | dict[str, _Reference]:
    if isinstance(value, dict) and 0 < len(value) <= 64:
        return {scope_name(key): _reference(part) for key, part in value.items()}
    return several(_reference, 1, 64)(value)


def _call_argument(value: object) -> _Reference:
    """A tensor of the graph; Keras writes the call's other arguments behind it, and none is taken."""
    if not isinstance(value, list) or len(value) != 4 or value[3] not in _UNSPOKEN:
        raise Refused(f"a call with {shown(value)}")
    return _reference(value[:3])
