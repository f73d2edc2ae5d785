"""Feature maps of a frozen detector, which the restored image is compared on."""

from __future__ import annotations

from tensorflow import keras

from kind.nn.saving import load_net


def load_features(path: str) -> keras.Model:
    """Reads a frozen network from images, float32 [N, H, W, 3] in [0, 1], to a list of feature maps.

    Args:
        path: a `.keras` file.

    Returns:
        The network, not trainable.
    """
    net = load_net(path)
    net.trainable = False
    return net
