"""Settings of the guided variants' training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from kind.errors import UserError
from kind.training.config import Schedule, TrainingConfig, option

Network = Literal["guided", "guided-y", "guided-y-shared"]
NAMES = get_args(Network)
"""Of the networks, their variants and files: brightness given, predicted, predicted by a shared encoder."""

_SCALES = (1.0, 0.5, 0.25, 0.125)


@dataclass(frozen=True)
class GuidedConfig(TrainingConfig):
    """Trains a small network with a guided filter that is told how bright its result should be.

    Public code zhilin007/LightEnhancement: 100,000 to 200,000 steps of 8 crops of 384 pixels.
    """

    smallest_patch = 11  # SSIM's window
    least = {**TrainingConfig.least, "radius": 1}

    network: Network = option(
        NAMES[0],
        "architecture: brightness given, predicted by a second network, or by one that shares its encoder",
    )
    epochs: int = option(100, "number of epochs; one is --steps batches")
    steps: int = option(1000, "batches per epoch: --epochs times --steps are trained")
    batch: int = option(8, "global batch size: samples per step over all accelerators")
    patch: int = option(384, "side length of the samples, in pixels")
    learning_rate: float = option(4e-4, "learning rate at the start, after any warm-up")
    schedule: Schedule = option("cosine", "learning-rate schedule")
    optimizer: Literal["adam", "adamw", "radam"] = option("radam", "optimizer; radam is rectified Adam")
    validate_epochs: int = option(5, "validate every N epochs, and after the last one")
    training_scores: int = option(8, "score N training images of each part at each validation as well")
    norm: Literal["instance", "batch", "adaptive"] = option("instance", "normalisation in the encoder")
    guide: Literal["learned", "image", "none"] = option(
        "learned",
        "guide of the filter: learned, the image itself, or none: bilinear upsampling without a filter",
    )
    radius: int = option(1, "radius of the guided filter, in pixels at a quarter of the resolution")
    scale_factor: float = option(
        0.25, "scale of the image that the brightness is predicted from: 1, .5, .25, .125"
    )
    conditioning: Literal["target", "constant"] = option(
        "target",
        "brightness that the network is given: the target's mean luma, or the constant 0.459 (default of the "
        "predicting networks: constant, which is what they are given afterwards)",
    )
    brightness_weight: float = option(1.0, "weight of the predicted luma's absolute error")

    @classmethod
    def defaults(cls, given: dict[str, Any]) -> dict[str, Any]:
        """A network that predicts the brightness is given a constant."""
        return {"conditioning": "constant"} if given.get("network", NAMES[0]) != NAMES[0] else {}

    def __post_init__(self) -> None:
        """Refuses values that cannot be trained with; see `TrainingConfig`."""
        super().__post_init__()
        if self.scale_factor not in _SCALES:
            raise UserError(
                f"--scale-factor expects one of 1, 0.5, 0.25, 0.125; received {self.scale_factor:g}"
            )
        if not self.brightness_weight >= 0:
            raise UserError(f"--brightness-weight expects 0 or more, received {self.brightness_weight}")


#: Settings for `--quick`: about a minute on two cores, to see that everything works, not to be good.
QUICK = {"epochs": 2, "steps": 10, "validate_epochs": 1, "patch": 96, "batch": 4}
