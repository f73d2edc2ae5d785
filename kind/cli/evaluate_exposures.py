"""Scores enhancement on photographs whose right exposure is known: reference images and darkened copies.

Bright photographs become the truth of five cases: as they are, 1, 2 and 4 stops under (the last with noise),
and backlit. Pairs of a dark and a bright image are scored as they are.
"""

from __future__ import annotations

import argparse
import itertools
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.enhancer_options import add_precision_argument
from kind.cli.json_lines import emit
from kind.cli.markdown_option import add_table_arguments, write_tables
from kind.cli.options import add_alpha_argument, add_seed_argument
from kind.cli.scored_networks import add_networks_arguments, files_of, named_networks
from kind.constants import VALIDATION_EVERY

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from kind.enhancing.enhancer import Enhancer
    from kind.evaluation.exposures import Enhance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        action="append",
        metavar="DIR",
        help="folder of well exposed photographs, or of pairs in low/ and high/; repeatable",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--split",
        choices=("test", "validation", "training", "all"),
        default="all",
        help="part of each folder, by the rule that training the light variant holds images out by; pairs "
        "have no test split (default: %(default)s)",
    )
    add_networks_arguments(parser)
    add_alpha_argument(parser, "brightening factor", "chosen by the variant")
    add_precision_argument(parser, "float32")
    add_seed_argument(parser, "photograph number i is made dark with (SEED, i)")
    add_table_arguments(parser, "exposures")


def run(arguments: argparse.Namespace) -> int:
    """Scores networks and baselines, writes the tables and prints them.

    Returns:
        0.

    Raises:
        UserError: when nothing can be scored.
    """
    if arguments.markdown:
        arguments.markdown.check()

    from kind.data.exposure_cases import case_count, cases_of, chosen_images
    from kind.evaluation.exposure_tables import facts, figures_table, lines_of
    from kind.evaluation.exposures import GroupFigures, score
    from kind.reports.progress import Progress
    from kind.reports.table import markdown_list, markdown_table, text_table
    from kind.reports.writing import write_csv

    enhancers = _enhancers(arguments)
    networks = {name: partial(_relit, net, arguments.alpha) for name, net in enhancers.items()}
    chosen = [(folder, chosen_images(folder, arguments.split)) for folder in arguments.data]
    cases = itertools.chain.from_iterable(
        cases_of(images, folder.resolve().name, arguments.seed) for folder, images in chosen
    )
    bar, total = Progress("scored"), sum(case_count(images) for _, images in chosen)
    found = score(cases, {**_baselines(), **networks}, lambda done: bar(done, total))
    about = facts(chosen, arguments.split, arguments.seed, enhancers, arguments.alpha)
    about += [("Note", note) for note in _split_notes(arguments, enhancers)]
    table = figures_table(found)
    if arguments.markdown:
        arguments.markdown.write(f"{markdown_list(about)}\n\n{markdown_table(table)}")
    head = ["case", "method", *GroupFigures._fields]
    files = [arguments.out / "exposures.csv", *write_tables(arguments, table, head, lines_of(found))]
    write_csv(files[0], head, lines_of(found))
    for line in lines_of(found):
        emit(dict(zip(head, line)))
    for name, value in about:
        print(f"{name}: {value}")
    print(f"\n{text_table(table)}\n\nwritten: {', '.join(map(str, files))}")
    return 0


def _baselines() -> dict[str, Enhance]:
    from kind.evaluation.baselines import BASELINES
    from kind.evaluation.exposures import auto_exposure

    return {**BASELINES, "auto-exposure": auto_exposure}


def _enhancers(arguments: argparse.Namespace) -> dict[str, Enhancer]:
    """Every variant with every folder of weights, by the name in the table."""
    from kind.enhancing.enhancer import Enhancer

    return {
        name: Enhancer.load(folder, arguments.precision, variant)
        for name, folder, variant in named_networks(arguments.weights, arguments.variant)
    }


def _split_notes(arguments: argparse.Namespace, enhancers: Mapping[str, Enhancer]) -> list[str]:
    """What a reader must know of validation images that the networks' training may not have held out."""
    from kind.evaluation.held_out import held_out_images

    if arguments.split == "test":
        return []
    if arguments.split != "validation":
        return [f"split {arguments.split}: training may have seen most of these images; see --split test"]
    found = named_networks(arguments.weights, arguments.variant)
    held_out = held_out_images(
        {
            f"{name}: {stage}": file
            for name, folder, _ in found
            for stage, file in files_of(enhancers[name], folder).items()
        },
        VALIDATION_EVERY,
    )
    if (held_out.every, held_out.scenes) == (1, VALIDATION_EVERY):
        return held_out.notes
    rule = f"of pairs, validation is one scene in {VALIDATION_EVERY}; training held out {held_out.fact}"
    return [f"{rule}: some may have been trained on", *held_out.notes]


def _relit(enhancer: Enhancer, alpha: float | None, image: np.ndarray) -> np.ndarray:
    return enhancer(image, alpha, parts=("relit",)).relit
