"""The objectives that `benchmarks.losses` compares: the light network's own, and changes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

SEEDS = (0, 1, 2)
"""Of the default objective; the changes are trained with the first."""


class Change(NamedTuple):
    """One change of the light network's objective.

    Attributes:
        name: of the change and its run folder.
        flags: what `kind train lite` is given.
        settings: the same as settings of `kind.lite.config.LiteConfig`.
    """

    name: str
    flags: str
    settings: Mapping[str, Any]


def _added(weight: float, name: str) -> Change:
    return Change(f"+{name}", f"--loss {name}={weight:g}", {"loss": (f"{name}={weight:g}",)})


def _exchanged(weight: float, name: str, term: str) -> Change:
    """`name` instead of the built-in `term`."""
    loss, off = f"{name}={weight:g}", f"{term}=0"
    flags = f"--loss {loss} --loss-weight {off}"
    return Change(f"{name}-for-{term}", flags, {"loss": (loss,), "loss_weight": (off,)})


def _without(term: str) -> Change:
    return Change(f"-{term}", f"--loss-weight {term}=0", {"loss_weight": (f"{term}=0",)})


def _against(kind: str, weight: float) -> Change:
    flags = f"--adversarial-weight {weight:g} --adversarial {kind}"
    return Change(f"+{kind}", flags, {"adversarial_weight": weight, "adversarial": kind})


DEFAULT = Change("default", "", {})

CHANGES = (
    _exchanged(1, "charbonnier", "absolute_error"),
    _without("ssim_loss"),
    _against("hinge", 0.02),
    _added(0.04, "perceptual"),
    _added(0.7, "laplacian-pyramid"),
    _exchanged(7, "l2", "absolute_error"),
    _added(1, "sobel"),
    _added(1, "total-variation"),
    _added(1, "colour-angle"),
    _added(0.2, "region"),
    _without("log_error"),
    _added(5, "spatial-consistency"),
    _added(7, "blurred-colour"),
    _added(0.01, "texture"),
    _added(15, "gradient-difference"),
    _against("least-squares", 0.1),
    _exchanged(15, "huber", "absolute_error"),
    _added(0.5, "exposure-control"),
    _added(5, "colour-constancy"),
    _added(2e-4, "l2-weights"),
)
"""Each added term is about a third of the objective without it, measured on LOL with the weights that
ship; adversarial losses start near a constant, and are weighed by what keeps the training stable."""
