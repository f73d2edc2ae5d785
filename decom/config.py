"""Settings of the decomposition stage."""

from __future__ import annotations

from dataclasses import dataclass

from kind.training.config import TrainingConfig, option


@dataclass(frozen=True)
class DecompositionConfig(TrainingConfig):
    """Trains the decomposition of images into reflectance and illumination; defaults as in KinD's code."""

    similarity_weight: float = option(0.01, "weight of |R_low - R_high|; KinD++: 0.009")
    mutual_weight: float = option(0.2, "weight of the mutual consistency of the illuminations")
    smoothness_weight: float = option(0.15, "weight of the smoothness of each illumination")


#: Settings for `--quick`: about a minute on two cores, to see that everything works, not to be good.
QUICK = {"epochs": 60, "validate_epochs": 30, "learning_rate": 1e-3}
