"""What a loss penalises: a photograph under eight graded degradations, the loss and its gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kind.losses import catalogue
from kind.losses.catalogue import Entry
from kind.ops.colour import gray
from kind.ops.gaussian import gaussian_blur
from kind.ops.light import expose

_LOGIT_SCALE = 8.0
_HALO_SIGMA = 6.0
_SHOWN_SHARE = 99.5  # percentile of the gradient that has full colour

Degrade = Callable[[tf.Tensor, float], tf.Tensor]


def _noise(image, sigma):
    return image + sigma * tf.random.stateless_normal(tf.shape(image), [0, 0])


def _blur(image, sigma):
    return gaussian_blur(image, sigma)


def _shift(image, pixels):
    return tf.roll(image, int(pixels), axis=2)


def _darkening(image, stops):
    return expose(image, -stops)


def _cast(image, strength):
    return image * tf.constant([1.0 + strength, 1.0, 1.0 - strength])


def _saturation(image, factor):
    return gray(image) + factor * (image - gray(image))


def _jpeg(image, quality):
    return tf.image.adjust_jpeg_quality(image[0], int(quality))[tf.newaxis]


def _halo(image, strength):
    return image + strength * (image - gaussian_blur(image, _HALO_SIGMA))


#: What is done to the photograph, by how much from slight to strong, and the unit.
DEGRADATIONS: dict[str, tuple[Degrade, tuple[float, float, float], str]] = {
    "noise": (_noise, (0.02, 0.05, 0.12), "standard deviation"),
    "blur": (_blur, (0.7, 1.5, 3.0), "σ in pixels"),
    "shift": (_shift, (1, 2, 4), "pixels"),
    "darkening": (_darkening, (0.3, 0.8, 2.0), "stops"),
    "colour cast": (_cast, (0.05, 0.12, 0.3), "more red, less blue"),
    "saturation": (_saturation, (1.2, 1.6, 2.5), "times the chroma"),
    "JPEG": (_jpeg, (60, 25, 8), "quality"),
    "halo": (_halo, (0.3, 0.7, 1.5), "times the unsharp mask"),
}


GRADES = (0, 1, 2)
"""Places of the strengths, from slight to strong."""


class Shown(NamedTuple):
    """A degraded photograph under a loss.

    Attributes:
        degradation: name in `DEGRADATIONS`.
        strength: how much of it.
        loss: the loss of the degraded photograph.
        image: float32 [H, W, 3] in [0, 1].
        gradient: of the loss by the image, mean over the channels, float32 [H, W].
    """

    degradation: str
    strength: float
    loss: float
    image: np.ndarray
    gradient: np.ndarray


def degraded(image: tf.Tensor, grades: Sequence[int] = GRADES) -> list[tuple[str, float, tf.Tensor]]:
    """A photograph [1, H, W, 3] in [0, 1] as (degradation, strength, image), slight to strong, clipped."""
    return [
        (name, strengths[grade], tf.clip_by_value(degrade(image, strengths[grade]), 0.0, 1.0))
        for name, (degrade, strengths, _) in DEGRADATIONS.items()
        for grade in grades
    ]


def shown(
    entry: Entry,
    image: tf.Tensor,
    features: Callable[[tf.Tensor], list[tf.Tensor]] | None = None,
    reflectance_of: Callable[[tf.Tensor], tf.Tensor] | None = None,
    grades: Sequence[int] = GRADES,
) -> tuple[float, list[Shown]]:
    """The loss of a photograph itself, and of each degraded one with its gradient.

    Args:
        entry: a loss that `takes_images`.
        image: the reference, float32 [1, H, W, 3] in [0, 1].
        features: φ, for losses of features.
        reflectance_of: the decomposition, for losses of one.
        grades: of each degradation.

    Returns:
        The loss of identical images, and what was found of each degradation.
    """
    of = partial(_inputs, entry.inputs, reference=image, features=features, reflectance_of=reflectance_of)

    @tf.function
    def value_and_gradient(other):
        with tf.GradientTape() as tape:
            tape.watch(other)
            loss = entry(*of(other))
        return loss, tf.reduce_mean(tape.gradient(loss, other), axis=-1)

    found = []
    for name, strength, other in degraded(image, grades):
        loss, gradient = value_and_gradient(other)
        found.append(Shown(name, strength, float(loss), other[0].numpy(), gradient[0].numpy()))
    return float(value_and_gradient(image)[0]), found


def takes_images(entry: Entry) -> bool:
    """Whether a loss can be shown on a photograph."""
    return entry.inputs not in (catalogue.WEIGHTS, catalogue.FAKE, catalogue.REAL_AND_FAKE)


def _inputs(kind, other, *, reference, features, reflectance_of):
    """Two photographs as what the loss takes: as illumination the brightest channel, as logits 8·(S - ½)."""
    light, true_light = (tf.reduce_max(image, axis=-1, keepdims=True) for image in (other, reference))
    logits, true_logits = (_LOGIT_SCALE * (image - 0.5) for image in (other, reference))
    return {
        catalogue.PAIR: lambda: (other, reference),
        catalogue.SOURCE: lambda: (other, reference),
        catalogue.IMAGE: lambda: (other,),
        catalogue.FEATURES: lambda: (features(other), features(reference)),
        catalogue.ILLUMINATION: lambda: (light,),
        catalogue.ILLUMINATIONS: lambda: (light, true_light),
        catalogue.ILLUMINATION_AND_IMAGE: lambda: (light, reference),
        catalogue.PARTS: lambda: (reference, other, tf.ones_like(light)),
        catalogue.DECOMPOSITION: lambda: (reflectance_of, other),
        catalogue.BINARY: lambda: (gray(logits), tf.cast(gray(true_logits) > 0, tf.float32)),
        catalogue.CLASSES: lambda: (logits, tf.argmax(reference, axis=-1)),
        catalogue.LOGITS: lambda: (logits, true_logits),
        catalogue.MAPS: lambda: (logits, true_logits),
    }[kind]()


def red_blue(values: np.ndarray) -> np.ndarray:
    """Values as a picture: white at 0, red above and blue below, the same scale both ways.

    Args:
        values: float [H, W].

    Returns:
        float32 [H, W, 3] in [0, 1]; all white where all are 0.
    """
    largest = np.percentile(np.abs(values), _SHOWN_SHARE) or np.abs(values).max()
    part = np.clip(values / largest, -1, 1) if largest else np.zeros_like(values)
    fading = 1 - np.abs(part)
    red, blue = np.where(part > 0, 1, fading), np.where(part < 0, 1, fading)
    return np.stack([red, fading, blue], axis=-1).astype(np.float32)
