"""Settings of the training of change detection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kind.detection.change.architecture import Architecture, Block, Difference, Edges, Encoder, Join
from kind.errors import UserError
from kind.training.config import Schedule, StageConfig, flag_of, option

OBJECTIVES = {
    "focal-lovasz": ("focal", "lovasz"),
    "cross-entropy-lovasz": ("cross_entropy", "lovasz"),
    "iou-cross-entropy": ("iou_cross_entropy",),
}
"""Terms of each objective."""


@dataclass(frozen=True)
class ChangeConfig(StageConfig):
    """Trains a network that detects changes between two photographs of one place, in any light."""

    input: Literal["reflectance", "relit", "stretched", "raw"] = option(
        "reflectance", "images that the network compares, made of both dates"
    )
    darken: Literal["none", "after", "one", "both", "mixed"] = option(
        "mixed",
        "darken the second date, either one or both dates; mixed: three pairs of ten stay bright, and four "
        "have a dark second date",
    )

    encoder: Encoder = option(
        "shared", "one encoder for both dates, one for each, or one that sees both together (early)"
    )
    block: Block = option("plain", "core block of each level: a convolution, or a visual state-space block")
    difference: Difference = option(
        "joined", "comparison at each level: both features with |a - b|, |a - b| alone (absolute), or a - b"
    )
    edges: Edges = option(
        "both",
        "edge branches: first order (Scharr), second order (difference of Gaussians with fixed or learned "
        "σ), or both",
    )
    join: Join = option(
        "concatenate",
        "join of skips in the decoder: concatenation, concatenation after squeeze-and-excitation, or "
        "attentional feature fusion",
    )
    attention: bool = option(True, "channel and spatial attention in the decoder")
    deep_supervision: bool = option(False, "also train a mask from each level of the decoder")
    side_weight: float = option(0.4, "with --deep-supervision: weight of the loss of each coarser mask")

    objective: Literal["focal-lovasz", "cross-entropy-lovasz", "iou-cross-entropy"] = option(
        "focal-lovasz", "loss terms: two of the catalogue, or cross-entropy weighted by 2 - IoU of each pair"
    )
    focal_weight: float = option(4.0, "weight of the focal loss")
    focal_alpha: float = option(0.5, "focal loss: weight of changed pixels; the others have 1 - ALPHA")
    cross_entropy_weight: float = option(1.0, "weight of the cross-entropy")
    lovasz_weight: float = option(0.75, "weight of the Lovász hinge")

    epochs: int = option(60, "number of epochs; with made pairs one is --steps batches")
    steps: int = option(100, "with made pairs: batches per epoch")
    batch: int = option(8, "global batch size: pairs per step over all accelerators")
    patch: int = option(256, "side length of the pairs, in pixels")
    learning_rate: float = option(1e-3, "learning rate at the start, after any warm-up")
    schedule: Schedule = option("plateau", "learning-rate schedule")
    plateau: int = option(
        4, "plateau schedule: patience; decay the learning rate after N validations without improvement"
    )
    warmup_epochs: int = option(1, "epochs of linear learning-rate warm-up from 0")
    optimizer: Literal["adam", "adamw", "radam"] = option("adamw", "optimizer; radam is rectified Adam")
    weight_decay: float = option(5e-4, "decoupled weight decay: adamw (kernels only), radam (all weights)")
    clip_norm: float = option(5.0, "clip the global gradient norm to this value; 0 disables clipping")
    average_decay: float = option(
        0.99,
        "decay of the exponential moving average of the weights that is validated and saved; 0 disables it",
    )
    validation_pairs: int = option(64, "with made pairs: pairs of held-out photographs that are validated")
    validate_epochs: int = option(3, "validate every N epochs, and after the last one")

    def __post_init__(self) -> None:
        """Refuses values that cannot be trained with.

        Raises:
            UserError: naming the flag, what it expects and what it received.
        """
        super().__post_init__()
        for name in ("steps", "patch", "validation_pairs"):
            if getattr(self, name) < 1:
                raise UserError(f"{flag_of(name)} expects at least 1, received {getattr(self, name)}")
        for name in ("focal_weight", "cross_entropy_weight", "lovasz_weight", "side_weight"):
            if not getattr(self, name) >= 0:
                raise UserError(f"{flag_of(name)} expects 0 or more, received {getattr(self, name)}")
        if not 0 <= self.focal_alpha <= 1:
            raise UserError(f"--focal-alpha expects 0 to 1, received {self.focal_alpha}")

    @property
    def architecture(self) -> Architecture:
        """The network that is trained."""
        switches = ("encoder", "block", "difference", "edges", "join", "attention", "deep_supervision")
        return Architecture(**{name: getattr(self, name) for name in switches})


#: Settings for `--quick`: about a minute on two cores, to see that everything works, not to be good.
QUICK = {"epochs": 4, "steps": 10, "validate_epochs": 2, "patch": 96, "batch": 4, "validation_pairs": 8}
