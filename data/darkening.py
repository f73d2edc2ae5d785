"""Bright photographs made dark, the way a camera would have seen too little light.

The "dark ISP" of MAET (Cui et al., ICCV 2021) and DAI-Net (Du et al., CVPR 2024): a photograph is taken back
to linear sensor values, dimmed, made noisy, and developed again. Everything is a pure function of the image
and a seed, in TensorFlow operations, so that training darkens on the fly and a resumed run sees the same
twins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

_SMALLEST = 1e-8
_SMALLEST_GAIN = 0.1

# Rows of Brooks et al., "Unprocessing Images for Learned Raw Denoising" (CVPR 2019): CIE XYZ → camera of an
# Olympus E-M10, Sony A7R, Sony RX100 IV and Huawei Nexus 6P.
_XYZ_TO_CAMERA = np.array(
    [
        [[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]],
        [[0.4913, -0.0541, -0.0202], [-0.6130, 1.3513, 0.2906], [-0.1564, 0.2151, 0.7183]],
        [[0.8380, -0.2630, -0.0639], [-0.2887, 1.0725, 0.2496], [-0.0627, 0.1427, 0.5438]],
        [[0.6596, -0.2079, -0.0562], [-0.4782, 1.3016, 0.1933], [-0.0970, 0.1581, 0.5181]],
    ]
)
_RGB_TO_XYZ = np.array(  # IEC 61966-2-1
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def _rgb_to_camera() -> np.ndarray:
    """[4, 3, 3]; rows add up to 1, so that gray stays gray."""
    matrices = _XYZ_TO_CAMERA @ _RGB_TO_XYZ
    return matrices / matrices.sum(axis=-1, keepdims=True)


RGB_TO_CAMERA = _rgb_to_camera().astype(np.float32)
CAMERA_TO_RGB = np.linalg.inv(_rgb_to_camera()).astype(np.float32)


@dataclass(frozen=True)
class Darkness:
    """How dark and how noisy; the ranges that each image's parameters are drawn from.

    Attributes:
        gamma: γ, uniform between the two.
        gain: overall gain of the white balance: mean and standard deviation of a normal distribution.
        red_gain: uniform between the two.
        blue_gain: uniform between the two.
        light: part of the light that is left: mean and standard deviation of a normal distribution …
        light_range: … which is truncated to these.
        shot_noise: variance of the noise for a value of 1, log-uniform between the two.
        bits: of the converter, one of these.
    """

    gamma: tuple[float, float] = (2.0, 3.5)
    gain: tuple[float, float] = (0.8, 0.1)
    red_gain: tuple[float, float] = (1.9, 2.4)
    blue_gain: tuple[float, float] = (1.5, 1.9)
    light: tuple[float, float] = (0.1, 0.08)
    light_range: tuple[float, float] = (0.01, 0.1)
    shot_noise: tuple[float, float] = (1e-4, 1e-3)
    bits: tuple[int, ...] = (12, 14, 16)


PRESETS = {
    "dusk": Darkness(light=(0.2, 0.1), light_range=(0.1, 0.3), shot_noise=(1e-5, 1e-4)),
    "clear": Darkness(shot_noise=(1e-5, 1e-4)),
    "moderate": Darkness(),
    "published": Darkness(shot_noise=(1e-4, 0.012)),
}
"""`published` is MAET's own. Strong synthetic noise was found to make detectors worse, hence `moderate`.
`clear` is as dark, with as little noise as `dusk`."""

DEFAULT_PRESET = "moderate"


class Parameters(NamedTuple):
    """One image's draw from a `Darkness`; float32 scalars unless said.

    Attributes:
        gamma: γ.
        camera: int32, index into `RGB_TO_CAMERA`.
        gain: overall gain.
        red_gain: of the white balance.
        blue_gain: of the white balance.
        light: part of the light that is left.
        shot_noise: variance of the noise for a value of 1.
        read_noise: variance of the noise in the dark.
        levels: of the converter, 2^bits - 1.
    """

    gamma: tf.Tensor
    camera: tf.Tensor
    gain: tf.Tensor
    red_gain: tf.Tensor
    blue_gain: tf.Tensor
    light: tf.Tensor
    shot_noise: tf.Tensor
    read_noise: tf.Tensor
    levels: tf.Tensor


def darken(image: tf.Tensor, seed: tf.Tensor, darkness: Darkness = PRESETS[DEFAULT_PRESET]) -> tf.Tensor:
    """Makes the dark twin of one photograph.

    Args:
        image: float32 [H, W, 3], sRGB in [0, 1].
        seed: int32 [2]; the same seed gives the same twin.
        darkness: see `PRESETS`.

    Returns:
        float32 [H, W, 3], sRGB in [0, 1], finite whatever the image.

    Example:
        >>> twins = images.map(lambda image: darken(image, sample_seed(0, 0, 0)))
    """
    return darken_with_parameters(image, seed, darkness)[0]


def darken_with_parameters(
    image: tf.Tensor, seed: tf.Tensor, darkness: Darkness
) -> tuple[tf.Tensor, Parameters]:
    """As `darken`, and what the image was darkened with."""
    seeds = tf.random.split(seed, 3, alg="philox")
    shape = tf.shape(image)
    noise = tf.random.stateless_normal(shape, seeds[1], alg="philox")
    rounding = tf.random.stateless_uniform(shape, seeds[2], -0.5, 0.5, alg="philox")
    parameters = draw_parameters(seeds[0], darkness)
    return tf.ensure_shape(developed(image, parameters, noise, rounding), image.shape), parameters


def draw_parameters(seed: tf.Tensor, darkness: Darkness) -> Parameters:
    """Draws one image's parameters.

    Args:
        seed: int32 [2].
        darkness: the ranges.

    Returns:
        The parameters.
    """
    seeds = tf.random.split(seed, 2, alg="philox")
    uniform = tf.unstack(tf.random.stateless_uniform([7], seeds[0], alg="philox"))
    normal = tf.unstack(tf.random.stateless_normal([2], seeds[1], alg="philox"))

    def between(draw, ends):
        return ends[0] + draw * (ends[1] - ends[0])

    def chosen(draw, values):
        index = tf.cast(draw * len(values), tf.int32)
        return tf.gather(values, tf.minimum(index, len(values) - 1))

    mean, deviation = darkness.light
    ends = [(end - mean) / deviation for end in darkness.light_range]
    cumulative = between(uniform[3], 0.5 + 0.5 * tf.math.erf(tf.constant(ends) / np.sqrt(2.0)))
    log_shot = between(uniform[4], np.log(darkness.shot_noise).astype(np.float32))
    return Parameters(
        gamma=between(uniform[0], darkness.gamma),
        camera=chosen(uniform[5], list(range(len(RGB_TO_CAMERA)))),
        gain=tf.maximum(darkness.gain[0] + darkness.gain[1] * normal[0], _SMALLEST_GAIN),
        red_gain=between(uniform[1], darkness.red_gain),
        blue_gain=between(uniform[2], darkness.blue_gain),
        light=tf.clip_by_value(mean + deviation * tf.math.ndtri(cumulative), *darkness.light_range),
        shot_noise=tf.exp(log_shot),
        # Brooks et al., section 3.1: fitted to the Darmstadt Noise Dataset.
        read_noise=tf.exp(2.18 * log_shot + 1.20 + 0.26 * normal[1]),
        levels=chosen(uniform[6], [2.0**bits - 1.0 for bits in darkness.bits]),
    )


def developed(image: tf.Tensor, parameters: Parameters, noise: tf.Tensor, rounding: tf.Tensor) -> tf.Tensor:
    """Takes a photograph back to the sensor, dims it, and develops what the sensor would have seen.

    Published code: quantisation noise up to 1/(255·bits). Here: half a level of a converter with so many
    bits, which is what quantisation does.

    Args:
        image: float32 [H, W, 3], sRGB in [0, 1].
        parameters: of this image.
        noise: float32 [H, W, 3], standard normal.
        rounding: float32 [H, W, 3], uniform in [-0.5, 0.5).

    Returns:
        float32 [H, W, 3], sRGB in [0, 1].
    """
    p = parameters
    balance = tf.stack([p.red_gain, 1.0, p.blue_gain])
    # The arc sine's slope is infinite at the ends, where rounding must not lead outside.
    tone = 0.5 - tf.sin(tf.asin(tf.clip_by_value(1.0 - 2.0 * image, -1.0, 1.0)) / 3.0)
    linear = tf.maximum(tone, _SMALLEST) ** p.gamma
    sensor = _transformed(linear, tf.gather(RGB_TO_CAMERA, p.camera)) * p.gain / balance
    dim = sensor * p.light
    variance = tf.maximum(dim * p.shot_noise + p.read_noise, _SMALLEST)
    noisy = dim + noise * tf.sqrt(variance) + rounding / p.levels
    colour = _transformed(noisy * balance, tf.gather(CAMERA_TO_RGB, p.camera))
    return tf.clip_by_value(tf.maximum(colour, _SMALLEST) ** (1.0 / p.gamma), 0.0, 1.0)


def _transformed(image: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """A colour matrix applied to every pixel."""
    return tf.tensordot(image, matrix, [[-1], [1]])
