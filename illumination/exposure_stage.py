"""Training of the exposure head: from one decomposition to the light that is missing."""

from __future__ import annotations

import math

import tensorflow as tf

from kind.illumination.config import ExposureConfig
from kind.illumination.exposure_model import exposure_net
from kind.ops.light import matching_stops
from kind.training.stage import Stage
from kind.training.stage_spec import StageSpec


def with_missing_light(sample: dict[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """A sample of the head.

    Args:
        sample: one decomposed pair, arrays [H, W, C].
        seed: not used.

    Returns:
        `{reflectance, illumination, log_alpha}`: of the dark image, and the wanted value, float32 [1], at
        least 0: how many times the light makes R ∘ L of the dark image as bright as that of the bright one,
        see `kind.ops.light.matching_stops`.
    """
    images = (
        (sample[f"reflectance_{side}"] * sample[f"illumination_{side}"])[tf.newaxis]
        for side in ("low", "high")
    )
    return {
        "reflectance": sample["reflectance_low"],
        "illumination": sample["illumination_low"],
        "log_alpha": math.log(2.0) * matching_stops(*images),
    }


class ExposureStage(Stage):
    """Learns from `{reflectance, illumination, log_alpha}`; the best head has the smallest error in stops."""

    monitor = "val_stops"
    config: ExposureConfig

    @classmethod
    def term_weights(cls, config):
        """1 for the only term."""
        return {"stops": 1.0}

    def built_in_losses(self, sample, training):
        """The mean error of log₂ α."""
        found = self.net([sample["reflectance"], sample["illumination"]], training=training)
        stops = tf.reduce_mean(tf.abs(found - sample["log_alpha"])) / math.log(2.0)
        return {"loss": stops, "stops": stops}, {}

    def visualisations(self, sample):
        """Reflectance, illumination, and the illumination times the α that is found."""
        parts = [sample["reflectance"], sample["illumination"]]
        alpha = tf.exp(self.net(parts, training=False))[:, :, tf.newaxis, tf.newaxis]
        return [*parts, tf.minimum(sample["illumination"] * alpha, 1.0)]


SPEC = StageSpec(
    ExposureStage,
    lambda config: exposure_net(),
    prepare=with_missing_light,
    prepare_validation=with_missing_light,
    networks={"exposure": exposure_net},
    whole=True,
)
