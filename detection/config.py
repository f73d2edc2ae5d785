"""Settings of the detector's training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from kind.constants import DEFAULT_ALPHA, DETECTOR_MULTIPLE
from kind.detection.inputs import DEFAULT_INPUT
from kind.errors import UserError
from kind.training.config import TrainingConfig, option


@dataclass(frozen=True)
class DetectionConfig(TrainingConfig):
    """A detector for the dark: YOLOv8's published recipe, on what `--input` makes of dark photographs."""

    input: Literal["reflectance", "relit", "stretched", "raw"] = option(
        DEFAULT_INPUT, "what the detector sees"
    )
    alpha: float = option(DEFAULT_ALPHA, "input relit: how much brighter")
    joint: bool = option(False, "train decomposition and restoration, too (input reflectance)")
    darken: Literal["none", "dusk", "moderate", "published"] = option(
        "moderate", "make dark twins of bright photographs; none: they are dark already"
    )
    twins: int = option(
        0,
        "dark twins a photograph: 0 makes a new one each time, inside the step; others are made and "
        "enhanced once, before training, which is quicker where epochs are many",
    )

    epochs: int = option(100, "passes over the training images")
    batch: int = option(16, "images a step, over all accelerators together")
    patch: int = option(640, "side of the square that the detector sees, in pixels; a multiple of 32")
    optimizer: Literal["sgd", "adamw"] = option("sgd", "sgd has Nesterov's momentum 0.937")
    learning_rate: float = option(0.01, "after the warm-up; for adamw about 0.0005")
    schedule: Literal["constant", "step", "cosine"] = option("cosine", "how the learning rate goes on")
    warmup_epochs: int = option(3, "raise the learning rate linearly from 0 over so many epochs")
    weight_decay: float = option(5e-4, "of kernels; part of the gradient for sgd, decoupled for adamw")
    clip_norm: float = option(10.0, "clip the gradients' global norm to this; 0 does not clip")
    average_decay: float = option(0.9999, "validate and keep a moving average of the weights; 0 keeps none")
    freeze_epochs: int = option(0, "keep the backbone, its statistics too, still for so many epochs")

    mosaic: float = option(1.0, "probability of putting four images together")
    plain_epochs: int = option(10, "no mosaics in the last so many epochs")
    scale: float = option(0.5, "images become larger or smaller by up to this part")
    flip: float = option(0.5, "probability of mirroring left to right")
    jitter: float = option(0.0, "brightness and saturation vary by up to this part")

    box_weight: float = option(7.5, "of 1 - CIoU")
    class_weight: float = option(0.5, "of the classes' cross-entropy")
    distribution_weight: float = option(1.5, "of the distribution focal loss")
    feature_weight: float = option(0.2, "with --teacher: of the features' KL divergence")
    response_weight: float = option(0.01, "with --teacher: of the old classes' KL divergence")

    validation_every: int = option(4, "hold out one image in so many, by sorted name")
    validate_epochs: int = option(5, "validate after each so many epochs, and at the end")

    @classmethod
    def defaults(cls, given: dict[str, Any]) -> dict[str, Any]:
        """AdamW's learning rate is another than SGD's."""
        return {"learning_rate": 5e-4} if given.get("optimizer") == "adamw" else {}

    def __post_init__(self) -> None:
        """Refuses values that cannot be trained with.

        Raises:
            UserError: naming the flag, what it expects and what it received.
        """
        super().__post_init__()
        if self.patch % DETECTOR_MULTIPLE:
            raise UserError(f"--patch expects a multiple of {DETECTOR_MULTIPLE}, received {self.patch}")
        for name in ("twins", "freeze_epochs", "plain_epochs"):
            if getattr(self, name) < 0:
                flag = name.replace("_", "-")
                raise UserError(f"--{flag} expects 0 or more, received {getattr(self, name)}")
        for name in ("mosaic", "flip", "jitter"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"--{name} expects 0 to 1, received {getattr(self, name)}")
        if not 0 <= self.scale < 1:
            raise UserError(f"--scale expects at least 0 and less than 1, received {self.scale}")
        if self.joint and self.input != "reflectance":
            raise UserError(f"--joint expects --input reflectance, received {self.input}")
        if self.joint and self.twins:
            raise UserError(f"--joint expects --twins 0: its networks change; received {self.twins}")

    @property
    def prepared(self) -> bool:
        """Whether what the detector sees is made once, before training; otherwise inside the step."""
        return not self.joint and (self.twins > 0 or self.darken == "none")


#: Settings for `--quick`: a minute or two on two cores, to see that everything works, not to be good.
QUICK = {"epochs": 4, "validate_epochs": 2, "batch": 8, "patch": 160, "input": "raw", "average_decay": 0.99}
