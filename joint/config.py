"""Settings of the joint fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass

from kind.training.config import Schedule, TrainingConfig, option


@dataclass(frozen=True)
class JointConfig(TrainingConfig):
    """Fine-tunes the three networks together on the relit image; the papers have no such stage."""

    smallest_patch = 11  # SSIM's window

    epochs: int = option(100, "passes over the training pairs")
    batch: int = option(4, "global batch size: samples per step over all accelerators")
    patch: int = option(96, "side length of the random crops, in pixels")
    learning_rate: float = option(1e-5, "learning rate at the start, after any warm-up")
    schedule: Schedule = option("cosine", "learning-rate schedule")
    reconstruction_weight: float = option(1.0, "weight of |R∘L - S|, summed over both exposures")
    similarity_weight: float = option(0.1, "weight of |R_low - R_high|")


#: Settings for `--quick`: about a minute on two cores, to see that everything works, not to be good.
QUICK = {"epochs": 4, "validate_epochs": 2, "patch": 64}
