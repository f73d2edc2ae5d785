"""Options of the networks that enhance, and loading what they ask for.

Imports no TensorFlow: `--help` must be quick.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.options import Checked
from kind.enhancing.precision import INT8, ONLY_RELIT, PRECISIONS, WITHOUT_INT8
from kind.enhancing.variants import add_variant_argument

if TYPE_CHECKING:
    from kind.enhancing.enhancer import Enhancer
    from kind.enhancing.fast.enhancer import FastEnhancer

DEFAULT_PRECISION = "auto"
"""Of the commands that enhance; from Python it is float32."""

_SAID = {
    "float32": "float32",
    "bfloat16": "bfloat16, which this processor is fast at (--precision float32 to avoid it)",
    INT8: "int8 by OpenVINO, the fastest here (--precision float32 to avoid it)",
}


def add_weights_argument(parser: argparse.ArgumentParser) -> None:
    """Declares --weights, a folder of weights."""
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="DIR",
        help="folder of STAGE.keras files or run folders (default: the shipped weights)",
    )


def add_precision_argument(
    parser: argparse.ArgumentParser, default: str = DEFAULT_PRECISION, *, int8: bool = False
) -> None:
    """Declares --precision; int8 is for commands that can do with the relit image alone."""
    more = "; int8 is the fastest, for the relit image alone, and needs the extra fast" if int8 else ""
    refused = () if int8 else (INT8,)
    parser.add_argument(
        "--precision",
        action=Checked,
        choices=PRECISIONS,
        metavar=None if int8 else WITHOUT_INT8,
        accepts=lambda precision: precision not in refused,
        expected=f"float32, bfloat16 or auto here, as int8 {ONLY_RELIT}",
        default=default,
        help="number format that the networks compute in; bfloat16 is faster on processors that support it "
        f"and slower on others{more}; auto takes the fastest that is there (default: {default})",
    )


def add_enhancer_arguments(
    parser: argparse.ArgumentParser, precision: str = DEFAULT_PRECISION, *, int8: bool = False
) -> None:
    """Declares --variant, --weights and --precision; `load_enhancer` reads them."""
    add_variant_argument(parser)
    add_weights_argument(parser)
    add_precision_argument(parser, precision, int8=int8)


def add_frozen_enhancer_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares --enhancer, a folder or None, and --variant: networks whose output others learn from."""
    parser.add_argument(
        "--enhancer",
        type=Path,
        metavar="DIR",
        help="folder of weights of the enhancer (default: the shipped weights)",
    )
    add_variant_argument(parser)


def load_enhancer(arguments: argparse.Namespace, *, relit_alone: bool = False) -> Enhancer | FastEnhancer:
    """Loads the networks that the options ask for; says on stderr what --precision auto chose.

    Args:
        arguments: as `add_enhancer_arguments` declares them.
        relit_alone: whether the command needs no other part, so that auto may choose int8; it then has
            `fusion`.

    Raises:
        UserError: when the weights cannot be used.
    """
    from kind.enhancing.fast.loading import is_fastest, load_fast

    wanted = arguments.precision
    folder, variant = arguments.weights, arguments.variant
    if wanted == INT8 or wanted == "auto" and relit_alone and is_fastest(folder, variant, arguments.fusion):
        enhancer = load_fast(folder, variant)
    else:
        from kind.enhancing.enhancer import Enhancer

        enhancer = Enhancer.load(folder, wanted, variant)
    if wanted == "auto" and not getattr(arguments, "quiet", False):
        print(f"kind: computing in {_SAID[enhancer.precision]}", file=sys.stderr, flush=True)
    return enhancer
