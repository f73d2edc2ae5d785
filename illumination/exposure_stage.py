"""Training of the exposure head: from one decomposition to the light that is missing, at every place."""

from __future__ import annotations

import tensorflow as tf

from kind.illumination.config import ExposureConfig
from kind.illumination.exposure_model import exposure_net
from kind.losses.pixel import l1, log_squared_error
from kind.nn.exposure_layers import SlicedStops, WholePlace
from kind.ops.light import expose
from kind.training.stage import Stage
from kind.training.stage_spec import StageSpec

_CELL = 4  # pixels of a thumbnail along each axis whose mean is compared: noise is not exposure


def with_images(sample: dict[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """A sample of the head.

    Args:
        sample: one pair of thumbnails and their decompositions, arrays [H, W, C].
        seed: not used.

    Returns:
        `{reflectance, illumination, low, high}`: the parts of the dark image, and both images, [H, W, 3].
    """
    return {
        "reflectance": sample["reflectance_low"],
        "illumination": sample["illumination_low"],
        "low": sample["low"],
        "high": sample["high"],
    }


class ExposureStage(Stage):
    """Learns from `{reflectance, illumination, low, high}`; the best head makes the smallest error.

    Compared is the dark image under the map of stops that the head makes of its decomposition with the bright
    image.
    """

    monitor = "val_loss"
    config: ExposureConfig
    shown = ("dark image", "illumination", "stops", "exposed image", "bright image")

    @classmethod
    def term_weights(cls, config):
        """1 for the absolute error, and the config's weight."""
        return {"absolute_error": 1.0, "log_error": config.log_error_weight}

    def built_in_losses(self, sample, training):
        """|·| and ln (·)² of the exposed image, which is averaged over small cells first."""
        images = sample["low"], self._stops(sample, training), sample["high"]
        dark, stops, bright = (tf.nn.avg_pool2d(values, _CELL, _CELL, "SAME") for values in images)
        exposed = expose(dark, stops, keeps_hue=True)
        terms = {"absolute_error": l1(exposed, bright), "log_error": log_squared_error(exposed, bright)}
        total = sum(weight * terms[name] for name, weight in self.term_weights(self.config).items())
        return {"loss": total, **terms}, {}

    def visualisations(self, sample):
        """Dark image, its illumination, stops as grey (8 are white), exposed image, bright image."""
        low, stops = sample["low"], self._stops(sample, training=False)
        exposed = expose(low, stops, keeps_hue=True)
        return [low, sample["illumination"], stops / 8.0, exposed, sample["high"]]

    def _stops(self, sample, training):
        """The map of stops of a batch, float32 [N, H, W, 1]."""
        grid, _ = self.net([sample["reflectance"], sample["illumination"]], training=training)
        return SlicedStops()([sample["low"], grid, WholePlace()(sample["low"])])


SPEC = StageSpec(
    ExposureStage,
    lambda config: exposure_net(),
    prepare=with_images,
    prepare_validation=with_images,
    networks={"exposure": exposure_net},
    whole=True,
)
