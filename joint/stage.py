"""Joint fine-tuning: dark image → decomposition, restoration, adjustment → relit image ≈ bright image."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras

from kind.joint.config import JointConfig
from kind.losses import catalogue
from kind.losses.mse import mse
from kind.losses.reconstruction import reconstruction
from kind.losses.reflectance_similarity import reflectance_similarity
from kind.losses.ssim_loss import ssim_loss
from kind.ops.ssim import ssim
from kind.training.added_losses import IMAGE_INPUTS, compared_images
from kind.training.stage import Stage
from kind.training.stage_spec import StageSpec

TERMS = ("mse", "ssim_loss", "reconstruction", "reflectance_similarity")
"""Names of the loss's terms, in the order in which they are logged."""

_EPSILON = 1e-4
_NAMES = {"decom": "decomposition", "restoration": "restoration", "illumination": "adjustment"}


class JointStage(Stage):
    """Learns from image pairs `{low, high}`; the best nets have the highest validation PSNR, relit."""

    monitor = "val_psnr"
    higher_is_better = True
    config: JointConfig
    shown = (
        *("dark image", "its reflectance", "restored reflectance"),
        *("adjusted illumination", "relit image", "bright image"),
    )
    compared = {"relit": IMAGE_INPUTS | {catalogue.SOURCE}}

    @classmethod
    def term_weights(cls, config):
        """1 for the terms of the relit image, and the config's weights."""
        return {
            "mse": 1.0,
            "ssim_loss": 1.0,
            "reconstruction": config.reconstruction_weight,
            "reflectance_similarity": config.similarity_weight,
        }

    def built_in_losses(self, sample, training):
        """Mean square and 1 - SSIM of the relit image, and what keeps the decomposition one."""
        dark, bright, _, _, relit = self._forward(sample, training)
        terms = (
            mse(relit, sample["high"]),
            ssim_loss(relit, sample["high"]),
            reconstruction(sample["low"], *dark) + reconstruction(sample["high"], *bright),
            reflectance_similarity(dark[0], bright[0]),
        )
        error, dissimilarity, reconstructed, similarity = terms
        total = (
            error
            + dissimilarity
            + self.config.reconstruction_weight * reconstructed
            + self.config.similarity_weight * similarity
        )
        compared = {"relit": compared_images(relit, sample["high"], sample["low"])}
        return {"loss": total, **dict(zip(TERMS, terms))}, compared

    def image_metrics(self, sample):
        """PSNR in dB and SSIM of the relit image, with the bright image's ratio of brightness."""
        relit = self._forward(sample, training=False)[-1]
        return {
            "psnr": tf.reduce_mean(tf.image.psnr(relit, sample["high"], 1.0)),
            "ssim": tf.reduce_mean(ssim(relit, sample["high"])),
        }

    def visualisations(self, sample):
        """Dark image, its reflectance, restored, illumination adjusted, relit image, bright image."""
        dark, _, restored, adjusted, relit = self._forward(sample, training=False)
        return [sample["low"], dark[0], restored, adjusted, relit, sample["high"]]

    def parts(self, net):
        """The three networks, in the files that `Enhancer.load` looks for."""
        return _networks(net)

    def _forward(self, sample, training):
        """Both decompositions (R, L), and of the dark one R̂, L̂ and R̂ ∘ L̂."""
        decom, restoration, adjustment = _networks(self.net).values()
        both = decom(tf.concat([sample["low"], sample["high"]], axis=0), training=training)
        dark, bright = zip(*(tf.split(part, 2) for part in both))
        restored = restoration(list(dark), training=training)
        # The ratio that the adjustment was trained with; it is a wish, so no gradient goes through it.
        ratio = tf.reduce_mean(dark[1] / (bright[1] + _EPSILON), axis=[1, 2, 3], keepdims=True)
        alpha = tf.stop_gradient(1.0 / tf.maximum(ratio, _EPSILON) + _EPSILON) * tf.ones_like(dark[1])
        adjusted = adjustment([dark[1], alpha], training=training)
        return dark, bright, restored, adjusted, restored * adjusted


def joint_net(decom: keras.Model, restoration: keras.Model, illumination: keras.Model) -> keras.Model:
    """Joins three networks into one that can be saved as one file.

    Args:
        decom: image → [reflectance, illumination].
        restoration: [reflectance, illumination] → restored reflectance.
        illumination: [illumination, α plane] → adjusted illumination.

    Returns:
        A model named "joint" from [image float32 [N, H, W, 3], alpha float32 [N, H, W, 1]] to the relit
        image, float32 [N, H, W, 3] in (0, 1).
    """
    image = keras.Input((None, None, 3), name="image")
    alpha = keras.Input((None, None, 1), name="alpha")
    dark = decom(image)
    relit = [restoration(dark), illumination([dark[1], alpha])]
    return keras.Model([image, alpha], keras.layers.Multiply(name="relit")(relit), name="joint")


def _networks(net: keras.Model) -> dict[str, keras.Model]:
    """The three networks of a joint one by stage, in the order in which an image meets them."""
    inner = [layer for layer in net.layers if isinstance(layer, keras.Model)]
    return {
        stage: next(model for model in inner if model.name.startswith(name)) for stage, name in _NAMES.items()
    }


SPEC = StageSpec(JointStage, lambda config, *nets: joint_net(*nets), needs_decom=False, fine_tunes=True)
