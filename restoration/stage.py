"""Training of the restoration: the reflectance of a dark image should look like that of the bright one."""

from __future__ import annotations

import tensorflow as tf

from kind.losses import catalogue
from kind.ops.ssim import ssim
from kind.restoration.config import RestorationConfig
from kind.restoration.loss import TERMS, restoration_loss, restoration_target
from kind.restoration.msia import msia
from kind.restoration.unet import unet
from kind.training.added_losses import IMAGE_INPUTS, compared_images
from kind.training.stage import Stage
from kind.training.stage_spec import StageSpec


class RestorationStage(Stage):
    """Learns from decomposed pairs; the best net has the highest validation PSNR."""

    monitor = "val_psnr"
    higher_is_better = True
    config: RestorationConfig
    shown = ("reflectance", "illumination", "restored reflectance", "target")
    compared = {"restored": IMAGE_INPUTS | {catalogue.SOURCE}}

    @classmethod
    def term_weights(cls, config):
        """1 for each term."""
        return dict.fromkeys(TERMS if config.gradient_term else TERMS[:-1], 1.0)

    def built_in_losses(self, sample, training):
        """KinD's or KinD++'s restoration loss, see `restoration.loss`; compared is R̂ with its target."""
        restored, target = self._restored(sample, training), self._target(sample)
        terms = restoration_loss(
            restored,
            target,
            with_gradient=self.config.gradient_term,
            per_image=self.config.per_image,
        )
        return terms, {"restored": compared_images(restored, target, sample["reflectance_low"])}

    def image_metrics(self, sample):
        """PSNR in dB and SSIM of the restored reflectance against its target."""
        restored, target = self._restored(sample, training=False), self._target(sample)
        return {
            "psnr": tf.reduce_mean(tf.image.psnr(restored, target, 1.0)),
            "ssim": tf.reduce_mean(ssim(restored, target)),
        }

    def visualisations(self, sample):
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

SPEC = StageSpec(
    RestorationStage,
    lambda config: NETWORKS[config.network](),
    networks={"restoration_unet": unet, "restoration_msia": msia},
    exposed=True,
)
