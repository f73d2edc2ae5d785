"""Prints the peak memory of one network: `python -m kind.profiling.peak`, which `kind profile` starts."""

from __future__ import annotations

import argparse

from kind.profiling.memory import resident

_RUNS = 2


def main() -> None:
    """Runs one network and prints its peak resident memory in MiB above that of the interpreter's start."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--network", "--precision", "--variant"):
        parser.add_argument(name, required=True)
    for name in ("--height", "--width"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--weights")
    flags = parser.parse_args()
    before = resident("VmRSS")
    _run(flags)
    print(resident("VmHWM") - before)


def _run(flags: argparse.Namespace) -> None:
    from kind.enhancing.enhancer import Enhancer
    from kind.profiling.subjects import OurSubjects

    enhancer = Enhancer.load(flags.weights, flags.precision, flags.variant)
    call = OurSubjects(enhancer).calls(flags.height, flags.width)[flags.network]
    for _ in range(_RUNS):
        call()


if __name__ == "__main__":
    main()
