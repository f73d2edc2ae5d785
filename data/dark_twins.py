"""Bright photographs as dark as people take them: named distributions of exposure, light, noise and JPEG.

A twin is made in linear light: a uniform number of stops, a smooth field of stops that spares what is
bright, white-balance errors, and shot and read noise, a part of it smoothed over 3×3 pixels. Some presets
apply a tone curve to the sRGB values after that. Then come 8-bit rounding and JPEG, because that is what
people have. Twins of the published dark ISP (`data.darkening`) go through the last two steps as well.
Everything is a pure function of the photograph and a seed, in TensorFlow operations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import tensorflow as tf

from kind.constants import BT601
from kind.data.darkening import PRESETS as ISP_PRESETS
from kind.data.darkening import Darkness, darken
from kind.ops.area import area_resized
from kind.ops.light import linear_to_srgb, srgb_to_linear, stops_to_gain

_FIELD_NODES = 5
_BLURRED_TO = 12  # pixels: the photograph whose luma the field follows, between its own pixels
_READ_SLOPE, _READ_OFFSET, _READ_DEVIATION = 2.18, 1.20, 0.26  # Brooks et al., CVPR 2019, section 3.1


@dataclass(frozen=True)
class Twin:
    """A distribution of dark twins; what each photograph's parameters are drawn from.

    Attributes:
        stops: of underexposure everywhere, uniform between the two.
        field: more stops where the smooth field is 1, uniform between the two.
        follows_light: how much the field follows the photograph's own brightness, so that lamps, windows
            and skies are spared; the rest is a random smooth field. Uniform between the two, in [0, 1].
        balance: standard deviation of the white-balance error of red and of blue, in stops.
        clean: share of twins without noise.
        shot_noise: variance of the noise of the others for a linear value of 1, log-uniform.
        coarse: how much of the noise is smoothed over 3×3 pixels, as demosaicing does; uniform up to it.
        tone: γ of a tone curve applied to the sRGB values, uniform between the two.
        jpeg: share of twins that are JPEG files.
        quality: of these, uniform integer, both ends included.
        isp: darken by the dark ISP instead of all above but the JPEG.
    """

    stops: tuple[float, float] = (0.0, 0.0)
    field: tuple[float, float] = (0.0, 0.0)
    follows_light: tuple[float, float] = (0.5, 1.0)
    balance: float = 0.0
    clean: float = 1.0
    shot_noise: tuple[float, float] = (1e-5, 1e-3)
    coarse: float = 0.5
    tone: tuple[float, float] = (1.0, 1.0)
    jpeg: float = 0.5
    quality: tuple[int, int] = (50, 95)
    isp: Darkness | None = None


PRESETS = {
    "none": Twin(quality=(70, 98)),
    "slight": Twin(stops=(0.0, 1.5), balance=0.03, clean=0.7, shot_noise=(1e-5, 2e-4)),
    "under": Twin(stops=(1.0, 4.0), balance=0.08, clean=0.4, shot_noise=(1e-5, 1e-3), tone=(0.95, 1.1)),
    "deep": Twin(stops=(3.0, 6.0), balance=0.1, clean=0.15, shot_noise=(1e-5, 2e-3), tone=(0.95, 1.1)),
    "backlit": Twin(
        stops=(0.0, 0.7), field=(1.0, 4.0), follows_light=(0.7, 1.0), balance=0.05, clean=0.6,
        shot_noise=(1e-5, 5e-4),
    ),
    "lamps": Twin(
        stops=(0.5, 3.0), field=(1.0, 3.5), follows_light=(0.0, 0.8), balance=0.08, clean=0.4,
        shot_noise=(1e-5, 1e-3),
    ),
    **{f"isp-{name}": Twin(isp=darkness) for name, darkness in ISP_PRESETS.items()},
}  # fmt: skip
"""Named distributions; those of the dark ISP are named "isp-…"."""

TRAINING_SHARES = {
    "none": 0.10,
    "slight": 0.10,
    "under": 0.14,
    "deep": 0.10,
    "backlit": 0.28,
    "lamps": 0.08,
    "isp-dusk": 0.04,
    "isp-moderate": 0.08,
    "isp-published": 0.08,
}
"""How often a training photograph gets a twin of each preset; the shares add up to 1."""

#: Exact degradations that figures are reported for, by name.
MEASURED = {
    "identity": Twin(jpeg=0.0),
    "-1 stop": Twin(stops=(1.0, 1.0), jpeg=0.0),
    "-2 stops": Twin(stops=(2.0, 2.0), jpeg=0.0),
    "-4 stops, noise": Twin(stops=(4.0, 4.0), clean=0.0, shot_noise=(1e-4, 1e-4), coarse=0.0, jpeg=0.0),
    "backlit": Twin(field=(3.0, 3.0), follows_light=(1.0, 1.0), jpeg=0.0),
}


def any_twin(image: tf.Tensor, seed: tf.Tensor, shares: dict[str, float] = TRAINING_SHARES) -> tf.Tensor:
    """A twin of a preset that is drawn as well.

    Args:
        image: float32 [H, W, 3], sRGB in [0, 1].
        seed: int32 [2].
        shares: of each preset, by its name.

    Returns:
        float32 [H, W, 3] in [0, 1].
    """
    seeds = tf.random.split(seed, 2, alg="philox")
    draw = tf.random.stateless_uniform([], seeds[0], alg="philox")
    ends = tf.cumsum(tf.constant(list(shares.values())))
    number = tf.minimum(tf.reduce_sum(tf.cast(draw >= ends, tf.int32)), len(shares) - 1)
    branches = [lambda name=name: twin(image, seeds[1], PRESETS[name]) for name in shares]
    return tf.ensure_shape(tf.switch_case(number, branches), image.shape)


def twin(image: tf.Tensor, seed: tf.Tensor, kind: Twin) -> tf.Tensor:
    """Makes one photograph's dark twin.

    Args:
        image: float32 [H, W, 3], sRGB in [0, 1].
        seed: int32 [2]; the same seed gives the same twin.
        kind: the distribution, one of `PRESETS` or `MEASURED`.

    Returns:
        float32 [H, W, 3], multiples of 1/255 in [0, 1].
    """
    seeds = tf.random.split(seed, 3, alg="philox")
    dark = darken(image, seeds[0], kind.isp) if kind.isp else _underexposed(image, seeds[0], kind)
    dark = tf.round(dark * 255.0) / 255.0
    draws = tf.random.stateless_uniform([2], seeds[1], alg="philox")
    lowest, highest = kind.quality
    quality = lowest + tf.cast(draws[0] * (highest - lowest + 1), tf.int32)
    compressed = tf.cond(draws[1] < kind.jpeg, lambda: jpeg(dark, quality), lambda: dark)
    return tf.ensure_shape(compressed, image.shape)


def jpeg(image: tf.Tensor, quality: tf.Tensor) -> tf.Tensor:
    """What a JPEG file of a quality keeps of an image: float32 [H, W, 3] in [0, 1], int32 in [0, 100]."""
    return tf.clip_by_value(tf.image.adjust_jpeg_quality(image, quality), 0.0, 1.0)


def _underexposed(image: tf.Tensor, seed: tf.Tensor, kind: Twin) -> tf.Tensor:
    """Stops, field, balance, noise and tone curve, in this order."""
    if not (kind.stops[1] or kind.field[1] or kind.balance or kind.clean < 1.0):
        return image
    seeds = tf.random.split(seed, 6, alg="philox")
    uniform = tf.unstack(tf.random.stateless_uniform([7], seeds[0], alg="philox"))
    normal = tf.random.stateless_normal([3], seeds[1], alg="philox")
    stops = _between(uniform[0], kind.stops)
    if kind.field[1]:
        amount, follows = _between(uniform[1], kind.field), _between(uniform[2], kind.follows_light)
        stops = stops + amount * light_field(image, seeds[2], follows)
    balance = tf.stack([normal[0], 0.0, normal[1]]) * kind.balance
    light = srgb_to_linear(image) * stops_to_gain(balance - stops)
    log_shot = _between(uniform[3], tuple(math.log(end) for end in kind.shot_noise))
    log_read = _READ_SLOPE * log_shot + _READ_OFFSET + _READ_DEVIATION * normal[2]
    grain = _grain(tf.shape(image), seeds[3], uniform[4] * kind.coarse)
    deviation = tf.sqrt(light * tf.exp(log_shot) + tf.exp(log_read))
    light = light + tf.where(uniform[5] < kind.clean, 0.0, grain * deviation)
    dark = tf.clip_by_value(linear_to_srgb(tf.maximum(light, 0.0)), 0.0, 1.0)
    if kind.tone == (1.0, 1.0):
        return dark
    return tf.exp(_between(uniform[6], kind.tone) * tf.math.log(dark + 1e-8))


def light_field(image: tf.Tensor, seed: tf.Tensor, follows: tf.Tensor) -> tf.Tensor:
    """A field that is 1 where a photograph lies in shadow and 0 where its light is.

    Args:
        image: float32 [H, W, 3], sRGB in [0, 1].
        seed: int32 [2].
        follows: how much it follows the photograph's own smoothed brightness, float32 scalar in [0, 1];
            the rest is random and smooth.

    Returns:
        float32 [H, W, 1] in [0, 1].
    """
    size, seeds = tf.shape(image)[:2], tf.random.split(seed, 2, alg="philox")
    luma = tf.reduce_sum(image * tf.constant(BT601), axis=-1, keepdims=True)
    small = area_resized(luma[tf.newaxis], _BLURRED_TO, _BLURRED_TO)
    blurred = tf.image.resize(small, size, method="bicubic")[0]
    draws = tf.random.stateless_uniform([3], seeds[0], alg="philox")
    sharp = 0.5 * draws[0] ** 2  # mostly smooth; sometimes along edges, as behind a window frame
    brightness = sharp * luma + (1.0 - sharp) * blurred
    threshold = 0.4 + 0.35 * draws[1]
    shadow = _smoothstep((threshold + 0.2 - brightness) / 0.4)
    nodes = tf.random.stateless_normal([1, _FIELD_NODES, _FIELD_NODES, 1], seeds[1], alg="philox")
    wander = _smoothstep(0.5 + 0.5 * tf.image.resize(nodes, size, method="bicubic")[0])
    return follows * shadow + (1.0 - follows) * wander


def _grain(shape: tf.Tensor, seed: tf.Tensor, coarse: tf.Tensor) -> tf.Tensor:
    """Noise of variance 1, a part of it smoothed over 3×3 pixels: float32 [H, W, 3]."""
    noise = tf.random.stateless_normal(tf.concat([[1], shape], 0), seed, alg="philox")
    smooth = 3.0 * tf.nn.avg_pool2d(noise, 3, 1, "SAME")
    # Of a mixture (1 - c)·n + c·s, variances 1 and covariance 1/3 give this one.
    variance = (1.0 - coarse) ** 2 + coarse**2 + 2.0 / 3.0 * coarse * (1.0 - coarse)
    return (((1.0 - coarse) * noise + coarse * smooth) / tf.sqrt(variance))[0]


def _between(draw: tf.Tensor, ends: tuple) -> tf.Tensor:
    return ends[0] + draw * (ends[1] - ends[0])


def _smoothstep(values: tf.Tensor) -> tf.Tensor:
    values = tf.clip_by_value(values, 0.0, 1.0)
    return values * values * (3.0 - 2.0 * values)
