"""Settings of the illumination adjustment stage."""

from __future__ import annotations

from dataclasses import dataclass

from kind.training.config import TrainingConfig, option


@dataclass(frozen=True)
class AdjustmentConfig(TrainingConfig):
    """KinD's published schedule: Adam 1e-4, patches of 48, batches of 10, 2000 epochs."""

    signed_gradient: bool = option(False, "compare signed gradients, as KinD++ does")


#: Settings for `--quick`: about a minute on two cores, to see that everything works, not to be good.
QUICK = {"epochs": 100, "validate_epochs": 50, "learning_rate": 1e-3}
