"""From a folder of weights to the enhancer in 8 bits; imports no TensorFlow."""

from __future__ import annotations

import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING

from kind.enhancing.fast.installed import check_engine, engine_is_there
from kind.enhancing.variants import VARIANTS, variant_of
from kind.errors import UserError

if TYPE_CHECKING:
    from kind.enhancing.fast.enhancer import FastEnhancer


def load_fast(weights: str | Path | None = None, variant: str | None = None) -> FastEnhancer:
    """Reads the networks.

    Args:
        weights: see `kind.enhancing.enhancer.Enhancer.load`. Other weights than those that ship are
            calibrated, which takes some seconds.
        variant: likewise.

    Returns:
        The enhancer.

    Raises:
        UserError: on a variant without int8, where the engine is not installed, and when the weights cannot
            be used.
    """
    variant = variant or variant_of(weights)
    name = VARIANTS[variant].in_8_bits
    if name is None:
        able = " and ".join(each for each, known in VARIANTS.items() if known.in_8_bits)
        raise UserError(f"int8 is for the variants {able}, not {variant}: take float32 or bfloat16")
    check_engine()
    fast = pkgutil.resolve_name(name)
    enhancer = fast.from_files(weights)
    enhancer.calibrate(fast.ranges_file)
    return enhancer


def is_fastest(weights: str | Path | None, variant: str | None, fusion: str) -> bool:
    """Whether int8 can make what is wanted, the relit image alone, and is the fastest here.

    Not of a user's own weights: their quality in 8 bits is not known, and calibrating takes seconds.
    """
    return (
        weights is None
        and VARIANTS[variant or variant_of(None)].in_8_bits is not None
        and fusion == "plain"
        and engine_is_there()
    )
