"""Settings of the light variant's training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kind.errors import UserError
from kind.training.config import AdversarialConfig, Schedule, option
from kind.training.objective import parse_weights


@dataclass(frozen=True)
class LiteConfig(AdversarialConfig):
    """Trains one small network for the whole enhancement; our own, from no paper."""

    smallest_patch = 64  # an eighth of it is what the exposure is compared on

    epochs: int = option(60, "number of epochs; one is --steps batches")
    steps: int = option(200, "batches per epoch")
    batch: int = option(8, "global batch size: samples per step over all accelerators")
    patch: int = option(256, "side length of the samples, in pixels")
    learning_rate: float = option(1e-3, "learning rate at the start, after any warm-up")
    schedule: Schedule = option("cosine", "learning-rate schedule")
    warmup_epochs: int = option(1, "epochs of linear learning-rate warm-up from 0")
    optimizer: Literal["adam", "adamw", "radam"] = option("adamw", "optimizer; radam is rectified Adam")
    weight_decay: float = option(1e-3, "decoupled weight decay: adamw (kernels only), radam (all weights)")
    clip_norm: float = option(1.0, "clip the global gradient norm to this value; 0 disables clipping")
    average_decay: float = option(
        0.998,
        "decay of the exponential moving average of the weights that is validated and saved; 0 disables it",
    )
    validate_epochs: int = option(5, "validate every N epochs, and after the last one")
    log_error_weight: float = option(0.01, "weight of the logarithm of each image's squared error")
    ssim_weight: float = option(0.4, "weight of 1 - SSIM of the restored image")
    exposure_weight: float = option(1.0, "weight of the exposed image's error at low resolution")
    feature_weight: float = option(0.0, "weight of the error of a frozen detector's features; 0 disables it")
    pattern_weight: float = option(
        0.0, "weight of what repeats every 4 pixels in the restored image's error; 0 disables it"
    )
    feature_detector: str = option(
        "", "run folder or .keras file of the detector of --feature-weight (default: the one that ships)"
    )
    only_exposure: bool = option(False, "train the exposure branch alone, in a tenth of the time")
    decode_side: int = option(400, "downscale photographs to a shorter side of at most N pixels")
    loader_threads: int = option(2, "training samples that are made in parallel")

    def __post_init__(self) -> None:
        """Refuses values that cannot be trained with; see `AdversarialConfig`."""
        super().__post_init__()
        if self.only_exposure and (self.loss or self.loss_weight or self.adversarial_weight):
            raise UserError(
                "--only-exposure trains on one term; give no --loss, no --loss-weight and no "
                "--adversarial-weight with it"
            )
        if parse_weights(self.loss_weight).get("features") and not self.feature_weight:
            raise UserError("--loss-weight features: give --feature-weight, which reads the detector")
        if self.feature_weight and self.patch % 32:
            raise UserError(f"--feature-weight expects --patch to be a multiple of 32, received {self.patch}")


#: Settings for `--quick`: about a minute on two cores, to see that everything works, not to be good.
QUICK = {"epochs": 4, "steps": 20, "validate_epochs": 2, "patch": 96, "average_decay": 0.9}
