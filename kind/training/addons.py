"""TensorFlow Addons: the only file that imports it."""

from __future__ import annotations

import warnings

import tensorflow as tf

with warnings.catch_warnings():
    # It announces its end on import; the pinned versions are its last ones, and tested together.
    warnings.filterwarnings("ignore", category=UserWarning, module="tensorflow_addons")
    import tensorflow_addons as tfa

_SYNC_PERIOD, _SLOW_STEP = 6, 0.5


def rectified_adam(
    learning_rate: tf.keras.optimizers.schedules.LearningRateSchedule, *, weight_decay: float, lookahead: bool
) -> tf.keras.optimizers.legacy.Optimizer:
    """Rectified Adam (Liu et al., ICLR 2020), β 0.9 and 0.999.

    Args:
        learning_rate: by optimizer step.
        weight_decay: decoupled, times the learning rate.
        lookahead: every 6 steps go halfway back to the weights of 6 steps ago (Zhang et al., NeurIPS 2019).

    Returns:
        A Keras optimizer of the older interface, which Addons builds on.
    """
    optimizer = tfa.optimizers.RectifiedAdam(learning_rate, weight_decay=weight_decay)
    return tfa.optimizers.Lookahead(optimizer, _SYNC_PERIOD, _SLOW_STEP) if lookahead else optimizer


def spectrally_normalised(layer: tf.keras.layers.Layer, name: str) -> tf.keras.layers.Layer:
    """A layer whose kernel can be divided by its largest singular value (Miyato et al., ICLR 2018).

    Args:
        layer: with a `kernel`.
        name: of the layer around it.

    Returns:
        A layer whose `normalize_weights()` does so; calls with `training=False` do not.
    """
    return tfa.layers.SpectralNormalization(layer, name=name, dtype=layer.dtype)
