"""Settings of the joint fine-tuning."""

from dataclasses import dataclass
from typing import Literal

from kind.training.config import TrainingConfig, option


@dataclass(frozen=True)
class JointConfig(TrainingConfig):
    """Fine-tunes all three networks on the relit image. Not in the papers, which train stage after stage."""

    smallest_patch = 11  # SSIM's window

    epochs: int = option(100, "passes over the training pairs")
    batch: int = option(4, "samples a step, over all accelerators together")
    patch: int = option(96, "side of the random crops, in pixels")
    learning_rate: float = option(1e-5, "at the start, after any warm-up")
    schedule: Literal["constant", "step", "cosine"] = option("cosine", "how the learning rate goes on")
    reconstruction_weight: float = option(1.0, "of |R∘L - S|, dark and bright: keeps R and L what they are")
    similarity_weight: float = option(0.1, "of |R_low - R_high|: keeps the reflectances alike")


#: Settings for `--quick`: about a minute on two cores, to see that everything works, not to be good.
QUICK = {"epochs": 4, "validate_epochs": 2, "patch": 64}
