"""Training of the light variant: photographs under any exposure → restored, as bright as they should be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.enhancing.light_branches import branches
from kind.lite.config import LiteConfig
from kind.lite.model import LARGEST_COLOUR, lite_net
from kind.losses import catalogue
from kind.losses.features import relative_features
from kind.losses.pixel import log_squared_error
from kind.losses.ssim_loss import ssim_loss
from kind.nn.exposure_layers import faded
from kind.ops.area import area_resized
from kind.ops.colour import luma
from kind.ops.light import expose
from kind.ops.ssim import ssim
from kind.training.added_losses import IMAGE_INPUTS, compared_images
from kind.training.stage import Stage
from kind.training.stage_spec import StageSpec

_COARSER = 8  # pixels of a photograph to one on which exposures are compared
_MOST_STOPS = 2.0
_MATCHING_STEPS = 4
_CELL = 16  # pixels on which the exposure for the restoration is found
_SLOPE = np.log(2.0) / 2.4  # of log sRGB by stops, where the transfer function is a power
_FOLDED, _SQUARE = (
    4,
    112,
)  # sides in pixels: of a cell that heads make at once, and where a pattern is looked for
_BEST_RAW = 35.0  # dB: of photographs that need nothing, more than this is not worth pictures elsewhere


class LiteStage(Stage):
    """Learns from `{low, high, thumbnail, place}`, see `data.mixture`; the two branches learn apart.

    The exposure of a photograph is a wish that the dark image does not always tell. So the exposure branch
    learns from the plainly exposed image alone, averaged over 8×8 pixels, against the bright one; and the
    restoration is trained under the exposure that the bright image has (`true_exposure`): it learns to
    take noise away, never to guess brightness.
    """

    monitor = "val_score"
    higher_is_better = True
    config: LiteConfig
    groups: tuple[str, ...] = ()
    shown = ("dark image", "stops", "exposed image", "restored image", "bright image")
    compared = {"restored": IMAGE_INPUTS | {catalogue.SOURCE}}

    @classmethod
    def term_weights(cls, config):
        """1 for the absolute error, and the config's weights."""
        return {
            "absolute_error": 1.0,
            "log_error": config.log_error_weight,
            "ssim_loss": config.ssim_weight,
            "exposure": config.exposure_weight,
            "features": config.feature_weight,
            "pattern": config.pattern_weight,
        }

    def __init__(self, net: keras.Model, config: LiteConfig, features: keras.Model | None = None) -> None:
        """Wraps the network.

        Args:
            net: what `lite.model.lite_net` builds.
            config: the run's settings.
            features: a frozen detector's, from images to a list of feature maps; None leaves the term out.
        """
        super().__init__(net, config)
        self._branches = branches(net)
        self._features = features

    def built_in_losses(self, sample, training):
        """|·|, ln (·)², 1 - SSIM and pattern of the restored image; |·| of exposed one and features."""
        low, high = sample["low"], sample["high"]
        if not training:
            sample = {**sample, **whole_sample(low)}
        parts = self._branches
        grid, colour, summary, _ = parts.exposure(sample["thumbnail"], training=training)
        stops = parts.stops([low, grid, sample["place"]], training=training)
        coarse = [_coarse(values) for values in (low, stops, high)]
        exposure = tf.reduce_mean(tf.abs(parts.exposed([*coarse[:2], colour]) - coarse[2]))
        if self.config.only_exposure:
            return {
                **dict.fromkeys(self.loss_names, tf.constant(0.0)),
                "loss": exposure,
                "exposure": exposure,
            }, {}
        shown, tint = true_exposure(low, stops, colour, high) if training else (stops, colour)
        restored = parts.restoration([low, shown, tint, summary], training=training)
        terms = {
            "absolute_error": tf.reduce_mean(tf.abs(restored - high)),
            "log_error": log_squared_error(restored, high),
            "ssim_loss": ssim_loss(restored, high),
            "exposure": exposure,
            "features": self._feature_error(restored, high) if training else tf.constant(0.0),
            "pattern": pattern_error(restored, high) if training else tf.constant(0.0),
        }
        total = sum(weight * terms[name] for name, weight in self.term_weights(self.config).items())
        return {"loss": total, **terms}, {"restored": compared_images(restored, high, low)}

    def _feature_error(self, restored, high):
        """`relative_features` of R̂ and S_high, φ the frozen detector's features."""
        if self._features is None:
            return tf.constant(0.0)
        # The bright image teaches, so nothing is learnt through it.
        wanted = [tf.stop_gradient(level) for level in self._features(high, training=False)]
        return relative_features(self._features(restored, training=False), wanted)

    def image_metrics(self, sample):
        """PSNR in dB as it is and scaled to the bright image's mean, SSIM, and the sample's group."""
        restored, _, _ = self.net(sample["low"], training=False)
        high = sample["high"]
        scale = tf.reduce_mean(high) / tf.maximum(tf.reduce_mean(restored), 1e-6)
        matched = tf.clip_by_value(restored * scale, 0.0, 1.0)
        return {
            "psnr": tf.reduce_mean(tf.image.psnr(matched, high, 1.0)),
            "psnr_raw": tf.reduce_mean(tf.image.psnr(restored, high, 1.0)),
            "ssim": tf.reduce_mean(ssim(restored, high)),
            "group": tf.cast(sample["group"][0], tf.float32),
        }

    def validation_metrics(self, values: Sequence[dict[str, tf.Tensor]]) -> dict[str, float]:
        """Means over each group, and the score: the mean over the groups of raw and matched PSNR."""
        by_group: dict[int, list] = {}
        for value in values:
            by_group.setdefault(int(value["group"]), []).append(value)
        plain = [{key: one for key, one in value.items() if key != "group"} for value in values]
        figures = super().validation_metrics(plain)
        scores = []
        for group, members in sorted(by_group.items()):
            name = self.groups[group] if self.groups else str(group)
            means = {
                key: float(np.mean([float(one[key]) for one in members]))
                for key in ("psnr", "psnr_raw", "ssim")
            }
            figures.update({f"{key}_{name.replace(' ', '_')}": value for key, value in means.items()})
            raw = np.mean([min(float(one["psnr_raw"]), _BEST_RAW) for one in members])
            scores.append(0.7 * raw + 0.3 * min(means["psnr"], _BEST_RAW))
        return {**figures, "score": float(np.mean(scores))}

    def visualisations(self, sample):
        """Dark image, stops as grey (8 are white), exposed image, restored image, bright image."""
        low = sample["low"]
        restored, stops, _ = self.net(low, training=False)
        return [low, stops / 8.0, expose(low, stops), restored, sample["high"]]


def whole_sample(low: tf.Tensor) -> dict[str, tf.Tensor]:
    """What the mixture gives beside a crop, for images that are whole: thumbnail and place."""
    shape = tf.shape(low)
    size = tf.cast(shape[1:3], tf.float32)
    place = tf.ones([shape[0], 1]) * tf.concat([[0.0, 0.0], size], 0)
    return {"thumbnail": area_resized(low, 128, 128), "place": place}


def pattern_error(restored: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """How much of the error repeats every 4 pixels, as a pattern would that the folded heads leave.

    Args:
        restored: R̂, float32 [N, H, W, 3] in [0, 1], H and W known and at least 4.
        high: S_high, likewise.

    Returns:
        Over squares of about 112 pixels and the 16 places of a cell, the mean of |mean error at the place -
        mean error of the square|; float32 scalar.
    """
    count, (rows, columns) = tf.shape(high)[0], (max(side // _SQUARE, 1) for side in high.shape[1:3])
    height, width = (
        side // (many * _FOLDED) for side, many in zip(high.shape[1:3], (rows, columns))
    )  # of a square in cells
    error = (restored - high)[:, : rows * height * _FOLDED, : columns * width * _FOLDED]
    error = tf.reshape(error, [count, rows, height, _FOLDED, columns, width, _FOLDED, 3])
    places = tf.reduce_mean(error, axis=[2, 5])  # [N, rows, 4, columns, 4, 3]
    return tf.reduce_mean(tf.abs(places - tf.reduce_mean(places, axis=[2, 4], keepdims=True)))


def true_exposure(
    low: tf.Tensor, stops: tf.Tensor, colour: tf.Tensor, high: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The smooth exposure that takes a dark image to its bright one: Newton's method, not differentiated.

    Luma is compared over cells of 16×16 pixels, colour over the whole image.

    Args:
        low: float32 [N, H, W, 3], sRGB in [0, 1].
        stops: what the network suggests, float32 [N, H, W, 1].
        colour: the same, float32 [N, 3], in stops.
        high: float32 [N, H, W, 3], sRGB in [0, 1].

    Returns:
        Stops, float32 [N, H, W, 1], at most 2 from the suggested ones and not below 0; colour,
        float32 [N, 3], at most 0.5 from 0.
    """
    full = tf.shape(low)[1:3]
    low, given, high = (_cells(tf.stop_gradient(values)) for values in (low, stops, high))
    more, tint = tf.zeros_like(given), tf.stop_gradient(colour)[:, tf.newaxis, tf.newaxis]
    for _ in range(_MATCHING_STEPS):
        now = expose(low, given + more + faded(given + more) * tint)
        more += _stops_between(luma(now), luma(high))
        more = tf.clip_by_value(more, tf.maximum(-given, -_MOST_STOPS), _MOST_STOPS)
        means = [tf.reduce_mean(values, axis=[1, 2], keepdims=True) for values in (now, high)]
        tint += _stops_between(*means) - _stops_between(*map(luma, means))
        tint = tf.clip_by_value(tint, -LARGEST_COLOUR, LARGEST_COLOUR)
    more = tf.image.resize(more, full)
    return tf.nn.relu(tf.stop_gradient(stops) + more), tint[:, 0, 0]


def _stops_between(now, wanted):
    """One step of Newton's method: about how many stops take sRGB values to others."""
    return (wanted - now) / (now * _SLOPE + 1e-3)


def _cells(images):
    """Averages over cells of about 16×16 pixels."""
    height, width = (max(side // _CELL, 1) for side in images.shape[1:3])
    return area_resized(images, height, width)


def _coarse(images: tf.Tensor) -> tf.Tensor:
    """Averages over 8×8 pixels; what is left over at the end is dropped."""
    size = tf.maximum(tf.shape(images)[1:3] // _COARSER, 1) * _COARSER
    return tf.nn.avg_pool2d(images[:, : size[0], : size[1]], _COARSER, _COARSER, "SAME")


def make_stage(
    config: LiteConfig, groups: Sequence[str] = (), features: keras.Model | None = None
) -> LiteStage:
    """A stage with new weights.

    Args:
        config: the run's settings.
        groups: names of the validation groups, in the order of their numbers.
        features: see `LiteStage`.
    """
    net = lite_net()
    if config.only_exposure:
        learning = branches(net).exposure.layers
        for layer in net.layers:
            layer.trainable = layer in learning
    stage = LiteStage(net, config, features)
    stage.groups = tuple(groups)
    return stage


SPEC = StageSpec(LiteStage, lambda config: lite_net(), needs_decom=False, networks={"lite": lite_net})
