"""Settings of the restoration stage."""

from dataclasses import dataclass
from typing import Literal

from kind.errors import UserError
from kind.training.config import TrainingConfig, option


@dataclass(frozen=True)
class RestorationConfig(TrainingConfig):
    """KinD's published schedule: Adam 1e-4, patches of 384, batches of 4, 1000 epochs, halved after 800."""

    epochs: int = option(1000, "passes over the training pairs")
    batch: int = option(4, "samples a step, over all accelerators together")
    patch: int = option(384, "side of the random crops, in pixels")
    schedule: Literal["constant", "step", "cosine"] = option("step", "how the learning rate goes on")
    variant: Literal["unet"] = option("unet", "which network")
    target_power: float = option(1.2, "the target is (scale · R_high)^power")
    target_scale: float = option(1.0, "see --target-power; KinD++: 0.99")

    def __post_init__(self) -> None:
        """Refuses patches that SSIM's window does not fit in.

        Raises:
            UserError: naming the flag.
        """
        super().__post_init__()
        if self.patch < 11:
            raise UserError(f"--patch expects at least 11, SSIM's window; received {self.patch}")


#: Settings for `--quick`: about a minute on two cores, to see that everything works, not to be good.
QUICK = {"epochs": 8, "validate_epochs": 4, "patch": 64, "learning_rate": 5e-4}
