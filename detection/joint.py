"""Decomposition, restoration and detector as one network, to be trained together."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras

from kind.detection.canvas import filled, on_grey
from kind.detection.model import Detector
from kind.nn.known_layers import saved_layer
from kind.ops.stretch import min_max_stretch

NAME = "seeing_detector"


@saved_layer("detection", former=[("detection.joint", "PhotographOfCanvas")])
class PhotographOfCanvas(keras.layers.Layer):
    """Canvases → what the decomposition takes: no outside, min-max stretched; float32 [N, S, S, 3]."""

    def call(self, canvases: tf.Tensor) -> tf.Tensor:
        """Fills and stretches."""
        return min_max_stretch(filled(canvases))


@saved_layer("detection", former=[("detection.joint", "OnGrey")])
class OnGrey(keras.layers.Layer):
    """[images, canvases] → what the detector takes: images, and grey outside; float32 [N, S, S, 3]."""

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        """Puts the grey in."""
        return on_grey(*inputs)


def joint_net(decom: keras.Model, restoration: keras.Model, detector: Detector) -> keras.Model:
    """Joins three networks into one that can be saved as one file.

    Args:
        decom: image → [reflectance, illumination].
        restoration: [reflectance, illumination] → restored reflectance.
        detector: image → raw outputs.

    Returns:
        A model named "seeing_detector" from canvases, float32 [N, S, S, 3], to the detector's outputs.
    """
    canvas = keras.Input((None, None, 3), name="canvas")
    restored = restoration(decom(PhotographOfCanvas(name="photograph")(canvas)))
    seen = OnGrey(name="on_grey")([restored, canvas])
    return keras.Model(canvas, detector(seen), name=NAME)


def copy_of(net: keras.Model) -> keras.Model:
    """A network of the same architecture with the same weights, under the strategy in force."""
    copy = net.__class__.from_config(net.get_config())
    copy.set_weights(net.get_weights())
    return copy


def detector_of(net: keras.Model) -> Detector:
    """The detector itself, of a joint network or of one that is nothing else."""
    if isinstance(net, Detector):
        return net
    return next(layer for layer in net.layers if isinstance(layer, Detector))


def parts_of(net: keras.Model) -> dict[str, keras.Model]:
    """The networks inside a joint one, by the name of the file that each has of its own."""
    if isinstance(net, Detector):
        return {}
    inner = [layer for layer in net.layers if isinstance(layer, keras.Model)]
    detector = detector_of(net)
    decom, restoration = (layer for layer in inner if layer is not detector)
    return {"decom": decom, "restoration": restoration, "detector": detector}
