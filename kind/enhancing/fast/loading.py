"""From a folder of weights to the enhancer in 8 bits; imports no TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kind.enhancing.fast.installed import check_engine, engine_is_there
from kind.enhancing.variants import variant_of
from kind.errors import UserError
from kind.nn.weights_folder import find_weights

if TYPE_CHECKING:
    from kind.enhancing.fast.lite import FastLite

VARIANT = "lite"


def load_fast(weights: str | Path | None = None, variant: str | None = None) -> FastLite:
    """Reads the networks.

    Args:
        weights: see `kind.enhancing.enhancer.Enhancer.load`. Other weights than those that ship are
            calibrated, which takes some seconds.
        variant: likewise.

    Returns:
        The enhancer.

    Raises:
        UserError: on another variant than "lite", where the engine is not installed, and when the weights
            cannot be used.
    """
    variant = variant or variant_of(weights)
    if variant != VARIANT:
        raise UserError(f"int8 computes the variant {VARIANT} alone, not {variant}: take float32 or bfloat16")
    check_engine()
    from kind.enhancing.fast.lite import FastLite

    return FastLite.from_file(find_weights((VARIANT,), weights)[VARIANT])


def is_fastest(weights: str | Path | None, variant: str | None, fusion: str) -> bool:
    """Whether int8 can make what is wanted, the relit image alone, and is the fastest here.

    Not of a user's own weights: their quality in 8 bits is not known, and calibrating takes seconds.
    """
    return (
        weights is None
        and (variant or variant_of(None)) == VARIANT
        and fusion == "plain"
        and engine_is_there()
    )
