"""The table of variants: which networks can enhance an image. Imports no TensorFlow, so that parsers may."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NamedTuple

from kind.constants import BRIGHTNESS, DEFAULT_ALPHA


class Variant(NamedTuple):
    """One way to enhance.

    Attributes:
        enhancer: the subclass of `kind.enhancing.enhancer.Enhancer`, as "module:Class"; imported on use.
        stages: the stages that train its networks; each is read from `STAGE.keras`.
        own_alpha: what α is when the user gives none, in words.
        description: one line for `--help`.
        in_8_bits: the subclass of `kind.enhancing.fast.enhancer.FastEnhancer`, likewise; None where there is
            none.
    """

    enhancer: str
    stages: tuple[str, ...]
    own_alpha: str
    description: str
    in_8_bits: str | None = None


VARIANTS = {
    "lite": Variant(
        "kind.enhancing.light_network:LiteEnhancer",
        stages=("lite",),
        own_alpha="suggested by the network",
        description="one small network, for photographs of all kinds",
        in_8_bits="kind.enhancing.fast.lite:FastLite",
    ),
    "kind": Variant(
        "kind.enhancing.three_networks:KindEnhancer",
        stages=("decom", "restoration", "illumination"),
        own_alpha=f"suggested by an exposure head beside them, otherwise {DEFAULT_ALPHA:g}",
        description="the three networks of the paper, slower and usually no better",
        in_8_bits="kind.enhancing.fast.kind:FastKind",
    ),
    "guided": Variant(
        "kind.enhancing.guided_network:GuidedEnhancer",
        stages=("guided",),
        own_alpha=f"what gives a mean luma of {BRIGHTNESS:.3f}",
        description="low-resolution network with a learned guided filter, for a given brightness",
    ),
    "guided-y": Variant(
        "kind.enhancing.guided_network:GuidedYEnhancer",
        stages=("guided-y",),
        own_alpha="what gives the brightness that a second network predicts",
        description="the same with a predicted brightness",
    ),
    "guided-y-shared": Variant(
        "kind.enhancing.guided_network:GuidedYSharedEnhancer",
        stages=("guided-y-shared",),
        own_alpha="what gives the brightness that the network predicts",
        description="the same with one encoder for both",
    ),
}
"""By the name that `--variant` takes. A new variant is a module with its class, and an entry here."""

DEFAULT_VARIANT = "lite"
"""Of shipped weights: the better one on photographs of all kinds, see docs/lite.md."""


def shipped_variants() -> tuple[str, ...]:
    """The variants whose networks ship with the package; others need training first."""
    folder = Path(__file__).parents[1] / "weights"
    return tuple(
        name
        for name, variant in VARIANTS.items()
        if all((folder / f"{stage}.keras").is_file() for stage in variant.stages)
    )


def variant_of(weights: str | Path | None) -> str:
    """The variant that enhances when the user names none.

    Args:
        weights: folder of `STAGE.keras` files or run folders; None for the shipped weights.

    Returns:
        The default variant; of a folder the one whose networks it holds, and the default when it holds
        several or none.
    """
    found = () if weights is None else variants_in(weights)
    return DEFAULT_VARIANT if DEFAULT_VARIANT in found or not found else found[0]


def variants_in(weights: str | Path) -> tuple[str, ...]:
    """The variants of which a folder of weights holds any network.

    Args:
        weights: folder of `STAGE.keras` files or run folders.
    """
    return tuple(
        name
        for name, variant in VARIANTS.items()
        if any(
            os.path.isfile(Path(weights) / file)
            for stage in variant.stages
            for file in (f"{stage}.keras", f"{stage}/best.keras")
        )
    )


def add_variant_argument(parser: argparse.ArgumentParser) -> None:
    """Declares --variant: which networks enhance; None is what `variant_of` says."""
    parser.add_argument(
        "--variant",
        choices=tuple(VARIANTS),
        help="enhancement network: "
        + "; ".join(f"{name}, {variant.description}" for name, variant in VARIANTS.items())
        + f" (default: {DEFAULT_VARIANT}, or those in the folder of weights)",
    )
