"""The table of variants: which networks can enhance an image. Imports no TensorFlow, so that parsers may."""

from __future__ import annotations

import argparse
from typing import NamedTuple

from kind.constants import DEFAULT_ALPHA


class Variant(NamedTuple):
    """One way to enhance.

    Attributes:
        enhancer: the subclass of `kind.enhancing.enhancer.Enhancer`, as "module:Class"; imported on use.
        stages: the stages that train its networks; each is read from `STAGE.keras`.
        own_alpha: what α is when the user gives none, in words.
        description: one line for `--help`.
    """

    enhancer: str
    stages: tuple[str, ...]
    own_alpha: str
    description: str


VARIANTS = {
    "kind": Variant(
        "kind.enhancing.three_networks:KindEnhancer",
        stages=("decom", "restoration", "illumination"),
        own_alpha=f"{DEFAULT_ALPHA:g}",
        description="the three networks of the paper",
    ),
    "lite": Variant(
        "kind.enhancing.light_network:LiteEnhancer",
        stages=("lite",),
        own_alpha="suggested by the network",
        description="one small network, in a fraction of the time",
    ),
}
"""By the name that `--variant` takes. A new variant is a module with its class, and an entry here."""

DEFAULT_VARIANT = "kind"


def add_variant_argument(parser: argparse.ArgumentParser) -> None:
    """Declares --variant: which networks enhance."""
    parser.add_argument(
        "--variant",
        choices=tuple(VARIANTS),
        default=DEFAULT_VARIANT,
        help="enhancement network: "
        + "; ".join(f"{name}, {variant.description}" for name, variant in VARIANTS.items())
        + f" (default: {DEFAULT_VARIANT})",
    )
