"""Training of the light variant: dark image → reflectance, illumination, exposure ≈ bright image."""

from __future__ import annotations

import tensorflow as tf

from kind.losses.dissimilarity import dissimilarity
from kind.losses.reconstruction import reconstruction
from kind.ops.exposure import exposed, exposure_for
from kind.ops.ssim import ssim
from kind.training.recipe import Recipe
from kind.training.stage import Stage
from lite.config import LiteConfig
from lite.model import lite_net

_SQUARE = 16


class LiteStage(Stage):
    """Learns from image pairs `{low, high}`; the best net has the highest validation PSNR, mean matched.

    The exposure of a photograph is a wish that the dark image does not tell. So the picture is compared
    under the exposure that gives the bright image's mean, and the suggested exposure learns from that one
    on its own: an error in brightness never blurs the picture.
    """

    terms = ("loss", "absolute_error", "dissimilarity", "exposure", "shading", "reconstruction")
    monitor = "val_psnr"
    higher_is_better = True
    config: LiteConfig

    def losses(self, sample, training):
        """|·| and 1 - SSIM of the relit image, |·| of log α, and what makes L an illumination."""
        low, high = sample["low"], sample["high"]
        reflectance, illumination, suggested = self.net(low, training=training)
        log_alpha = exposure_for(reflectance, illumination, tf.reduce_mean(high, axis=[1, 2, 3]))
        adjusted = exposed(illumination, log_alpha)
        relit = reflectance * adjusted
        terms = {
            "absolute_error": tf.reduce_mean(tf.abs(relit - high)),
            "dissimilarity": dissimilarity(relit, high),
            "exposure": tf.reduce_mean(tf.abs(suggested - log_alpha)),
            "shading": tf.reduce_mean(
                tf.abs(_coarse(adjusted) - _coarse(tf.reduce_max(high, axis=-1, keepdims=True)))
            ),
            "reconstruction": reconstruction(low, reflectance, illumination),
        }
        config = self.config
        total = (
            terms["absolute_error"]
            + config.dissimilarity_weight * terms["dissimilarity"]
            + config.exposure_weight * terms["exposure"]
            + config.shading_weight * terms["shading"]
            + config.reconstruction_weight * terms["reconstruction"]
        )
        return {"loss": total, **terms}

    def scores(self, sample):
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

    def pictures(self, sample):
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


def _coarse(plane: tf.Tensor) -> tf.Tensor:
    """Means of squares: [N, H, W, 1] → [N, ⌈H/16⌉, ⌈W/16⌉, 1]."""
    return tf.nn.avg_pool2d(plane, _SQUARE, _SQUARE, "SAME")


RECIPE = Recipe(LiteStage, lambda config: lite_net(), needs_decom=False)
