"""Training of the restoration: the reflectance of a dark image should look like that of the bright one."""

from __future__ import annotations

import tensorflow as tf

from kind.ops.ssim import ssim
from kind.training.recipe import Recipe
from kind.training.stage import Stage
from restoration.config import RestorationConfig
from restoration.loss import restoration_loss, restoration_target
from restoration.msia import msia
from restoration.unet import unet


class RestorationStage(Stage):
    """Learns from decomposed pairs; the best net has the highest validation PSNR."""

    monitor = "val_psnr"
    higher_is_better = True
    config: RestorationConfig

    @property
    def terms(self):
        """Names of the loss's terms."""
        return ("loss", "squared_error", "dissimilarity") + ("gradient",) * self.config.gradient_term

    def losses(self, sample, training):
        """KinD's or KinD++'s restoration loss, see `restoration.loss`."""
        return restoration_loss(
            self._restored(sample, training),
            self._target(sample),
            with_gradient=self.config.gradient_term,
            per_image=self.config.per_image,
        )

    def scores(self, sample):
        """PSNR in dB and SSIM of the restored reflectance against its target."""
        restored, target = self._restored(sample, training=False), self._target(sample)
        return {
            "psnr": tf.reduce_mean(tf.image.psnr(restored, target, 1.0)),
            "ssim": tf.reduce_mean(ssim(restored, target)),
        }

    def pictures(self, sample):
        """Reflectance and illumination of the dark image, restored reflectance, target."""
        return [
            sample["reflectance_low"],
            sample["illumination_low"],
            self._restored(sample, training=False),
            self._target(sample),
        ]

    def _restored(self, sample, training):
        return self.net([sample["reflectance_low"], sample["illumination_low"]], training=training)

    def _target(self, sample):
        return restoration_target(
            sample["reflectance_high"], scale=self.config.target_scale, power=self.config.target_power
        )


NETWORKS = {"unet": unet, "msia": msia}

RECIPE = Recipe(RestorationStage, lambda config: NETWORKS[config.variant]())
