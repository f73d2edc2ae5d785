"""Feature maps of a frozen detector: what enhancers are trained with so that objects survive them."""

from __future__ import annotations

from pathlib import Path

from tensorflow import keras

from kind.detection.predictor import load_detector


def frozen_features(path: str | Path | None = None) -> keras.Model:
    """The backbone of a detector, up to each of its levels.

    Args:
        path: as `load_detector` takes it; by default the detector that ships.

    Returns:
        A model that is not trainable, from float32 [N, H, W, 3] in [0, 1], H and W multiples of 32, to the
        features at strides 2 to 32, float32 [N, H/2, W/2, C₁] to [N, H/32, W/32, C₅].

    Raises:
        UserError: when the detector cannot be loaded.
    """
    backbone = load_detector(path).backbone
    levels = [backbone.get_layer(name).output for name in backbone.pyramid_level_inputs.values()]
    features = keras.Model(backbone.input, levels, name="frozen_features")
    features.trainable = False
    return features
