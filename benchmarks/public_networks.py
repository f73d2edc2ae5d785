"""KinD's networks as a TensorFlow 1 graph, the way the published code builds and runs them.

Either the published code itself builds them, from a checkout that the user has, or they are built here of
the same operations. Both serve as the scale of speed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.checkpoints.names import PUBLISHED
from kind.errors import UserError

tf1 = tf.compat.v1

#: What is run of the graph, with the channels of its inputs: one network, or all of it with a plane of α.
CHANNELS = {"decom": (3,), "restoration": (3, 1), "illumination": (1, 1), "whole": (3, 1)}


class Builders(NamedTuple):
    """Functions that add the networks to the default graph.

    Attributes:
        decom: image → (reflectance, illumination).
        restoration: (reflectance, illumination) → restored reflectance.
        illumination: (illumination, α plane) → adjusted illumination.
        description: what reports call them.
    """

    decom: Callable
    restoration: Callable
    illumination: Callable
    description: str


class PublicGraph:
    """The three networks in one graph, with a session of its own."""

    def __init__(self, builders: Builders, weights: Mapping[str, np.ndarray]) -> None:
        """Builds the graph.

        Args:
            builders: of the networks.
            weights: values by the published variables' names; variables that have none here keep random
                values.

        Raises:
            UserError: when the builders fail.
        """
        self.description = builders.description
        graph = tf.Graph()
        with graph.as_default():
            tf1.set_random_seed(0)  # needed where operations have been made deterministic
            image = tf1.placeholder(tf.float32, [None, None, None, 3])
            plane = tf1.placeholder(tf.float32, [None, None, None, 1])
            try:
                reflectance, illumination = builders.decom(image)
                restored = builders.restoration(reflectance, illumination)
                adjusted = builders.illumination(illumination, plane)
            except Exception as error:  # whatever other people's code raises
                raise UserError(f"{builders.description}: the networks cannot be built: {error}") from error
            self._inputs = {
                "decom": (image,),
                "restoration": (reflectance, illumination),
                "illumination": (illumination, plane),
                "whole": (image, plane),
            }
            self._outputs = {
                "decom": (reflectance, illumination),
                "restoration": restored,
                "illumination": adjusted,
                "whole": restored * adjusted,
            }
            self._session = tf1.Session(graph=graph)
            self._session.run(tf1.global_variables_initializer())
            for variable in tf1.global_variables():
                if variable.op.name in weights:
                    value = {variable.initializer.inputs[1]: weights[variable.op.name]}
                    self._session.run(variable.initializer, value)

    def run(self, network: str, *inputs: np.ndarray):
        """Runs one of `CHANNELS`, from float32 [N, H, W, C] arrays to such arrays."""
        return self._session.run(self._outputs[network], dict(zip(self._inputs[network], inputs)))


def published_weights(nets: Mapping[str, keras.Model]) -> dict[str, np.ndarray]:
    """Weights of KinD's networks under their published names; none for a network of another architecture.

    Args:
        nets: by stage.
    """
    found = {}
    for stage, network in PUBLISHED["kind"].items():
        layers = {layer.name: layer.get_weights() for layer in nets[stage].layers if layer.weights}
        if layers.keys() == network.layers.keys():
            for layer, names in network.layers.items():
                found.update(zip(names, layers[layer]))
    return found


def networks_built_here(weights: Mapping[str, np.ndarray]) -> Builders:
    """KinD's networks of the operations that the published code has.

    Args:
        weights: see `published_weights`.

    Raises:
        UserError: when one of KinD's networks has no weights here, because another architecture was given.
    """
    missing = [stage for stage, net in PUBLISHED["kind"].items() if not set(net.variables) <= weights.keys()]
    if missing:
        raise UserError(
            f"the public graph has no {missing[0]} network like the one given; leave it out with --no-public"
        )
    build = _Build(weights)
    return Builders(
        build.decom,
        build.restoration,
        build.illumination,
        "KinD's networks as a TensorFlow 1 graph, built here",
    )


class _Build:
    """Adds layers to the default graph; variables are initialised with the given weights."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self._weights = weights

    def decom(self, image):
        self._scope = "DecomNet"
        first = self._conv(image, "g_conv1_1")
        second = self._conv(_pool(first), "g_conv2_1")
        third = self._conv(_pool(second), "g_conv3_1")
        second = self._conv(self._up(third, second, "g_up_1"), "g_conv8_1")
        last = self._conv(self._up(second, first, "g_up_2"), "g_conv9_1")
        shading = tf.concat([self._conv(first, "l_conv1_2"), last], 3)
        heads = self._conv(last, "g_conv10", leaky=False), self._conv(shading, "l_conv1_4", leaky=False)
        return tuple(map(tf.sigmoid, heads))

    def restoration(self, reflectance, illumination):
        self._scope = "Restoration_net"
        values = tf.concat([reflectance, illumination], 3)
        skips = []
        for level in range(1, 5):
            skips.append(self._two(values, level))
            values = _pool(skips[-1])
        values = self._two(values, 5)
        for level in range(6, 10):
            values = self._two(self._up(values, skips.pop(), f"up_{level}"), level)
        return tf.sigmoid(self._conv(values, "de_conv10", leaky=False))

    def illumination(self, illumination, plane):
        self._scope = "Illumination_adjust_net"
        values = tf.concat([illumination, plane], 3)
        for number in range(1, 5):
            values = self._conv(values, f"en_conv_{number}")
        return tf.sigmoid(values)

    def _variable(self, name: str):
        value = self._weights[f"{self._scope}/{name}"]
        return tf1.Variable(value, name=f"{self._scope}/{name}")

    def _conv(self, values, name: str, leaky: bool = True):
        values = tf.nn.conv2d(values, self._variable(f"{name}/weights"), 1, "SAME")
        values = tf.nn.bias_add(values, self._variable(f"{name}/biases"))
        return tf.maximum(0.2 * values, values) if leaky else values

    def _two(self, values, level: int):
        return self._conv(self._conv(values, f"de_conv{level}_1"), f"de_conv{level}_2")

    def _up(self, values, skip, name: str):
        kernel = self._variable(f"{name}/weights")
        doubled = tf.nn.conv2d_transpose(values, kernel, tf.shape(skip), [1, 2, 2, 1])
        return tf.concat([doubled, skip], 3)


def _pool(values):
    return tf.nn.max_pool2d(values, 2, 2, "SAME")
