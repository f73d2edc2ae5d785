"""Settings of the illumination adjustment stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kind.training.config import Schedule, TrainingConfig, option


@dataclass(frozen=True)
class AdjustmentConfig(TrainingConfig):
    """Trains the adjustment of the illumination to a brightness factor; defaults as in KinD's code."""

    signed_gradient: bool = option(False, "compare signed gradients, as KinD++ does")


@dataclass(frozen=True)
class ExposureConfig(TrainingConfig):
    """Trains the choice of exposure from the decomposition of a dark photograph; our own, from no paper."""

    epochs: int = option(20, "number of epochs; one is --steps batches")
    steps: int = option(50, "batches per epoch")
    batch: int = option(16, "global batch size: samples per step over all accelerators")
    patch: int = option(128, "side length of the thumbnails, in pixels; inference uses 128")
    learning_rate: float = option(1e-3, "learning rate at the start, after any warm-up")
    schedule: Schedule = option("cosine", "learning-rate schedule")
    optimizer: Literal["adam", "adamw", "radam"] = option("adamw", "optimizer; radam is rectified Adam")
    weight_decay: float = option(1e-2, "decoupled weight decay: adamw (kernels only), radam (all weights)")
    average_decay: float = option(
        0.98, "decay of the exponential moving average of the weights that is validated and saved"
    )
    validate_epochs: int = option(5, "validate every N epochs, and after the last one")
    log_error_weight: float = option(0.01, "weight of the logarithm of each image's squared error")
    decode_side: int = option(192, "downscale photographs to a shorter side of at most N pixels")


#: Settings for `--quick`: about a minute on two cores, to see that everything works, not to be good.
QUICK_EXPOSURE = {"epochs": 4, "steps": 8, "validate_epochs": 2, "average_decay": 0.8}

#: The same for the adjustment.
QUICK = {"epochs": 100, "validate_epochs": 50, "learning_rate": 1e-3}
