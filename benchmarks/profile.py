"""Measures our networks beside the public TensorFlow 1 graph of KinD: `python -m benchmarks.profile`.

It has the options of `kind profile`; the graph's lines come first, and every line gets its ratio to them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.profile import add_options, measure
from kind.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from kind.profiling.measuring import Plan, Reference

PUBLIC = "public graph"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table.

    Args:
        arguments: the command line after the program's name; None takes the process's own.

    Returns:
        The exit code: 0; 2 for an error caused by user input, which has been printed on stderr.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.profile", description=__doc__, allow_abbrev=False
    )
    add_options(parser)
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="CHECKOUT",
        help="checkout of KinD's public code, whose model.py is executed and builds the graph (default: the "
        "same graph, built by code of this repository)",
    )
    parser.add_argument("--no-public", action="store_true", help="do not measure the public graph")
    flags = parser.parse_args(arguments)
    try:
        if flags.no_public and flags.reference:
            raise UserError("--reference and --no-public contradict each other; leave one of them out")
        return measure(flags, None if flags.no_public else partial(public_graph, checkout=flags.reference))
    except UserError as error:
        print(f"profile: {error}", file=sys.stderr)
        return 2


@contextmanager
def public_graph(plan: Plan, checkout: Path | None) -> Iterator[Reference]:
    """The public graph as a reference for `kind.profiling.measuring.profile`.

    Args:
        plan: its weights are the graph's where they are of the variant that the graph computes.
        checkout: see `benchmarks.public_checkout.networks_of_checkout`; None builds the graph here.

    Raises:
        UserError: when weights or checkout cannot be used.
    """
    from benchmarks.public_networks import published_weights
    from benchmarks.public_process import PublicProcess
    from kind.enhancing.enhancer import Enhancer
    from kind.profiling.measuring import Reference

    folder = plan.weights if "kind" in plan.variants else None
    weights = published_weights(Enhancer.load(folder, "float32", "kind").originals)
    with PublicProcess(weights, checkout) as process:
        subjects = partial(_subjects, process, weights, checkout)
        yield Reference(PUBLIC, "× public", process.description, subjects)


def _subjects(process, weights: dict[str, np.ndarray], checkout: Path | None, height: int, width: int):
    from benchmarks.public_networks import CHANNELS
    from benchmarks.public_process import PublicProcess
    from kind.profiling.subjects import Subject

    def peak(network: str) -> float:
        with PublicProcess(weights, checkout) as alone:
            return alone.peak(network, height, width)

    return [
        Subject(
            network,
            PUBLIC,
            "float32",
            partial(process.seconds, network, height, width),
            partial(peak, network),
        )
        for network in CHANNELS
    ]


if __name__ == "__main__":
    sys.exit(main())
