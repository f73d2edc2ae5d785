"""Frozen networks whose features losses compare, from the files that users name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from tensorflow import keras

from kind.constants import DETECTOR_MULTIPLE
from kind.errors import UserError, listed
from kind.nn.saving import load_net, weights_digest
from kind.nn.vgg import load_vgg

_DEFAULT_VGG_LAYER = "block3_conv3"


class Features:
    """φ: images → features of one or more layers of a frozen network."""

    def __init__(self, net: keras.Model, multiple: int = 1) -> None:
        """Keeps the network.

        Args:
            net: from float32 [N, H, W, 3] to a feature map or a list of them.
            multiple: the sides of its input are multiples of this.
        """
        net.trainable = False
        self._net = net
        self._multiple = multiple
        self.digest = weights_digest(net)

    def __call__(self, images: tf.Tensor) -> list[tf.Tensor]:
        """Features [N, h, w, C] by layer; images are float32 [N, H, W, 1 or 3] in [0, 1].

        Grey is repeated in three channels, and black is added below and at the right up to the next size that
        the network takes.
        """
        if images.shape[-1] == 1:
            images = tf.repeat(images, 3, axis=-1)
        missing = -tf.shape(images)[1:3] % self._multiple
        images = tf.pad(images, [[0, 0], [0, missing[0]], [0, missing[1]], [0, 0]])
        features = self._net(images, training=False)
        return list(features) if isinstance(features, (list, tuple)) else [features]


def load_features(file: str | Path | None = None, layers: Sequence[str] = ()) -> Features:
    """Reads the network that a perceptual loss looks through.

    Args:
        file: Keras's VGG16 or VGG19 weights without top (`.h5`), a classifier or a detector (`.keras`, or
            a run folder with `best.keras`); None takes the backbone of the detector that ships.
        layers: names of layers; by default a detector's five levels, and VGG's block3_conv3.

    Returns:
        The network, frozen.

    Raises:
        UserError: when the file cannot be read, has no such layer, or is a classifier and no layer is named.
    """
    from kind.detection.model import Detector
    from kind.detection.predictor import load_detector
    from kind.detection.reuse import feature_network
    from kind.training.run_folder import best_weights

    if file is not None and Path(file).suffix == ".h5":
        return Features(_cut(load_vgg(file), layers or (_DEFAULT_VGG_LAYER,), file))
    net = load_detector() if file is None else load_net(best_weights(file))
    if isinstance(net, Detector):
        backbone = _cut(net.backbone, layers, file) if layers else feature_network(net)
        return Features(backbone, DETECTOR_MULTIPLE)
    if not layers:
        raise UserError(f"{file}: name the layer to compare, FILE:LAYER; it has {_layers_of(net)}")
    return Features(_cut(net, layers, file))


def _cut(net: keras.Model, layers: Sequence[str], file: str | Path | None) -> keras.Model:
    """The network from its images to these layers."""
    known = {layer.name: layer for layer in net.layers}
    for name in layers:
        if name not in known:
            raise UserError(
                f"{file or 'the detector that ships'}: has no layer {name!r}; it has {_layers_of(net)}"
            )
    return keras.Model(net.input, [known[name].output for name in layers], name=f"{net.name}_features")


def _layers_of(net: keras.Model) -> str:
    return listed([layer.name for layer in net.layers if len(layer.output_shape or ()) == 4], 8)
