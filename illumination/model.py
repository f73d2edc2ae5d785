"""The illumination adjustment network: illumination and a wanted ratio → adjusted illumination."""

from __future__ import annotations

from tensorflow import keras

from kind.nn.layers import leaky_conv


def adjustment_net() -> keras.Model:
    """Builds KinD's illumination adjustment network (section 3.2.3 of the paper), 19,393 parameters.

    Paper: three convolutions, the last without activation. Here: four, leaky ReLU after every one, even
    before the sigmoid, because the published code and its weights have them.

    Returns:
        A model named "adjustment" from [illumination float32 [N, H, W, 1] in [0, 1], alpha float32
        [N, H, W, 1], a plane that holds the wanted ratio of brightness], any size from 1×1, to the
        adjusted illumination, float32 [N, H, W, 1] in (0, 1).
    """
    illumination = keras.Input((None, None, 1), name="illumination")
    alpha = keras.Input((None, None, 1), name="alpha")
    values = keras.layers.Concatenate(name="join")([illumination, alpha])  # [N, H, W, 2]
    for number in (1, 2, 3):
        values = leaky_conv(values, 32, f"conv_{number}")
    values = leaky_conv(values, 1, "conv_4")
    adjusted = keras.layers.Activation("sigmoid", dtype="float32", name="adjusted")(values)
    return keras.Model([illumination, alpha], adjusted, name="adjustment")
