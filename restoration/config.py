"""Settings of the restoration stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kind.training.config import AdversarialConfig, Schedule, option


@dataclass(frozen=True)
class RestorationConfig(AdversarialConfig):
    """Trains the restoration of a dark image's reflectance; defaults as in KinD's code."""

    smallest_patch = 11  # SSIM's window

    epochs: int = option(1000, "passes over the training pairs")
    batch: int = option(4, "global batch size: samples per step over all accelerators")
    patch: int = option(384, "side length of the random crops, in pixels")
    schedule: Schedule = option("step", "learning-rate schedule")
    network: Literal["unet", "msia"] = option(
        "unet", "KinD's network, or KinD++'s (msia), which also sets the defaults to those of KinD++"
    )
    target_power: float = option(1.2, "exponent of the target (scale · R_high)^power")
    target_scale: float = option(1.0, "scale of the target (scale · R_high)^power; KinD++: 0.99")
    gradient_term: bool = option(True, "add the gradient term to the loss; KinD++ has none")

    @classmethod
    def defaults(cls, given):
        """Those of KinD++ for its network."""
        return KIND_PLUS if given.get("network") == "msia" else {}


#: KinD++'s schedule: Adam 1e-4, patches of 48, batches of 10, 2400 epochs, halved after 300, 500 and 1500.
KIND_PLUS = {
    "epochs": 2400,
    "batch": 10,
    "patch": 48,
    "step_epochs": (300, 500, 1500),
    "target_scale": 0.99,
    "gradient_term": False,
}

#: Settings for `--quick`: about a minute on two cores, to see that everything works, not to be good.
QUICK = {"epochs": 8, "validate_epochs": 4, "patch": 64, "learning_rate": 5e-4}
