"""KinD++'s restoration network: convolutions guided by the illumination at three scales."""

from __future__ import annotations

from tensorflow import keras

from kind.nn.layers import After, CropLike, JoinConvolution, halve, leaky_conv, sigmoid_head

_WIDTHS = ((32, 64), (128, 256), (512, 256), (128, 64))
_LAST_WIDTH = 32


def msia() -> keras.Model:
    """Builds KinD++'s restoration network (IJCV 2021, section 3.2), 8,023,079 values.

    Pairs of convolutions at full resolution, each pair followed by a multi-scale illumination attention
    (MSIA) block. The illumination enters through the attention only. 3,840 of the values are the moving
    statistics of the batch normalisations.

    Returns:
        A model named "restoration_msia" from [reflectance float32 [N, H, W, 3], illumination float32
        [N, H, W, 1]], both in [0, 1], any size from 1×1 (the original takes multiples of 4), to the
        restored reflectance, float32 [N, H, W, 3] in (0, 1).
    """
    reflectance = keras.Input((None, None, 3), name="reflectance")
    illumination = keras.Input((None, None, 1), name="illumination")
    values = reflectance
    for number, (first, second) in enumerate(_WIDTHS, start=1):
        values = leaky_conv(values, first, f"conv_{number}_1")
        values = leaky_conv(values, second, f"conv_{number}_2")
        values = _msia_block(values, illumination, second, f"msia_{number}")  # [N, H, W, second]
    values = leaky_conv(values, _LAST_WIDTH, "conv_5")
    restored = sigmoid_head(values, 3, 3, "restored")
    return keras.Model([reflectance, illumination], restored, name="restoration_msia")


def _msia_block(values, illumination, width: int, name: str):
    """Features under illumination attention, joined with themselves at three scales.

    Paper: 4×4 pooling. Here: 2×2 pooling twice, because at sizes that are no multiple of 4 its windows
    start at the top left like the upsampled result that is cut to size, where 4×4 windows would be
    shifted; at multiples of 4 the two are one.
    """
    attention = keras.layers.Conv2D(
        1, 3, padding="same", use_bias=False, activation="sigmoid", name=f"{name}_attention"
    )(illumination)  # [N, H, W, 1]
    values = keras.layers.Multiply(name=f"{name}_attended")([values, attention])  # [N, H, W, width]

    half_pooled = halve(values, f"{name}_half_pool")  # [N, H/2, W/2, width]
    quarter_pooled = halve(half_pooled, f"{name}_quarter_pool")  # [N, H/4, W/4, width]

    # One branch after another: side by side they would take half as much memory again.
    full = _normalised_conv(values, width, 3, f"{name}_full")
    half = After(name=f"{name}_half_after")([half_pooled, full])
    half = _double(_normalised_conv(half, width, 3, f"{name}_half"), width, f"{name}_half_up")
    half = CropLike(name=f"{name}_half_cut")([half, values])
    quarter = After(name=f"{name}_quarter_after")([quarter_pooled, half])
    quarter = _normalised_conv(quarter, width, 1, f"{name}_quarter")
    quarter = _double(quarter, width, f"{name}_quarter_up_1")
    quarter = _double(quarter, width, f"{name}_quarter_up_2")
    quarter = CropLike(name=f"{name}_quarter_cut")([quarter, values])
    return JoinConvolution(width, activation="relu", name=f"{name}_join")([values, full, half, quarter])


def _normalised_conv(values, width: int, size: int, name: str):
    """Convolution, ReLU, batch normalisation and ReLU again, as the published weights want it."""
    values = keras.layers.Conv2D(width, size, padding="same", activation="relu", name=f"{name}_conv")(values)
    values = keras.layers.BatchNormalization(epsilon=1e-3, name=f"{name}_norm")(values)
    return keras.layers.ReLU(name=f"{name}_relu")(values)


def _double(values, width: int, name: str):
    """Twice the height and width by a 2×2 transposed convolution with bias and ReLU."""
    return keras.layers.Conv2DTranspose(width, 2, strides=2, activation="relu", name=name)(values)
