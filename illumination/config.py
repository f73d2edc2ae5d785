"""Settings of the illumination adjustment stage."""

from __future__ import annotations

from dataclasses import dataclass

from kind.training.config import TrainingConfig, option


@dataclass(frozen=True)
class AdjustmentConfig(TrainingConfig):
    """Trains the adjustment of the illumination to a brightness factor; defaults as in KinD's code."""

    signed_gradient: bool = option(False, "compare signed gradients, as KinD++ does")


#: Settings for `--quick`: about a minute on two cores, to see that everything works, not to be good.
QUICK = {"epochs": 100, "validate_epochs": 50, "learning_rate": 1e-3}
