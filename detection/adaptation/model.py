"""The network of the adaptation: a detector, and a decoder of its early features."""

from __future__ import annotations

from tensorflow import keras

from kind.detection.model import Detector

NAME = "adapted_detector"
_LEVEL, _STRIDE, _WIDTH = "P2", 4, 64
CHANNELS = {"retinex": 3, "ciconv": 1}
"""Channels of what is decoded, by reference."""


def early_feature(detector: Detector):
    """The Keras tensor that the decoder reads: float [N, H/4, W/4, C], the end of the first stack."""
    return detector.get_layer(detector.backbone.pyramid_level_inputs[_LEVEL]).output


def reflectance_decoder(channels: int, reference: str) -> keras.Model:
    """Early features → reflectance at the image's size.

    Paper: features at stride 2, one 3×3 convolution of 64 channels, ReLU, one doubling, a 3×3 convolution and
    a sigmoid. Here: stride 4, where both architectures have more than a stem, and so two doublings; bilinear
    instead of nearest, which leaves no blocks; and no sigmoid where the target is unbounded: it would be
    matched by a black or a white image at best.

    Args:
        channels: of the features.
        reference: a key of `CHANNELS`.

    Returns:
        A model named "decoder", float [N, h, w, C] → float32 [N, 4h, 4w, 3] in (0, 1) for "retinex",
        [N, 4h, 4w, 1], unbounded, for "ciconv".
    """
    features = keras.Input((None, None, channels), name="features")
    values = keras.layers.Conv2D(_WIDTH, 3, padding="same", activation="relu", name="hidden")(features)
    doublings = _STRIDE.bit_length() - 1
    for number in range(doublings):
        values = keras.layers.UpSampling2D(2, interpolation="bilinear", name=f"double_{number}")(values)
    values = keras.layers.Conv2D(CHANNELS[reference], 3, padding="same", name="decoded")(values)
    last = "sigmoid" if reference == "retinex" else "linear"
    values = keras.layers.Activation(last, dtype="float32", name="reflectance")(values)
    return keras.Model(features, values, name="decoder")


def adaptation_net(detector: Detector, decoder: keras.Model) -> keras.Model:
    """Both networks as one that can be saved as one file; they meet in the stage.

    Args:
        detector: see `Detector`.
        decoder: of `reflectance_decoder`.

    Returns:
        A model [image, features] → the detector's outputs and `reflectance`.
    """
    image = keras.Input((None, None, 3), name="image")
    features = keras.Input(decoder.input_shape[1:], name="early")
    return keras.Model([image, features], {**detector(image), "reflectance": decoder(features)}, name=NAME)


def decoder_of(net: keras.Model) -> keras.Model:
    """The decoder inside a network of `adaptation_net`."""
    return net.get_layer("decoder")
