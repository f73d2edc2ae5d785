"""Frozen dataclasses as the one place for a stage's settings; command-line flags are made from them."""

import argparse
import dataclasses
import typing
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar

from kind.constants import MAX_SEED
from kind.errors import UserError

Config = TypeVar("Config", bound="TrainingConfig")


def option(default: Any, text: str) -> Any:
    """A dataclass field with a default and the sentence that `--help` shows."""
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class TrainingConfig:
    """What every stage can be told; a stage's own config sets the paper's values and adds its own."""

    #: Side of the smallest crops that the stage's losses can be computed on, in pixels.
    smallest_patch: ClassVar[int] = 1

    seed: int = option(0, "of weights, order, crops and turns")
    epochs: int = option(2000, "passes over the training pairs")
    batch: int = option(10, "samples a step, over all accelerators together")
    patch: int = option(48, "side of the random crops, in pixels")
    learning_rate: float = option(1e-4, "at the start, after any warm-up")
    schedule: Literal["constant", "step", "cosine"] = option("constant", "how the learning rate goes on")
    step_epochs: tuple[int, ...] = option((800,), "step schedule: multiply the rate after these epochs")
    step_factor: float = option(0.5, "step schedule: by this")
    warmup_epochs: int = option(0, "raise the learning rate linearly from 0 over so many epochs")
    optimizer: Literal["adam", "adamw", "radam"] = option("adam", "radam is rectified Adam")
    weight_decay: float = option(0.0, "decoupled, for adamw (kernels only) and radam (all weights)")
    lookahead: bool = option(False, "radam only: step back to slow weights every 6 steps")
    clip_norm: float = option(0.0, "clip the gradients' global norm to this; 0 does not clip")
    average_decay: float = option(0.0, "validate and keep a moving average of the weights; 0 keeps none")
    freeze: tuple[str, ...] = option((), "layers that stay as they are, by name or pattern: 'encode_*'")
    rates: tuple[str, ...] = option((), "PATTERN=FACTOR: layers with a learning rate of their own")
    precision: Literal["float32", "mixed_bfloat16"] = option(
        "float32", "of the layers; weights, losses and what is saved are float32 either way"
    )
    per_image: bool = option(False, "normalise loss gradients over each image, not the batch")
    validation_every: int = option(10, "hold out one pair in so many, by sorted name")
    validate_epochs: int = option(20, "validate after each so many epochs, and at the end")

    @classmethod
    def defaults(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Defaults that follow from what the user gave, such as those of another variant."""
        return {}

    def __post_init__(self) -> None:
        """Refuses values that cannot be trained with.

        Raises:
            UserError: naming the flag, what it expects and what it received.
        """
        least = {"epochs": 1, "batch": 1, "patch": self.smallest_patch, "validate_epochs": 1}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise UserError(f"{_flag(name)} expects at least {smallest}, received {getattr(self, name)}")
        if not 0 <= self.seed <= MAX_SEED:
            raise UserError(f"--seed expects 0 to {MAX_SEED}, received {self.seed}")
        if self.validation_every < 2:
            raise UserError(f"--validation-every expects at least 2, received {self.validation_every}")
        if not self.learning_rate > 0:
            raise UserError(f"--learning-rate expects more than 0, received {self.learning_rate}")
        for name in ("step_factor", "warmup_epochs", "weight_decay", "clip_norm"):
            if not getattr(self, name) >= 0:
                raise UserError(f"{_flag(name)} expects 0 or more, received {getattr(self, name)}")
        if not 0 <= self.average_decay < 1:
            raise UserError(
                f"--average-decay expects at least 0 and less than 1, received {self.average_decay}"
            )
        if self.lookahead and self.optimizer != "radam":
            raise UserError(f"--lookahead expects --optimizer radam, received {self.optimizer}")
        if self.weight_decay and self.optimizer == "adam":
            raise UserError("--weight-decay expects --optimizer adamw or radam, received adam")


def add_flags(parser: argparse.ArgumentParser, config_class: type) -> None:
    """Adds one flag for each field of a config class; a flag that is not given leaves the default."""
    hints = typing.get_type_hints(config_class)
    for item in dataclasses.fields(config_class):
        kind = hints[item.name]
        text = f"{item.metadata['help']} (default: {item.default})"
        how: dict[str, Any] = {"type": kind}
        if kind is bool:
            how = {"action": argparse.BooleanOptionalAction}
            text = item.metadata["help"]  # argparse adds the default itself on some versions
        elif typing.get_origin(kind) is tuple:
            text = f"{item.metadata['help']} (default: {' '.join(map(str, item.default)) or 'none'})"
            how = {"type": typing.get_args(kind)[0], "nargs": "+"}
        elif typing.get_origin(kind) is Literal:
            how = {"choices": typing.get_args(kind)}
        parser.add_argument(_flag(item.name), dest=item.name, default=None, help=text, **how)


def config_from_flags(config_class: type[Config], arguments: argparse.Namespace, **replaced: Any) -> Config:
    """The config that the flags describe.

    Args:
        config_class: the stage's dataclass.
        arguments: parsed by a parser that `add_flags` prepared.
        **replaced: defaults to use instead of the class's own, where the user gave no flag.

    Returns:
        An instance.

    Raises:
        UserError: when a value cannot be used.
    """
    given = {item.name: getattr(arguments, item.name) for item in dataclasses.fields(config_class)}
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }
    return config_class(**{**config_class.defaults(given), **replaced, **given})


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
