"""What `--loss` and `--loss-weight` make of a stage's objective."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from kind.errors import UserError, listed

LOSS, LOSS_WEIGHT = "--loss", "--loss-weight"
SUFFIX = "_loss"
"""What the names of added terms end in, so that none is a metric's."""


class Added(NamedTuple):
    """A loss that the user adds to a stage.

    Attributes:
        name: in `kind.losses.catalogue.CATALOGUE`.
        weight: of it in the total.
        file: of the network whose features are compared; None where there is none or the default is meant.
        layer: of that network; None takes the default.
    """

    name: str
    weight: float
    file: str | None = None
    layer: str | None = None

    @property
    def term(self) -> str:
        """The name that it is logged by: `ms_ssim_loss` of ms-ssim."""
        words = [self.name, self.layer] if self.layer else [self.name]
        return "_".join(words).replace("-", "_").removesuffix(SUFFIX) + SUFFIX


def file_and_layer(text: str) -> tuple[str | None, str | None]:
    """Reads `FILE[:LAYER]`, or `:LAYER` of the default network."""
    file, colon, layer = text.rpartition(":")
    if not colon or "/" in layer or "\\" in layer:  # the colon of a path such as C:/weights.h5
        file, layer = text, ""
    return file or None, layer or None


def parse_loss(text: str) -> Added:
    """Reads NAME=WEIGHT[:FILE[:LAYER]].

    Raises:
        UserError: when it has another form, or the weight is no number from 0 on.
    """
    name, equals, rest = text.partition("=")
    number, _, network = rest.partition(":")
    weight = _number(number)
    if not name or not equals or weight is None:
        raise UserError(
            f"{LOSS} expects NAME=WEIGHT or NAME=WEIGHT:FILE:LAYER with a weight from 0 on; received {text}"
        )
    return Added(name, weight, *file_and_layer(network))


def parse_losses(texts: Sequence[str]) -> tuple[Added, ...]:
    """Reads each of several `--loss`.

    Raises:
        UserError: see `parse_loss`; and when two would be logged by one name.
    """
    losses = tuple(parse_loss(text) for text in texts)
    terms = [loss.term for loss in losses]
    for loss in losses:
        if terms.count(loss.term) > 1:
            raise UserError(f"{LOSS} {loss.name}: given more than once; name one weight, or another layer")
    return losses


def parse_weights(texts: Sequence[str]) -> dict[str, float]:
    """Reads NAME=WEIGHT of each `--loss-weight`.

    Raises:
        UserError: when one has another form, or a name stands twice.
    """
    weights: dict[str, float] = {}
    for text in texts:
        name, equals, number = text.partition("=")
        weight = _number(number)
        if not name or not equals or weight is None:
            raise UserError(f"{LOSS_WEIGHT} expects NAME=WEIGHT with a weight of at least 0; received {text}")
        if name in weights:
            raise UserError(f"{LOSS_WEIGHT} {name}: given more than once")
        weights[name] = weight
    return weights


def check_weights(weights: Mapping[str, float], built_in: Sequence[str], stage: str) -> None:
    """Refuses weights of terms that a stage does not have.

    Args:
        weights: what `parse_weights` gave.
        built_in: the stage's own terms.
        stage: its name, for the message.

    Raises:
        UserError: naming the term and those that there are.
    """
    for name in weights:
        if name not in built_in:
            raise UserError(
                f"{LOSS_WEIGHT} {name}: no built-in term of {stage}; it has {listed(list(built_in), 12)}. "
                f"Weights of added losses are given with {LOSS}"
            )


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


FeatureLoader = Callable[[str | None, Sequence[str]], Callable]
"""From a file (None: the default) and names of layers to φ; see `kind.cli.feature_files.load_features`."""
