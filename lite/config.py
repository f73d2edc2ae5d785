"""Settings of the light variant's training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kind.training.config import TrainingConfig, option


@dataclass(frozen=True)
class LiteConfig(TrainingConfig):
    """One small network for the whole enhancement; our own, from no paper."""

    smallest_patch = 11  # SSIM's window

    epochs: int = option(380, "passes over the training pairs")
    batch: int = option(8, "samples a step, over all accelerators together")
    patch: int = option(256, "side of the random crops, in pixels")
    learning_rate: float = option(1e-3, "at the start, after any warm-up")
    schedule: Literal["constant", "step", "cosine"] = option("cosine", "how the learning rate goes on")
    warmup_epochs: int = option(2, "raise the learning rate linearly from 0 over so many epochs")
    optimizer: Literal["adam", "adamw", "radam"] = option("adamw", "radam is rectified Adam")
    weight_decay: float = option(1e-2, "decoupled, for adamw (kernels only) and radam (all weights)")
    clip_norm: float = option(1.0, "clip the gradients' global norm to this; 0 does not clip")
    average_decay: float = option(0.999, "validate and keep a moving average of the weights; 0 keeps none")
    log_error_weight: float = option(
        0.03, "of the logarithm of each relit image's squared error, as PSNR has it"
    )
    ssim_weight: float = option(4.0, "of 1 - SSIM of the relit image")
    exposure_weight: float = option(0.2, "of the error in log α")
    reconstruction_weight: float = option(1.0, "of |R∘L - S|")


#: Settings for `--quick`: about a minute on two cores, to see that everything works, not to be good.
QUICK = {"epochs": 20, "validate_epochs": 10, "patch": 96, "average_decay": 0.9}
