"""Training of the light variant: dark image → reflectance, illumination, exposure ≈ bright image."""

from __future__ import annotations

import tensorflow as tf

from kind.lite.config import LiteConfig
from kind.lite.model import lite_net
from kind.losses.reconstruction import reconstruction
from kind.losses.ssim_loss import ssim_loss
from kind.ops.exposure import exposed, exposure_for
from kind.ops.ssim import ssim
from kind.training.stage import Stage
from kind.training.stage_spec import StageSpec

_SMALLEST_ERROR = 1e-4  # squared; 40 dB
_GAINS = (0.6, 1.0)
_GAMMAS = (0.85, 1.2)


class LiteStage(Stage):
    """Learns from image pairs `{low, high}`; the best net has the highest validation PSNR, mean matched.

    The exposure of a photograph is a wish that the dark image does not tell. So the picture is compared
    under the exposure that gives the bright image's mean, and the suggested exposure learns from that one
    on its own: an error in brightness never blurs the picture.
    """

    loss_names = ("loss", "absolute_error", "log_error", "ssim_loss", "exposure", "reconstruction")
    monitor = "val_psnr"
    higher_is_better = True
    config: LiteConfig

    def losses(self, sample, training):
        """|·|, ln (·)² and 1 - SSIM of the relit image, |·| of log α, and what makes L an illumination."""
        low, high = sample["low"], sample["high"]
        reflectance, illumination, suggested = self.net(low, training=training)
        log_alpha = exposure_for(reflectance, illumination, tf.reduce_mean(high, axis=[1, 2, 3]))
        adjusted = exposed(illumination, log_alpha)
        relit = reflectance * adjusted
        squared_errors = tf.reduce_mean(tf.square(relit - high), axis=[1, 2, 3])
        terms = {
            "absolute_error": tf.reduce_mean(tf.abs(relit - high)),
            "log_error": tf.reduce_mean(tf.math.log(squared_errors + _SMALLEST_ERROR)),
            "ssim_loss": ssim_loss(relit, high),
            "exposure": tf.reduce_mean(tf.abs(suggested - log_alpha)),
            "reconstruction": reconstruction(low, reflectance, illumination),
        }
        config = self.config
        total = (
            terms["absolute_error"]
            + config.log_error_weight * terms["log_error"]
            + config.ssim_weight * terms["ssim_loss"]
            + config.exposure_weight * terms["exposure"]
            + config.reconstruction_weight * terms["reconstruction"]
        )
        return {"loss": total, **terms}

    def image_metrics(self, sample):
        """PSNR in dB: scaled to the bright image's mean, and as it is; SSIM as it is."""
        reflectance, illumination, log_alpha = self.net(sample["low"], training=False)
        relit, high = reflectance * exposed(illumination, log_alpha), sample["high"]
        scale = tf.reduce_mean(high) / tf.maximum(tf.reduce_mean(relit), 1e-6)
        matched = tf.clip_by_value(relit * scale, 0.0, 1.0)
        return {
            "psnr": tf.reduce_mean(tf.image.psnr(matched, high, 1.0)),
            "psnr_raw": tf.reduce_mean(tf.image.psnr(relit, high, 1.0)),
            "ssim": tf.reduce_mean(ssim(relit, high)),
        }

    def visualisations(self, sample):
        """Dark image, reflectance, illumination, adjusted illumination, relit image, bright image."""
        reflectance, illumination, log_alpha = self.net(sample["low"], training=False)
        adjusted = exposed(illumination, log_alpha)
        return [
            sample["low"],
            reflectance,
            illumination,
            adjusted,
            reflectance * adjusted,
            sample["high"],
        ]


def darker(sample: dict[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """The dark image under another exposure and tone curve: gain · Sᵞ, the same for all pixels.

    Args:
        sample: one pair, `low` and `high` float32 [H, W, 3] in [0, 1].
        seed: int32 [2]; the same seed gives the same gain and γ.

    Returns:
        The same pair with another `low`.
    """
    draws = tf.random.stateless_uniform([2], seed + 1)  # not what the crop drew
    gain = _GAINS[0] + (_GAINS[1] - _GAINS[0]) * draws[0]
    gamma = _GAMMAS[0] + (_GAMMAS[1] - _GAMMAS[0]) * draws[1]
    return {**sample, "low": gain * sample["low"] ** gamma}


SPEC = StageSpec(
    LiteStage, lambda config: lite_net(), needs_decom=False, prepare=darker, networks={"lite": lite_net}
)
