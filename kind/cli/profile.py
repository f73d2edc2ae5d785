"""Measures parameters, arithmetic, traffic, memory and time of the networks."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.enhancer_options import add_weights_argument
from kind.cli.markdown_option import add_markdown_argument
from kind.cli.options import add_old_name
from kind.enhancing.precision import INT8, PRECISIONS, chosen_precision
from kind.enhancing.variants import VARIANTS, shipped_variants, variant_of
from kind.errors import UserError

if TYPE_CHECKING:
    from kind.enhancing.enhancer import Enhancer
    from kind.profiling.device import Machine
    from kind.profiling.measuring import Maker, Plan, Reference, Row
    from kind.profiling.roofs import Roofs

_COMPARISON = "python -m benchmarks.profile"
_DEFAULT_SIZES = "400x600,1080x1920"
_LARGEST_SIDE = 20_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_options(parser)
    parser.add_argument("--reference", help=argparse.SUPPRESS)
    parser.add_argument("--no-public", action="store_true", help=argparse.SUPPRESS)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares what `measure` reads."""
    parser.add_argument(
        "--sizes",
        type=parse_sizes,
        default=parse_sizes(_DEFAULT_SIZES),
        metavar="HxW,…",
        help=f"heights and widths of the images in pixels (default: {_DEFAULT_SIZES})",
    )
    parser.add_argument(
        "--variant",
        choices=VARIANTS,
        action="append",
        help="repeatable (default: those that ship, or those in --weights)",
    )
    add_weights_argument(parser)
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        action="append",
        help="repeatable (default: float32, and bfloat16 where the processor has it); int8 has a line "
        "for the relit image, of the variants that can be computed in 8 bits",
    )
    parser.add_argument(
        "--no-memory", action="store_true", help="do not measure memory, which starts a process for each line"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, metavar="N", help="runs of each line (default: %(default)s)"
    )
    parser.add_argument(
        "--detect",
        action="store_true",
        help="measure the detector that ships, and enhancing and detecting together, too",
    )
    parser.add_argument(
        "--by-layer",
        action="store_true",
        help="also show which operations and layers take the time, by TensorFlow's profiler on the CPU",
    )
    parser.add_argument(
        "--roofline",
        type=Path,
        metavar="FILE.png",
        help="also measure the peak arithmetic and memory bandwidth of this machine, and draw a roofline",
    )
    parser.add_argument("--json-file", type=Path, metavar="FILE", help="write all figures to this file")
    add_old_name(parser, "--json", "--json-file")
    add_markdown_argument(parser, "profile")


def run(arguments: argparse.Namespace) -> int:
    """Prints the table of our own networks.

    Returns:
        0.

    Raises:
        UserError: when weights or a file to be written cannot be used.
    """
    if arguments.reference is not None:
        raise UserError(
            f"--reference has moved: {_COMPARISON} --reference {shlex.quote(arguments.reference)}"
        )
    if arguments.no_public:
        print(f"--no-public is deprecated: only {_COMPARISON} measures the public graph", file=sys.stderr)
    return measure(arguments)


def measure(
    arguments: argparse.Namespace,
    make_reference: Callable[[Plan], AbstractContextManager[Reference]] | None = None,
) -> int:
    """Measures, prints the table and writes it where the options say.

    Args:
        arguments: as `add_options` declares them.
        make_reference: what all lines are compared with, see `kind.profiling.measuring`; it is closed at
            the end.

    Returns:
        0.

    Raises:
        UserError: when weights or a file to be written cannot be used.
    """
    if arguments.rounds < 1:
        raise UserError(f"--rounds expects 1 or more, received {arguments.rounds}")
    if arguments.markdown:
        arguments.markdown.check()
    if arguments.roofline and not arguments.roofline.resolve().parent.is_dir():
        raise UserError(f"{arguments.roofline}: there is no such folder; --roofline expects FILE.png")

    from kind.profiling.device import this_machine
    from kind.profiling.measuring import Plan, profile
    from kind.profiling.report import as_json, markdown, notes, text_table
    from kind.reports.writing import write_text

    all_or_given = [variant_of(arguments.weights)] if arguments.weights else shipped_variants()
    wanted = arguments.precision or ["float32", "auto"]
    plan = Plan(
        arguments.sizes,
        list(dict.fromkeys(chosen_precision(name) for name in wanted if name != INT8)),
        list(dict.fromkeys(arguments.variant or all_or_given)),
        arguments.weights,
        arguments.rounds,
        with_memory=not arguments.no_memory,
        by_layer=arguments.by_layer,
    )
    eight_bits = _eight_bits(plan) if INT8 in wanted else []
    machine, roofs = this_machine(), None
    with make_reference(plan) if make_reference else nullcontext() as reference:
        rows = profile(plan, _say, reference, _more(arguments, eight_bits))
    if arguments.roofline:
        roofs = _draw(arguments.roofline, rows, plan, machine)
    said = notes(rows, arguments.rounds, machine, reference, roofs)
    print(text_table(rows, reference), *said, sep="\n")
    if arguments.json_file:
        write_text(arguments.json_file, as_json(rows, said, machine, roofs))
    if arguments.markdown:
        arguments.markdown.write(markdown(rows, said, reference))
    return 0


def _say(text: str) -> None:
    print(f"kind: {text}", file=sys.stderr, flush=True)


def _eight_bits(plan: Plan) -> list[Maker]:
    """The lines of the variants in 8 bits, those that have it."""
    from kind.profiling.eight_bits import EightBitSubjects

    return [
        EightBitSubjects(variant, plan.weights)
        for variant in plan.variants
        if VARIANTS[variant].in_8_bits or len(plan.variants) == 1
    ]


def _more(
    arguments: argparse.Namespace, eight_bits: Sequence[Maker]
) -> Callable[[Sequence[Enhancer]], Sequence[Maker]]:
    """What is measured beside the networks."""
    if not arguments.detect:
        return lambda enhancers: eight_bits
    from kind.cli.profiled_chain import with_detector

    return lambda enhancers: [*eight_bits, *with_detector(enhancers, arguments.weights)]


def _draw(path: Path, rows: Sequence[Row], plan: Plan, machine: Machine) -> Roofs:
    from kind.profiling.roofline import draw_roofline
    from kind.profiling.roofs import measure_roofs

    _say("roofs: products of large matrices, and a large copy")
    roofs = measure_roofs(plan.precisions, plan.rounds)
    try:
        draw_roofline(rows, roofs, machine, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error
    return roofs


def parse_sizes(text: str) -> list[tuple[int, int]]:
    """Reads sizes such as 400x600,1080x1920: height and width."""
    sizes = []
    for size in text.split(","):
        sides = re.fullmatch(r"\s*(\d{1,5})[x×](\d{1,5})\s*", size)
        if not sides or not all(0 < int(side) <= _LARGEST_SIDE for side in sides.groups()):
            raise argparse.ArgumentTypeError(f"expects sizes such as {_DEFAULT_SIZES}, received {size!r}")
        sizes.append((int(sides[1]), int(sides[2])))
    return sizes
