"""The decomposition network: image → reflectance, illumination."""

from __future__ import annotations

from tensorflow import keras

from kind.nn.layers import halve, leaky_conv, sigmoid_head, up_and_join


def decomposition_net() -> keras.Model:
    """Builds KinD's decomposition network (section 3.2.1 of the paper), 235,876 parameters.

    A two-level U-Net gives the reflectance; the illumination branch starts from the first feature map
    and reuses the U-Net's last one.

    Paper: 3×3 output convolutions. Here: 1×1, because the published code has them, for better results.

    Returns:
        A model named "decomposition" from float32 [N, H, W, 3] in [0, 1], any size from 1×1, to
        [reflectance float32 [N, H, W, 3], illumination float32 [N, H, W, 1]], both in (0, 1).
    """
    image = keras.Input((None, None, 3), name="image")
    encoded_1 = leaky_conv(image, 32, "encode_1")  # [N, H, W, 32]
    encoded_2 = leaky_conv(halve(encoded_1, "pool_1"), 64, "encode_2")  # [N, H/2, W/2, 64]
    encoded_3 = leaky_conv(halve(encoded_2, "pool_2"), 128, "encode_3")  # [N, H/4, W/4, 128]
    decoded_2 = leaky_conv(up_and_join(encoded_3, encoded_2, 64, "up_2"), 64, "decode_2")
    decoded_1 = leaky_conv(up_and_join(decoded_2, encoded_1, 32, "up_1"), 32, "decode_1")
    reflectance = sigmoid_head(decoded_1, 3, 1, "reflectance")

    shading = leaky_conv(encoded_1, 32, "illumination_features")
    joined = keras.layers.Concatenate(name="illumination_join")([shading, decoded_1])  # [N, H, W, 64]
    illumination = sigmoid_head(joined, 1, 1, "illumination")
    return keras.Model(image, [reflectance, illumination], name="decomposition")
