"""KinD's restoration network: a five-level U-Net."""

from __future__ import annotations

from tensorflow import keras

from kind.nn.layers import halve, leaky_conv, sigmoid_head, up_and_join

_WIDTHS = (32, 64, 128, 256)
_BOTTOM_WIDTH = 512


def unet() -> keras.Model:
    """Builds KinD's restoration network (section 3.2.2 of the paper), 7,760,739 parameters.

    Returns:
        A model named "restoration_unet" from [reflectance float32 [N, H, W, 3], illumination float32
        [N, H, W, 1]], both in [0, 1], any size from 1×1, to the restored reflectance, float32
        [N, H, W, 3] in (0, 1).
    """
    reflectance = keras.Input((None, None, 3), name="reflectance")
    illumination = keras.Input((None, None, 1), name="illumination")
    values = keras.layers.Concatenate(name="join")([reflectance, illumination])  # [N, H, W, 4]

    skips = []
    for level, width in enumerate(_WIDTHS, start=1):
        values = _two_convolutions(values, width, f"encode_{level}")
        skips.append(values)
        values = halve(values, f"pool_{level}")
    values = _two_convolutions(values, _BOTTOM_WIDTH, "bottom")  # [N, H/16, W/16, 512]
    for level in range(len(_WIDTHS), 0, -1):
        width = _WIDTHS[level - 1]
        values = up_and_join(values, skips[level - 1], width, f"up_{level}")
        values = _two_convolutions(values, width, f"decode_{level}")
    restored = sigmoid_head(values, 3, 3, "restored")
    return keras.Model([reflectance, illumination], restored, name="restoration_unet")


def _two_convolutions(values, width: int, name: str):
    return leaky_conv(leaky_conv(values, width, f"{name}_1"), width, f"{name}_2")
