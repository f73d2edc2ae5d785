"""Training of the guided variants: dark image and wanted brightness → bright image."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras

from kind.constants import BRIGHTNESS
from kind.guided.config import NAMES, GuidedConfig
from kind.guided.model import NETWORKS, Design
from kind.losses import catalogue
from kind.losses.ssim_loss import ssim_loss
from kind.ops.colour import luma
from kind.ops.ssim import ssim
from kind.training.added_losses import IMAGE_INPUTS, compared_images
from kind.training.layer_names import named_layers
from kind.training.objective import parse_weights
from kind.training.optimizers import GroupedOptimizer, PairedOptimizer
from kind.training.stage import Stage
from kind.training.stage_spec import StageSpec

_OF_PREDICTOR = "y_"
_SHARED = ("stem", "encode_", "pool_")
_Groups = dict[float, list[tf.Variable]]


class GuidedStage(Stage):
    """Learns from image pairs; the best network has the highest validation PSNR, as it was conditioned.

    A network that predicts the brightness is trained by two optimizers: one follows the predicted luma's
    error, the other the enhanced image's, through which no gradient reaches the predictor. What both
    networks share is stepped by both.
    """

    monitor = "val_psnr"
    higher_is_better = True
    config: GuidedConfig
    compared = {"enhanced": IMAGE_INPUTS | {catalogue.SOURCE}}

    @property
    def shown(self):
        """Names of what `visualisations` shows: a brightness that is given is the same everywhere."""
        plane = ("predicted luma",) if self._predicts else ()
        return ("dark image", *plane, "enhanced image", "bright image")

    @classmethod
    def term_weights(cls, config):
        """1 for both terms of the enhanced image, and the config's weight."""
        predicts = config.network != NAMES[0]
        return {
            "absolute_error": 1.0,
            "ssim_loss": 1.0,
            "brightness": config.brightness_weight if predicts else 0.0,
        }

    def built_in_losses(self, sample, training):
        """|O - S_high| and 1 - SSIM of the enhanced image O, |Y - luma(S_high)| of the predicted plane Y."""
        high = sample["high"]
        enhanced, plane = self._enhanced(sample, training)
        error = tf.abs(plane - luma(high)) if self._predicts else tf.zeros([1])
        terms = {
            "absolute_error": tf.reduce_mean(tf.abs(enhanced - high)),
            "ssim_loss": ssim_loss(enhanced, high),
            "brightness": tf.reduce_mean(error),
        }
        total = tf.add_n([weight * terms[name] for name, weight in self.term_weights(self.config).items()])
        return {"loss": total, **terms}, {"enhanced": compared_images(enhanced, high, sample["low"])}

    def objectives(self, terms):
        """The predictor's loss and all the rest, or the only loss."""
        if not self._predicts:
            return [terms["loss"]]
        weights = {**self.term_weights(self.config), **parse_weights(self.config.loss_weight)}
        predicted = weights["brightness"] * terms["brightness"]
        return [predicted, terms["loss"] - predicted]

    def make_optimizer(self, steps_per_epoch, groups):
        """One optimizer, or two; see the class."""
        late = self._late_groups(groups)
        if not self._predicts:
            return GroupedOptimizer(self.config, steps_per_epoch, groups, late)
        optimizers = []
        for is_of in (self._is_of_predictor, self._is_of_main):
            own = {
                weights.ref()
                for name, layer in named_layers(self.net).items()
                if is_of(name)
                for weights in layer.weights
            }
            optimizers.append(
                GroupedOptimizer(self.config, steps_per_epoch, _only(groups, own), _only(late, own))
            )
        return PairedOptimizer(*optimizers)

    def image_metrics(self, sample):
        """PSNR in dB and SSIM, conditioned as in training, and with the constant brightness."""
        high = sample["high"]
        enhanced, _ = self._enhanced(sample, training=False)
        shown = tf.clip_by_value(enhanced, 0.0, 1.0)
        constant = tf.ones_like(high[..., :1]) * BRIGHTNESS
        unknowing = tf.clip_by_value(self.net([sample["low"], constant], training=False)[0], 0.0, 1.0)
        return {
            "psnr": tf.reduce_mean(tf.image.psnr(shown, high, 1.0)),
            "ssim": tf.reduce_mean(ssim(shown, high)),
            "psnr_constant": tf.reduce_mean(tf.image.psnr(unknowing, high, 1.0)),
            "ssim_constant": tf.reduce_mean(ssim(unknowing, high)),
        }

    def visualisations(self, sample):
        """Dark image, predicted luma if there is any, enhanced image, bright image."""
        enhanced, plane = self._enhanced(sample, training=False)
        made = (plane, enhanced) if self._predicts else (enhanced,)
        shown = [tf.clip_by_value(part, 0.0, 1.0) for part in made]
        return [sample["low"], *shown, sample["high"]]

    @property
    def _predicts(self) -> bool:
        return self.config.network != NAMES[0]

    def _is_of_predictor(self, name: str) -> bool:
        shared = _SHARED if self.config.network == NAMES[2] else ()
        return name.startswith((_OF_PREDICTOR, *shared))

    def _is_of_main(self, name: str) -> bool:
        return not name.startswith(_OF_PREDICTOR)

    def _enhanced(self, sample, training: bool):
        """Enhanced image and the plane that it was made for."""
        wanted = tf.ones_like(sample["high"][..., :1]) * BRIGHTNESS
        if self.config.conditioning == "target":
            wanted = tf.zeros_like(wanted) + tf.reduce_mean(luma(sample["high"]), [1, 2], keepdims=True)
        return self.net([sample["low"], wanted], training=training)


def _only(groups: _Groups, own: set) -> _Groups:
    """Of each group the weights that are among `own`."""
    chosen = {factor: [one for one in weights if one.ref() in own] for factor, weights in groups.items()}
    return {factor: weights for factor, weights in chosen.items() if weights}


def make_net(config: GuidedConfig) -> keras.Model:
    """The network that a config describes, with new weights."""
    design = Design(config.norm, config.guide, config.radius, config.scale_factor)
    return NETWORKS[config.network](design)


SPEC = StageSpec(GuidedStage, make_net, needs_decom=False, networks=NETWORKS, mixture=True)
