"""Settings of the detector's training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from kind.constants import DEFAULT_ALPHA, DETECTOR_MULTIPLE
from kind.detection.inputs import DEFAULT_INPUT
from kind.errors import UserError
from kind.training.config import Schedule, StageConfig, flag_of, later_option, option


@dataclass(frozen=True)
class DetectionConfig(StageConfig):
    """Trains an object detector on enhanced dark photographs; defaults as in YOLOv8's published recipe."""

    freezes_by_name = False  # --freeze-epochs is about the backbone
    #: What keeps a reflectance a reflectance while a detector trains the networks before it.
    joint_weights: ClassVar[tuple[str, ...]] = (
        "reconstruction_weight",
        "similarity_weight",
        "alignment_weight",
    )
    only_with: ClassVar[dict[str, str]] = {"box_response_weight": "teacher"}

    input: Literal["reflectance", "relit", "stretched", "raw", "ciconv"] = option(
        DEFAULT_INPUT, "image that the detector receives"
    )
    alpha: float = option(
        DEFAULT_ALPHA,
        "--input relit: exposure gain α in training; kind detect and exports take the network's own",
    )
    joint: bool = option(
        False, "train decomposition and restoration together with the detector (--input reflectance)"
    )
    darken: Literal["none", "dusk", "clear", "moderate", "published"] = option(
        "moderate", "darken bright photographs synthetically; none: the photographs are dark already"
    )
    twins: int = option(
        0,
        "darkened copies per photograph, made and enhanced once before training, which is faster for many "
        "epochs; 0 makes a new copy in every step",
    )

    epochs: int = option(100, "passes over the training images")
    batch: int = option(16, "global batch size: images per step over all accelerators")
    image_size: int = option(640, "side length of the detector's square input, in pixels; a multiple of 32")
    optimizer: Literal["sgd", "adamw"] = option("sgd", "optimizer; sgd uses Nesterov momentum 0.937")
    learning_rate: float = option(0.01, "learning rate after the warm-up; 0.0005 for adamw")
    schedule: Schedule = option("cosine", "learning-rate schedule")
    warmup_epochs: int = option(3, "epochs of linear learning-rate warm-up from 0")
    weight_decay: float = option(
        5e-4, "weight decay of kernels; in the gradient for sgd, decoupled for adamw"
    )
    clip_norm: float = option(10.0, "clip the global gradient norm to this value; 0 disables clipping")
    average_decay: float = option(
        0.9999,
        "decay of the exponential moving average of the weights that is validated and saved; 0 disables it",
    )
    freeze_epochs: int = option(0, "freeze the backbone, batch statistics included, for the first N epochs")

    mosaic: float = option(1.0, "probability of a mosaic of four images")
    plain_epochs: int = option(10, "use no mosaics in the last N epochs")
    scale: float = option(0.5, "random scaling by up to this fraction")
    flip: float = option(0.5, "probability of a horizontal flip")
    jitter: float = option(0.0, "random brightness and saturation by up to this fraction")

    box_weight: float = option(7.5, "weight of 1 - CIoU")
    class_weight: float = option(0.5, "weight of the classification cross-entropy")
    distribution_weight: float = option(1.5, "weight of the distribution focal loss")
    feature_weight: float = option(0.2, "with --teacher: weight of the KL divergence of the features")
    response_weight: float = option(
        0.01, "with --teacher: weight of the KL divergence of the old classes' scores"
    )
    box_response_weight: float = later_option(
        0.0, "with --teacher, both YOLOv8: weight of the KL divergence of the boxes' distributions"
    )
    box_temperature: float = later_option(
        10.0, "with --box-response-weight: temperature of the distributions"
    )

    reconstruction_weight: float = later_option(
        0.0, "with --joint: weight of L1 of R∘L to the dark photograph"
    )
    similarity_weight: float = later_option(
        0.0,
        "with --joint: weight of L1 of the dark twin's restored reflectance to the bright one's reflectance",
    )
    alignment_weight: float = later_option(
        0.0,
        "with --joint: weight of the symmetric KL divergence of the averaged early features of both twins",
    )

    validation_every: int = option(4, "hold out every Nth image, by sorted name, for validation")
    validate_epochs: int = option(5, "validate every N epochs, and after the last one")

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
        if self.image_size < DETECTOR_MULTIPLE or self.image_size % DETECTOR_MULTIPLE:
            raise UserError(
                f"--image-size expects a multiple of {DETECTOR_MULTIPLE}, received {self.image_size}"
            )
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
        self._check_weights()

    def _check_weights(self) -> None:
        for name in ("box_response_weight", *self.joint_weights):
            if not getattr(self, name) >= 0:
                raise UserError(f"{flag_of(name)} expects 0 or more, received {getattr(self, name)}")
        if not self.box_temperature > 0:
            raise UserError(f"--box-temperature expects more than 0, received {self.box_temperature}")
        for name in self.joint_weights:
            if getattr(self, name) and not self.joint:
                raise UserError(f"{flag_of(name)} expects --joint")
        if self.needs_bright and self.darken == "none":
            raise UserError("--darken none leaves no bright twins to compare with; give a preset")

    @property
    def needs_bright(self) -> bool:
        """Whether the bright photograph is learned from beside its dark twin."""
        return self.joint and bool(self.similarity_weight or self.alignment_weight)

    @property
    def prepared(self) -> bool:
        """Whether what the detector sees is made once, before training; otherwise inside the step."""
        return not self.joint and (self.twins > 0 or self.darken == "none")


#: Settings for `--quick`: a minute or two on two cores, to see that everything works, not to be good.
QUICK = {
    "epochs": 4,
    "validate_epochs": 2,
    "batch": 8,
    "image_size": 160,
    "input": "raw",
    "average_decay": 0.99,
}
