"""Frozen dataclasses as the one place for a stage's settings; command-line flags are made from them."""

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from kind.constants import MAX_SEED, VALIDATION_EVERY
from kind.enhancing.precision import PRECISIONS
from kind.errors import UserError
from kind.training.objective import parse_losses, parse_weights

Schedule = Literal["constant", "step", "cosine", "plateau"]
"""Words that `--schedule` takes, in every stage."""

SCHEDULES_TO_THE_END = ("cosine",)
"""Those whose learning rate depends on the number of epochs from the first one on."""

#: Settings that were renamed: their old flags still work, and so do run folders that record them.
OLD_NAMES = {
    "rates": "learning_rate_multipliers",
    "optimiser": "optimizer",
    "dissimilarity_weight": "ssim_weight",
    "variant": "network",  # of the restoration
    "patch": "image_size",  # of a detector; other stages still have patches
}


def option(default: Any, text: str, choices: tuple[str, ...] | None = None) -> Any:
    """A dataclass field with a default and the sentence that `--help` shows.

    Args:
        default: of the setting.
        text: what the setting does.
        choices: words that the flag takes, where the setting's type does not list them.
    """
    return field(default=default, metadata={"help": text, "choices": choices})


def later_option(default: Any, text: str) -> Any:
    """As `option`, of a setting that older run folders do not know: recorded where it is not its default."""
    return field(default=default, metadata={"help": text, "choices": None, "later": True})


def repeated(text: str) -> Any:
    """A `later_option` of texts whose flag may be given several times."""
    return field(default=(), metadata={"help": text, "later": True, "repeated": True})


@dataclass(frozen=True)
class StageConfig:
    """Settings that every stage has; a stage's own config sets the paper's values and adds its own."""

    #: Settings that must be at least so much.
    least: ClassVar[dict[str, int]] = {"epochs": 1, "batch": 1, "validate_epochs": 1}
    #: Settings that the stage does nothing with: their flags are refused, and not in `--help`.
    unused: ClassVar[tuple[str, ...]] = ()
    #: Settings whose flags do nothing without another flag, and that flag's name.
    only_with: ClassVar[dict[str, str]] = {}

    seed: int = option(0, "random seed for initial weights, sample order and augmentation")
    epochs: int = option(2000, "passes over the training samples")
    batch: int = option(10, "global batch size: samples per step over all accelerators")
    learning_rate: float = option(1e-4, "learning rate at the start, after any warm-up")
    schedule: Schedule = option("constant", "learning-rate schedule")
    step_epochs: tuple[int, ...] = option((800,), "step schedule: decay the learning rate after these epochs")
    step_factor: float = option(
        0.5, "step and plateau schedule: multiply the learning rate by this at each decay"
    )
    plateau: int = later_option(
        5, "plateau schedule: patience; decay the learning rate after N validations without improvement"
    )
    schedule_epochs: int = later_option(
        0, "cosine schedule: epochs of a cycle, after which the learning rate starts again; 0: --epochs"
    )
    warmup_epochs: int = option(0, "epochs of linear learning-rate warm-up from 0")
    scale_from_batch: int = later_option(
        0, "multiply the learning rate by the square root of --batch / N; 0 does not scale"
    )
    optimizer: Literal["adam", "adamw", "radam"] = option("adam", "optimizer; radam is rectified Adam")
    weight_decay: float = option(0.0, "decoupled weight decay: adamw (kernels only), radam (all weights)")
    lookahead: bool = option(False, "use the Lookahead optimizer around radam, synchronised every 6 steps")
    clip_norm: float = option(0.0, "clip the global gradient norm to this value; 0 disables clipping")
    average_decay: float = option(
        0.0,
        "decay of the exponential moving average of the weights that is validated and saved; 0 disables it",
    )
    freeze: tuple[str, ...] = option((), "layers to freeze, by name or shell pattern, such as 'encode_*'")
    freeze_epochs: int = later_option(0, "with --freeze: train these layers too after N epochs; 0: never")
    learning_rate_multipliers: tuple[str, ...] = option(
        (), "PATTERN=FACTOR: multiply the learning rate of the matching layers by FACTOR"
    )
    #: Keras's policy: "float32" or "mixed_bfloat16".
    precision: str = option(
        "float32",
        "number format that the layers compute in; weights, losses and saved networks are always float32",
        PRECISIONS,
    )
    per_image: bool = option(False, "normalise gradients in the losses over each image, not over the batch")
    validation_every: int = option(
        VALIDATION_EVERY,
        "hold out every Nth sample, by sorted name, for validation; a mixture holds out every "
        f"{VALIDATION_EVERY}th scene, and takes no other number",
    )
    validate_epochs: int = option(20, "validate every N epochs, and after the last one")
    early_stop: int = later_option(
        0, "patience: stop after N validations in a row without improvement; 0 trains all epochs"
    )

    #: Whether `freeze_epochs` is about the layers of `freeze`.
    freezes_by_name: ClassVar[bool] = True

    @classmethod
    def defaults(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Defaults that follow from what the user gave, such as those of another variant."""
        return {}

    def __post_init__(self) -> None:
        """Refuses values that cannot be trained with.

        Raises:
            UserError: naming the flag, what it expects and what it received.
        """
        for name, smallest in self.least.items():
            if getattr(self, name) < smallest:
                raise UserError(
                    f"{flag_of(name)} expects at least {smallest}, received {getattr(self, name)}"
                )
        if not 0 <= self.seed <= MAX_SEED:
            raise UserError(f"--seed expects 0 to {MAX_SEED}, received {self.seed}")
        if self.validation_every < 2:
            raise UserError(f"--validation-every expects at least 2, received {self.validation_every}")
        if not self.learning_rate > 0:
            raise UserError(f"--learning-rate expects more than 0, received {self.learning_rate}")
        self._check_counts()
        for name in ("step_factor", "warmup_epochs", "weight_decay", "clip_norm"):
            if not getattr(self, name) >= 0:
                raise UserError(f"{flag_of(name)} expects 0 or more, received {getattr(self, name)}")
        if not 0 <= self.average_decay < 1:
            raise UserError(
                f"--average-decay expects at least 0 and less than 1, received {self.average_decay}"
            )
        if self.lookahead and self.optimizer != "radam":
            raise UserError(f"--lookahead expects --optimizer radam, received {self.optimizer}")
        if self.weight_decay and self.optimizer == "adam":
            raise UserError("--weight-decay expects --optimizer adamw or radam, received adam")

    def _check_counts(self) -> None:
        for name in ("freeze_epochs", "early_stop", "scale_from_batch", "schedule_epochs"):
            if getattr(self, name) < 0:
                raise UserError(f"{flag_of(name)} expects 0 or more, received {getattr(self, name)}")
        if self.schedule_epochs and self.schedule not in SCHEDULES_TO_THE_END:
            raise UserError(f"--schedule-epochs expects --schedule cosine, received {self.schedule}")
        if self.plateau < 1:
            raise UserError(f"--plateau expects at least 1, received {self.plateau}")
        if self.schedule == "plateau" and not 0 < self.step_factor < 1:
            raise UserError(f"--schedule plateau expects --step-factor between 0 and 1: {self.step_factor}")
        if self.freezes_by_name and self.freeze_epochs and not self.freeze:
            raise UserError("--freeze-epochs expects --freeze LAYERS; received none")

    @property
    def scaled_learning_rate(self) -> float:
        """The learning rate, multiplied as `scale_from_batch` says."""
        if not self.scale_from_batch:
            return self.learning_rate
        return self.learning_rate * math.sqrt(self.batch / self.scale_from_batch)


@dataclass(frozen=True)
class TrainingConfig(StageConfig):
    """Settings of a stage that learns from random crops of images."""

    least = {**StageConfig.least, "decode_side": 1, "loader_threads": 0}
    #: Side of the smallest crops that the stage's losses can be computed on, in pixels.
    smallest_patch: ClassVar[int] = 1

    patch: int = option(48, "side length of the random crops, in pixels")
    steps: int = later_option(200, "with a mixture: batches per epoch")
    decode_side: int = later_option(
        400, "with a mixture: downscale photographs to a shorter side of at most N pixels"
    )
    loader_threads: int = later_option(2, "with a mixture: training samples that are made in parallel")
    training_scores: int = later_option(
        0, "score N training images (of each part of a mixture) at each validation as well; 0: none"
    )
    loss: tuple[str, ...] = repeated(
        "NAME=WEIGHT[:FILE[:LAYER]]: add a loss of `kind losses` to the objective; FILE is the network whose "
        "features it compares"
    )
    loss_weight: tuple[str, ...] = repeated("NAME=WEIGHT: weight of a built-in loss term; 0 switches it off")

    def __post_init__(self) -> None:
        """Refuses what `StageConfig` refuses, and crops that are too small.

        Raises:
            UserError: naming the flag, what it expects and what it received.
        """
        super().__post_init__()
        if self.patch < self.smallest_patch:
            raise UserError(f"--patch expects at least {self.smallest_patch}, received {self.patch}")
        if self.steps < 1:
            raise UserError(f"--steps expects at least 1, received {self.steps}")
        if self.training_scores < 0:
            raise UserError(f"--training-scores expects 0 or more, received {self.training_scores}")
        parse_losses(self.loss)
        parse_weights(self.loss_weight)


@dataclass(frozen=True)
class AdversarialConfig(TrainingConfig):
    """Settings of a stage that can be trained against a discriminator."""

    adversarial_weight: float = later_option(
        0.0, "weight of the adversarial loss, for which a discriminator is trained; 0 trains none"
    )
    adversarial: Literal["hinge", "non-saturating", "least-squares", "minimax"] = later_option(
        "hinge", "with --adversarial-weight: which adversarial loss"
    )

    def __post_init__(self) -> None:
        """Refuses what `TrainingConfig` refuses, and weights below 0.

        Raises:
            UserError: naming the flag, what it expects and what it received.
        """
        super().__post_init__()
        if not self.adversarial_weight >= 0:
            raise UserError(f"--adversarial-weight expects 0 or more, received {self.adversarial_weight}")


def flag_of(name: str) -> str:
    """The flag of a setting: "--learning-rate" of "learning_rate"."""
    return "--" + name.replace("_", "-")
