"""The light network: image → reflectance, illumination, exposure."""

from __future__ import annotations

from tensorflow import keras

from kind.nn.layers import leaky_conv, leaky_relu
from kind.nn.subpixel import DepthToSpace, FoldedBilinearUpsampling, SpaceToDepth, square_root

_FINE, _MIDDLE, _COARSE = 4, 8, 16  # pixels along each axis that one of each level stands for
_WIDTHS = (40, 64, 72)
_GLOBAL_WIDTH = 64
_GAIN = keras.initializers.Constant(2.0)
_SHADE = keras.initializers.Constant(-2.0)  # a sigmoid of 0.12: LOL's dark images have about 0.2 of the light
_EXPOSURE = keras.initializers.Constant(1.6)  # ln 5


def lite_net() -> keras.Model:
    """Builds the light network, for the whole of an enhancement.

    Squares of 4×4 pixels are folded into channels, so that no convolution runs at full size and yet no
    pixel is thrown away. A three-level U-Net works on them; what its coarsest level sees of the whole
    image steers that level and gives the exposure. The output is unfolded again, on top of the input
    itself, brightened by a smooth learned gain: the full-size guide.

    Returns:
        A model named "lite" from the stretched image S, float32 [N, H, W, 3] in [0, 1], any size from
        1×1, to [reflectance R̂ float32 [N, H, W, 3] in (0, 1), restored already; illumination L of the
        dark image float32 [N, H, W, 1] in (0, 1); log α, float32 [N, 1], the exposure that the network
        suggests]. `kind.ops.exposure.exposed` applies it.
    """
    image = keras.Input((None, None, 3), name="image")
    folded = SpaceToDepth(_FINE, _COARSE, name="fold")(image)  # [N, H/4, W/4, 48]
    folded = keras.layers.Activation(square_root, name="square_root")(folded)
    fine = _block(leaky_conv(folded, _WIDTHS[0], "stem"), "encode_1")  # [N, H/4, W/4, 40]
    middle = _block(_halved(fine, _WIDTHS[1], "down_2"), "encode_2")  # [N, H/8, W/8, 64]
    coarse, overview = _steered(_halved(middle, _WIDTHS[2], "down_3"), folded)  # [N, H/16, W/16, 72]
    coarse = _block(coarse, "encode_3")
    middle = leaky_conv(_doubled(coarse, middle, "up_2"), _WIDTHS[1], "decode_2")
    fine = _block(_doubled(middle, fine, "up_1"), "decode_1")

    detail = keras.layers.Conv2D(3 * _FINE**2, 3, padding="same", name="detail")(fine)
    gain = keras.layers.Conv2D(3 * _FINE**2, 1, bias_initializer=_GAIN, name="gain")(fine)
    guide = keras.layers.Multiply(name="guide")([gain, folded])
    reflectance = keras.layers.Add(name="reflectance_folded")([detail, guide])  # [N, H/4, W/4, 48]
    reflectance = _unfolded_sigmoid(reflectance, _FINE, image, "reflectance")

    shading = keras.layers.Conv2D(1, 3, padding="same", bias_initializer=_SHADE, name="shading")
    shading = shading(middle)  # [N, H/8, W/8, 1]
    shading = FoldedBilinearUpsampling(_MIDDLE, name="illumination_folded")(shading)  # [N, H/8, W/8, 64]
    illumination = _unfolded_sigmoid(shading, _MIDDLE, image, "illumination")

    exposure = keras.layers.Dense(1, bias_initializer=_EXPOSURE, dtype="float32", name="log_alpha")(overview)
    return keras.Model(image, [reflectance, illumination, exposure], name="lite")


def _unfolded_sigmoid(folded, side: int, image, name: str):
    """Unfolded to the size of the image, and a sigmoid, always computed in float32."""
    logits = DepthToSpace(side, name=f"{name}_logits")([folded, image])
    return keras.layers.Activation("sigmoid", dtype="float32", name=name)(logits)


def _block(values, name: str):
    """Two 3×3 convolutions around which the input goes unchanged: [N, H, W, C] → [N, H, W, C]."""
    width = values.shape[-1]
    inner = leaky_conv(values, width, f"{name}_1")
    inner = keras.layers.Conv2D(width, 3, padding="same", name=f"{name}_2")(inner)
    total = keras.layers.Add(name=f"{name}_add")([values, inner])
    return keras.layers.Activation(leaky_relu, name=name)(total)


def _halved(values, width: int, name: str):
    """A 3×3 convolution with stride 2: [N, H, W, C] → [N, H/2, W/2, width]."""
    convolve = keras.layers.Conv2D(width, 3, strides=2, padding="same", activation=leaky_relu, name=name)
    return convolve(values)


def _doubled(values, skip, name: str):
    """`values` at the size of `skip`, added to it: a 1×1 convolution and bilinear upsampling."""
    values = keras.layers.Conv2D(skip.shape[-1], 1, name=name)(values)
    values = keras.layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_resize")(values)
    return keras.layers.Add(name=f"{name}_add")([values, skip])


def _steered(values, folded):
    """Scales and shifts each channel by what is seen of the whole image, which is returned as well.

    That is computed in float32 under any policy: the sum over an image has no room in 8 significant bits.
    """
    seen = [
        keras.layers.GlobalAveragePooling2D(dtype="float32", name="overview_mean")(values),
        keras.layers.GlobalMaxPooling2D(dtype="float32", name="overview_largest")(values),
        keras.layers.GlobalAveragePooling2D(dtype="float32", name="overview_brightness")(folded),
    ]
    overview = keras.layers.Concatenate(dtype="float32", name="overview_join")(seen)
    for number in (1, 2):
        name = f"overview_{number}"
        dense = keras.layers.Dense(_GLOBAL_WIDTH, activation=leaky_relu, dtype="float32", name=name)
        overview = dense(overview)
    width = values.shape[-1]
    plane = keras.layers.Reshape((1, 1, width), name="scale_plane")
    scale = plane(keras.layers.Dense(width, bias_initializer="ones", name="scale")(overview))
    plane = keras.layers.Reshape((1, 1, width), name="shift_plane")
    shift = plane(keras.layers.Dense(width, name="shift")(overview))
    values = keras.layers.Multiply(name="steer_scale")([values, scale])
    return keras.layers.Add(name="steer_shift")([values, shift]), overview
