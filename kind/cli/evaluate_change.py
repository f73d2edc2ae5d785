"""Scores change detection on pairs whose truth is known, in several lights.

The pairs are made of test photographs, which training holds out, and the second date is made dark; or they
come from a data set with A/, B/ and label/.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.enhancer_options import add_frozen_enhancer_arguments
from kind.cli.markdown_option import add_table_arguments, write_tables
from kind.cli.named_path import NamedPath
from kind.cli.options import add_cache_argument, add_old_name, add_seed_argument, add_threshold_argument
from kind.detection.inputs import INPUTS
from kind.errors import UserError

if TYPE_CHECKING:
    from kind.detection.change.evaluation.scoring import Method, Set

_SHIPPED = "shipped"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "--data",
        nargs="+",
        required=True,
        metavar="DIR",
        help="folders of photographs to make pairs of, as for `kind train change`; or one folder with A/, B/ "
        "and label/",
    )
    parser.add_argument(
        "--split",
        choices=("test", "validation", "training"),
        default="test",
        help="part of the photographs, or of the data set (default: %(default)s)",
    )
    parser.add_argument(
        "--pairs", type=int, default=200, metavar="N", help="pairs to make (default: %(default)s)"
    )
    parser.add_argument(
        "--image-size",
        type=int,
        default=256,
        metavar="PIXELS",
        help="side of the pairs that are made (default: %(default)s)",
    )
    add_old_name(parser, "--size", "--image-size")
    parser.add_argument(
        "--lights",
        choices=("all", "bright"),
        default="all",
        help="all: both dates bright, and the second one 2 stops under, 4 stops under with noise, and by the "
        "dark ISP; bright: the first of these (default: %(default)s)",
    )
    parser.add_argument(
        "--detector",
        type=NamedPath.parse,
        action="append",
        metavar="[NAME=]FILE",
        help=".keras file or run folder, repeatable (default: the network that ships); differences are to "
        "the first",
    )
    add_old_name(parser, "--network", "--detector")
    parser.add_argument(
        "--input",
        choices=tuple(INPUTS),
        help="what all networks compare (default: what each was trained on, as its record says)",
    )
    add_frozen_enhancer_arguments(parser)
    add_threshold_argument(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    add_seed_argument(parser, "pair number i is made with (SEED, i)")
    add_cache_argument(parser)
    add_table_arguments(parser, "changes")


def run(arguments: argparse.Namespace) -> int:
    """Scores the networks, writes the report and prints the tables.

    Returns:
        0.

    Raises:
        UserError: when nothing can be scored.
    """
    for option, value in (("--pairs", arguments.pairs), ("--image-size", arguments.image_size)):
        if value < 1:
            raise UserError(f"{option} expects at least 1, received {value}")
    if arguments.markdown:
        arguments.markdown.check()

    from kind.detection.change.evaluation.report import Report, markdown_report, text_report, write_all
    from kind.detection.change.evaluation.scoring import score
    from kind.detection.change.evaluation.summary import figures_lines, figures_table, summarise
    from kind.reports.progress import Progress

    methods = _methods(arguments)
    sets, data = _sets(arguments)
    scored = score(sets, methods, arguments.threshold, Progress("pairs", "scored"))
    facts = [
        ("Data", data),
        ("Inputs", "; ".join(f"{kind}: {INPUTS[kind]}" for kind in dict.fromkeys(m.input for m in methods))),
        ("Figures", f"over the pixels of all pairs; probabilities above {arguments.threshold:g} are changes"),
    ]
    report = Report(facts, summarise(scored), arguments.threshold)
    files = write_all(arguments.out, report, sets)
    if arguments.markdown:
        arguments.markdown.write(markdown_report(report))
    files += write_tables(arguments, figures_table(report.lines), *figures_lines(report.lines))
    print(f"{text_report(report)}\n\nwritten: {', '.join(map(str, files))}")
    return 0


def _methods(arguments: argparse.Namespace) -> list[Method]:
    from kind.detection.change.command import load_enhancer
    from kind.detection.change.evaluation.scoring import Method
    from kind.detection.change.predictor import ChangePredictor, input_of, load_change_net

    named = arguments.detector or [NamedPath(_SHIPPED, None)]
    kinds = [arguments.input or input_of(path) for _, path in named]
    nets = [load_change_net(path) for _, path in named]
    enhancers = {kind: load_enhancer(kind, arguments.enhancer, arguments.variant) for kind in set(kinds)}
    return [
        Method(name, kind, ChangePredictor(net, kind, enhancers[kind]))
        for (name, _), kind, net in zip(named, kinds, nets)
    ]


def _every(named: Sequence[NamedPath]) -> int:
    """One pair in this many is held out of a data set without parts: what the networks' runs record."""
    from kind.detection.change.config import ChangeConfig
    from kind.evaluation.held_out import recorded_split
    from kind.training.run_folder import best_weights

    records = (recorded_split(best_weights(path)) for _, path in named if path)
    return next((record.every for record in records if record), ChangeConfig.validation_every)


def _sets(arguments: argparse.Namespace) -> tuple[list[Set], str]:
    """The pairs light by light, and what they are, in words."""
    from kind.data.arrays import default_cache
    from kind.detection.change.batches import MadePairs, made_batches, read_batches
    from kind.detection.change.command import is_labelled
    from kind.detection.change.evaluation.scoring import Set
    from kind.detection.change.folders import part_or_all
    from kind.detection.change.lighting import LIGHTINGS
    from kind.detection.change.sources import find_photographs, make_material, triplet_source

    cache = arguments.cache or default_cache()
    lightings = dict(list(LIGHTINGS.items())[: None if arguments.lights == "all" else 1])
    folders = ", ".join(Path(folder).resolve().name for folder in arguments.data)
    if is_labelled(arguments.data):
        triplets = part_or_all(arguments.data[0], arguments.split, _every(arguments.detector or []))
        source = triplet_source(triplets, cache)
        sets = [
            Set(name, source.names, read_batches(source, arguments.seed, lighting=lighting))
            for name, lighting in lightings.items()
        ]
        return sets, f"{folders}: {len(triplets)} pairs with labels"
    material = make_material(*find_photographs(arguments.data, arguments.split), cache)
    pairs, count = MadePairs(material, arguments.image_size), arguments.pairs
    photographs = material.photographs.names
    names = [f"{number} {photographs[number % len(photographs)]}" for number in range(count)]
    sets = [
        Set(name, names, made_batches(pairs, count, arguments.seed, lighting=lighting))
        for name, lighting in lightings.items()
    ]
    made = f"{count} pairs of {arguments.image_size}×{arguments.image_size} pixels, seed {arguments.seed}"
    return sets, f"{folders}: {made}, made of {len(photographs)} {arguments.split} photographs"
