"""Prints the peak memory of one network: `python -m kind.profiling.peak`, which `kind profile` starts."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

from kind.enhancing.precision import INT8
from kind.profiling.memory import print_peak


def main() -> None:
    """Runs one network and prints its peak resident memory in MiB above that of the interpreter's start."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--network", "--precision", "--variant"):
        parser.add_argument(name, required=True)
    for name in ("--height", "--width"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--weights")
    print_peak(partial(_prepared, parser.parse_args()))


def _prepared(flags: argparse.Namespace) -> Callable[[], object]:
    if flags.precision == INT8:
        from kind.profiling.eight_bits import EightBitSubjects

        return EightBitSubjects(flags.variant, flags.weights).call(flags.height, flags.width)

    from kind.enhancing.enhancer import Enhancer
    from kind.profiling.subjects import OurSubjects

    enhancer = Enhancer.load(flags.weights, flags.precision, flags.variant)
    return OurSubjects(enhancer).calls(flags.height, flags.width)[flags.network]


if __name__ == "__main__":
    main()
