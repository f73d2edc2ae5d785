"""How far a saved model is from the pipeline that it was made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kind.enhancing.enhancer import Enhancer
from kind.export.changes import ServedChanges
from kind.export.detections import Found, ServedDetector
from kind.images.photo import decode_photo, encode_photo

GREY_LEVELS, RANGE, PIXELS, SCORES = "of 255 grey levels", "of the range 0 to 1", "pixels", "of a score"

_ALPHA = 3.0  # not the default: it has to arrive
_BRIGHTNESS = 0.35
_STRENGTH = 0.6
_BOX_TOLERANCE = 0.05
_SCORE_TOLERANCE = 1e-3
_MASK_TOLERANCE = 1e-3


class Deviation(NamedTuple):
    """The largest difference between one output of a signature and the same made in Python.

    Attributes:
        signature: its name.
        output: its name.
        largest: absolute, in `unit`.
        unit: what it is measured in.
        limit: what is allowed.
    """

    signature: str
    output: str
    largest: float
    unit: str
    limit: float

    @property
    def is_within(self) -> bool:
        """Whether it is allowed; NaN is not."""
        return bool(self.largest <= self.limit)


def warmup_photograph() -> np.ndarray:
    """A small dark picture of slopes and noise: float32 [48, 64, 3] in [0, 1], always the same."""
    rows, columns = np.mgrid[0:48, 0:64].astype(np.float32)
    slopes = np.stack([rows / 480, columns / 640, (rows + columns) / 1120], axis=-1)
    noise = np.random.default_rng(0).random(slopes.shape, np.float32)
    return (slopes + 0.02 * noise).astype(np.float32)


def deviations(
    saved_model: Path,
    enhancer: Enhancer,
    detector: ServedDetector | None,
    photograph: np.ndarray,
    changes: ServedChanges | None = None,
) -> list[Deviation]:
    """Runs every signature on a photograph and compares with the pipeline in Python.

    Args:
        saved_model: the folder that was saved.
        enhancer: what it was made of.
        detector: likewise.
        photograph: float [H, W, 3] in [0, 1].
        changes: likewise.

    Returns:
        One deviation for each output. Bytes are compared as the grey levels that they decode to.
    """
    run = tf.saved_model.load(str(saved_model)).signatures
    data = encode_photo(photograph)
    pixels = decode_photo(data, "the photograph").pixels
    image_bytes, images = tf.constant([data]), tf.constant(pixels[None])
    alpha = tf.constant([_ALPHA])
    enhanced, brighter = enhancer(images), enhancer(images, alpha)
    served = {
        "serving_default": run["serving_default"](image_bytes=image_bytes),
        "enhance": run["enhance"](image_bytes=image_bytes, alpha=alpha),
        "enhance_to_brightness": run["enhance_to_brightness"](
            image_bytes=image_bytes, brightness=tf.constant([_BRIGHTNESS])
        ),
        "blend": run["blend"](image_bytes=image_bytes, strength=tf.constant([_STRENGTH])),
        "decompose": run["decompose"](image_bytes=image_bytes),
    }
    solved = served["enhance_to_brightness"]["alpha"]
    expected = {
        ("serving_default", "enhanced_bytes"): enhanced.relit,
        ("enhance", "enhanced_bytes"): brighter.relit,
        ("enhance_to_brightness", "enhanced_bytes"): enhancer(images, solved).relit,
        ("blend", "enhanced_bytes"): _STRENGTH * tf.minimum(enhanced.relit, 1.0) + (1.0 - _STRENGTH) * images,
        ("decompose", "reflectance_bytes"): enhanced.reflectance,
        ("decompose", "illumination_bytes"): np.repeat(enhanced.illumination, 3, axis=-1),
    }
    found = [
        Deviation(name, output, _levels_between(served[name][output][0].numpy(), part[0]), GREY_LEVELS, 1.0)
        for (name, output), part in expected.items()
    ]
    alphas = {
        "serving_default": float(enhanced.alpha[0]),
        "enhance_to_brightness": enhancer.alpha_for_brightness(pixels, _BRIGHTNESS),
    }
    for name, chosen in alphas.items():
        relative = abs(float(served[name]["alpha"][0]) - chosen) / chosen
        found.append(Deviation(name, "alpha", relative, "of its value", 1e-3))
    if detector:
        expected_boxes = detector.find(images, lambda: enhanced)
        served["detect"] = run["detect"](image_bytes=image_bytes)
        for name in ("serving_default", "detect"):
            found += _between_boxes(name, served[name], expected_boxes)
    if changes:
        found += _between_changes(run["detect_changes"], enhancer, changes, pixels)
    relit = run["enhance_tensor"](images=images, alpha=alpha)["relit"]
    largest = float(np.abs(relit - brighter.relit).max())
    return [*found, Deviation("enhance_tensor", "relit", largest, RANGE, 1e-5)]


def _between_changes(
    run: Callable[..., dict[str, tf.Tensor]], enhancer: Enhancer, changes: ServedChanges, pixels: np.ndarray
) -> list[Deviation]:
    """Of the changes between a photograph and itself with its upper half mirrored."""
    after, half = pixels.copy(), len(pixels) // 2
    after[:half] = pixels[:half, ::-1]
    before_bytes, after_bytes = (tf.constant([encode_photo(date)]) for date in (pixels, after))
    served = run(before_bytes=before_bytes, after_bytes=after_bytes)
    dates = [tf.constant(date[np.newaxis]) for date in (pixels, after)]
    expected = changes.find(
        *(changes.seen(date, lambda date=date: enhancer(date, parts=changes.parts)) for date in dates)
    )
    probability = np.repeat(expected.probability[..., np.newaxis], 3, axis=-1)
    levels = _levels_between(served["probability_bytes"][0].numpy(), probability)
    mask = decode_photo(served["mask_bytes"][0].numpy(), "the served mask").pixels[..., 0] > 0.5
    # Rounding may move a pixel over the threshold, and a region over the least area.
    differing = float(np.mean(mask != expected.mask))
    return [
        Deviation("detect_changes", "probability_bytes", levels, GREY_LEVELS, 1.0),
        Deviation("detect_changes", "mask_bytes", differing, "of the pixels", _MASK_TOLERANCE),
    ]


def _levels_between(data: bytes, part: tf.Tensor) -> float:
    """The largest difference of two 8-bit images."""
    served = decode_photo(data, "the served image").pixels
    expected = decode_photo(encode_photo(np.asarray(part)), "the image").pixels
    return float(np.rint(np.abs(served - expected).max() * 255))


def _between_boxes(name: str, served: dict[str, tf.Tensor], expected: Found) -> list[Deviation]:
    """Boxes and scores, in order; another number of boxes is infinitely far."""
    count = int(expected.counts[0])
    if int(served["number"][0]) != count:
        return [Deviation(name, "number", float("inf"), "boxes", 0.0)]

    def largest(output: str, part: tf.Tensor) -> float:
        return float(np.abs(served[output][0, :count] - part[0, :count]).max(initial=0.0))

    return [
        Deviation(name, "number", 0.0, "boxes", 0.0),
        Deviation(name, "boxes", largest("boxes", expected.boxes), PIXELS, _BOX_TOLERANCE),
        Deviation(name, "scores", largest("scores", expected.scores), SCORES, _SCORE_TOLERANCE),
    ]
