"""Training of the illumination adjustment: from one exposure's illumination to the other's, by a ratio."""

from __future__ import annotations

import tensorflow as tf

from kind.illumination.config import AdjustmentConfig
from kind.illumination.loss import TERMS, adjustment_loss, brightness_ratio
from kind.illumination.model import adjustment_net
from kind.losses import catalogue
from kind.ops.ssim import ssim
from kind.training.added_losses import IMAGE_INPUTS, compared_images
from kind.training.stage import Stage
from kind.training.stage_spec import StageSpec

_EPSILON = 1e-4


def upward(sample: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """A sample of brightening.

    Args:
        sample: one decomposed pair, arrays [H, W, C].

    Returns:
        `{illumination, alpha, target}`, float32 [H, W, 1] each, with
        α = 1 / mean(L_low / (L_high + 1e-4)) + 1e-4.
    """
    low, high = sample["illumination_low"], sample["illumination_high"]
    ratio = brightness_ratio(low[tf.newaxis], high[tf.newaxis])[0]
    alpha = 1.0 / tf.maximum(ratio, _EPSILON) + _EPSILON  # a black crop must not ask for infinite light
    return {"illumination": low, "alpha": tf.fill(tf.shape(low), alpha), "target": high}


def downward(sample: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """A sample of darkening: as `upward`, with α = mean(L_low / (L_high + 1e-4))."""
    low, high = sample["illumination_low"], sample["illumination_high"]
    alpha = brightness_ratio(low[tf.newaxis], high[tf.newaxis])[0]
    return {"illumination": high, "alpha": tf.fill(tf.shape(low), alpha), "target": low}


def either_way(sample: dict[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Brightening or darkening, each half the time; `seed` is int32 [2]."""
    # The crop has used the seed's first numbers: fold in a constant for numbers of our own.
    draw = tf.random.stateless_uniform([], tf.random.experimental.stateless_fold_in(seed, 1))
    return tf.cond(draw < 0.5, lambda: upward(sample), lambda: downward(sample))


class AdjustmentStage(Stage):
    """Learns from `{illumination, alpha, target}`; the best net has the highest validation PSNR upward."""

    monitor = "val_psnr"
    higher_is_better = True
    config: AdjustmentConfig
    shown = ("illumination", "adjusted illumination", "target")
    compared = {"adjusted": IMAGE_INPUTS | {catalogue.SOURCE, catalogue.ILLUMINATION}}
    channels = 1

    @classmethod
    def term_weights(cls, config):
        """1 for each term."""
        return dict.fromkeys(TERMS, 1.0)

    def built_in_losses(self, sample, training):
        """KinD's adjustment loss, see `illumination.loss`; compared is L̂ with its target."""
        adjusted = self._adjusted(sample, training)
        terms = adjustment_loss(
            adjusted,
            sample["target"],
            signed=self.config.signed_gradient,
            per_image=self.config.per_image,
        )
        offered = compared_images(adjusted, sample["target"], sample["illumination"])
        return terms, {"adjusted": {**offered, catalogue.ILLUMINATION: (adjusted,)}}

    def image_metrics(self, sample):
        """PSNR in dB and SSIM of the adjusted illumination against the bright image's."""
        adjusted = self._adjusted(sample, training=False)
        return {
            "psnr": tf.reduce_mean(tf.image.psnr(adjusted, sample["target"], 1.0)),
            "ssim": tf.reduce_mean(ssim(adjusted, sample["target"])),
        }

    def visualisations(self, sample):
        """Illumination of the dark image, adjusted, target."""
        return [sample["illumination"], self._adjusted(sample, training=False), sample["target"]]

    def _adjusted(self, sample, training):
        return self.net([sample["illumination"], sample["alpha"]], training=training)


SPEC = StageSpec(
    AdjustmentStage,
    lambda config: adjustment_net(),
    prepare=either_way,
    prepare_validation=lambda sample, seed: upward(sample),
    networks={"adjustment": adjustment_net},
    exposed=True,
)
