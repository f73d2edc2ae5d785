"""Prints the most memory that one subject takes: `python -m kind.profiling.peak` (for `kind profile`)."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys

from kind.enhancing.tiling.freed_memory import give_back_large_pieces
from kind.enhancing.variants import DEFAULT_VARIANT
from kind.profiling.memory import resident

_RUNS = 2


def main() -> None:
    """Runs one subject and prints its peak resident memory in MiB over that of the interpreter's start."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--network", "--implementation", "--precision"):
        parser.add_argument(name, required=True)
    for name in ("--height", "--width"):
        parser.add_argument(name, type=int, required=True)
    for name in ("--weights", "--reference"):
        parser.add_argument(name)
    parser.add_argument("--variant", default=DEFAULT_VARIANT)
    flags = parser.parse_args()
    give_back_large_pieces()  # as the command line does
    before = resident("VmRSS")
    with contextlib.redirect_stdout(open(os.devnull, "w")):  # other people's code may print
        _run(flags)
    print(resident("VmHWM") - before)


def _run(flags: argparse.Namespace) -> None:
    from kind.enhancing.enhancer import Enhancer
    from kind.profiling.subjects import PUBLIC, OurSubjects, public_subjects

    enhancer = Enhancer.load(flags.weights, flags.precision, flags.variant)
    if flags.implementation == PUBLIC:
        from benchmarks.public_checkout import networks_of_checkout
        from kind.profiling.measuring import public_graph

        builders = networks_of_checkout(flags.reference) if flags.reference else None
        subjects = public_subjects(public_graph(enhancer, builders), flags.height, flags.width)
    else:
        subjects = OurSubjects(enhancer)(flags.height, flags.width)
    (run,) = [subject.run for subject in subjects if subject.network == flags.network]
    for _ in range(_RUNS):
        run()


if __name__ == "__main__":
    sys.exit(main())
