"""The light of both dates: bright, underexposed, noisy or at night."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from kind.data.dark_twins import MEASURED, PRESETS, Twin, twin
from kind.data.darkening import PRESETS as DARKNESSES
from kind.detection.change.making import Pair

_BRIGHT = PRESETS["none"]  # half of them compressed
_UNDER = Twin(
    stops=(0.5, 5.5),
    field=(0.0, 2.5),
    balance=0.08,
    clean=0.3,
    shot_noise=(1e-5, 1e-3),
    tone=(0.95, 1.1),
)
_NIGHT = PRESETS["isp-moderate"]
_NIGHT_SHARE = 0.3  # of the dark dates; the others are underexposed, and some lie partly in shadow

DATES = {
    "none": (1.0, 0.0, 0.0, 0.0),
    "after": (0.0, 1.0, 0.0, 0.0),
    "one": (0.0, 0.5, 0.5, 0.0),
    "both": (0.0, 0.0, 0.0, 1.0),
    "mixed": (0.3, 0.4, 0.15, 0.15),
}
"""Which dates of a pair are dark, by the words of `--darken`: shares of none, after, before and both."""


class Lighting(NamedTuple):
    """An exact light for each date.

    Attributes:
        before: of the first date.
        after: of the second.
    """

    before: Twin
    after: Twin


_AS_IT_IS = MEASURED["identity"]
LIGHTINGS = {
    "both bright": Lighting(_AS_IT_IS, _AS_IT_IS),
    "B -2 stops": Lighting(_AS_IT_IS, MEASURED["-2 stops"]),
    "B -4 stops, noise": Lighting(_AS_IT_IS, MEASURED["-4 stops, noise"]),
    "B dark ISP": Lighting(_AS_IT_IS, Twin(jpeg=0.0, isp=DARKNESSES["moderate"])),
}
"""The lights that figures are reported for, by name."""


def lit(pair: Pair, seed: tf.Tensor, dates: str) -> Pair:
    """A pair in a light that is drawn.

    Args:
        pair: both dates bright.
        seed: int32 [2].
        dates: a key of `DATES`.

    Returns:
        The pair; its images are multiples of 1/255.
    """
    seeds = tf.random.split(seed, 4, alg="philox")
    draws = tf.unstack(tf.random.stateless_uniform([3], seeds[0], alg="philox"))
    case = tf.reduce_sum(tf.cast(draws[0] >= tf.cumsum(tf.constant(DATES[dates]))[:3], tf.int32))
    is_dark = tf.stack([case >= 2, (case == 1) | (case == 3)])
    is_night = tf.stack(draws[1:]) < _NIGHT_SHARE
    kinds = tf.where(is_dark, tf.where(is_night, 2, 1), 0)

    def one_date(image: tf.Tensor, key: tf.Tensor, kind: tf.Tensor) -> tf.Tensor:
        return tf.switch_case(
            kind, [lambda light=light: twin(image, key, light) for light in (_BRIGHT, _UNDER, _NIGHT)]
        )

    lights = tf.map_fn(
        lambda one: one_date(*one),
        (tf.stack(pair[:2]), seeds[1:3], kinds),
        fn_output_signature=tf.TensorSpec(pair.before.shape),
    )
    return Pair(*tf.unstack(lights), pair.label)


def lit_exactly(pair: Pair, seed: tf.Tensor, lighting: Lighting) -> Pair:
    """A pair in one of `LIGHTINGS`; its images are multiples of 1/255."""
    seeds = tf.unstack(tf.random.split(seed, 2, alg="philox"))
    lights = [twin(image, key, kind) for image, key, kind in zip(pair[:2], seeds, lighting)]
    return Pair(*lights, pair.label)
