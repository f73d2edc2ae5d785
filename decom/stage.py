"""Training of the decomposition: two exposures of a scene, one reflectance."""

from __future__ import annotations

import tensorflow as tf

from kind.decom.config import DecompositionConfig
from kind.decom.loss import Decomposition, decomposition_loss
from kind.decom.model import decomposition_net
from kind.losses import catalogue
from kind.training.added_losses import IMAGE_INPUTS, compared_images
from kind.training.stage import Stage
from kind.training.stage_spec import StageSpec

_OF_IMAGES = frozenset({catalogue.ILLUMINATION, catalogue.ILLUMINATION_AND_IMAGE, catalogue.DECOMPOSITION})


class DecompositionStage(Stage):
    """Learns from samples `{low, high}`; the best net has the lowest validation loss."""

    config: DecompositionConfig
    shown = (
        *("dark image, stretched", "its reflectance", "its illumination"),
        *("bright image, stretched", "its reflectance (bright)", "its illumination (bright)"),
    )
    compared = {
        "low": IMAGE_INPUTS | _OF_IMAGES,
        "high": IMAGE_INPUTS | _OF_IMAGES,
        "reflectance": IMAGE_INPUTS,
    }

    @classmethod
    def term_weights(cls, config):
        """1 for the reconstructions, and the config's weights."""
        return {
            "reconstruction_low": 1.0,
            "reconstruction_high": 1.0,
            "reflectance_similarity": config.similarity_weight,
            "mutual_consistency": config.mutual_weight,
            "smoothness_low": config.smoothness_weight,
            "smoothness_high": config.smoothness_weight,
        }

    def built_in_losses(self, sample, training):
        """KinD's decomposition loss, see `decom.loss`; compared are R ∘ L and S, R_low and R_high."""
        # One pass over both exposures together: the net has no batch statistics, so nothing mixes.
        both = tf.concat([sample["low"], sample["high"]], axis=0)
        reflectance, illumination = self.net(both, training=training)
        parts = zip(tf.split(reflectance, 2), tf.split(illumination, 2))
        low, high = (Decomposition(*part) for part in parts)
        terms = decomposition_loss(
            sample["low"],
            sample["high"],
            low,
            high,
            similarity_weight=self.config.similarity_weight,
            mutual_weight=self.config.mutual_weight,
            smoothness_weight=self.config.smoothness_weight,
            per_image=self.config.per_image,
        )
        return terms, {
            "low": self._compared(low, sample["low"]),
            "high": self._compared(high, sample["high"]),
            "reflectance": compared_images(low.reflectance, high.reflectance),
        }

    def _compared(self, parts, image):
        return {
            **compared_images(parts.reflectance * parts.illumination, image),
            catalogue.ILLUMINATION: (parts.illumination,),
            catalogue.ILLUMINATION_AND_IMAGE: (parts.illumination, image),
            catalogue.DECOMPOSITION: (lambda images: self.net(images, training=True)[0], image),
        }

    def image_metrics(self, sample):
        """PSNR in dB of the dark image against its own reflectance times illumination."""
        reflectance, illumination = self.net(sample["low"], training=False)
        return {"psnr": tf.reduce_mean(tf.image.psnr(reflectance * illumination, sample["low"], 1.0))}

    def visualisations(self, sample):
        """Dark image, its reflectance and illumination; the same of the bright image."""
        low, high = (self.net(sample[side], training=False) for side in ("low", "high"))
        return [sample["low"], *low, sample["high"], *high]


SPEC = StageSpec(
    DecompositionStage,
    lambda config: decomposition_net(),
    needs_decom=False,
    networks={"decomposition": decomposition_net},
)
