"""Scores enhancement on image pairs, or on photographs without targets.

Networks, images that other programs made, and baselines go into one table. The report's header lists the
protocol, the definitions of the metrics, the weights and the images.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kind.cli.enhancer_options import add_precision_argument
from kind.cli.evaluate_images import Images, pairs, photographs
from kind.cli.json_lines import emit
from kind.cli.markdown_option import add_table_arguments, write_tables
from kind.cli.options import add_alpha_argument, add_fusion_argument, add_validation_every_argument
from kind.cli.scored_networks import add_networks_arguments, add_results_argument, files_of, named_networks
from kind.errors import UserError

if TYPE_CHECKING:
    from kind.evaluation.methods import Method, Network, Sample
    from kind.evaluation.scoring import Metrics
    from kind.evaluation.summary import Evaluation

Facts = list[tuple[str, str]]

_METRICS = ("mse", "ms-ssim", "vif", "fsim", "delta-e2000")


class _Scored(NamedTuple):
    """A network to score, the files that it was read from by stage, and what the header says of it."""

    network: Network
    files: dict[str, Path]
    fact: tuple[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    _add_images(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    _add_methods(parser)
    parser.add_argument(
        "--niqe-model", type=Path, metavar="FILE", help="NIQE's pristine model, .mat or .npz; adds NIQE"
    )
    parser.add_argument(
        "--lpips-weights",
        type=Path,
        metavar="FILE",
        help="weights of LPIPS, .npz (see docs/evaluation.md); adds LPIPS",
    )
    parser.add_argument(
        "--metrics",
        nargs="+",
        choices=_METRICS,
        default=(),
        metavar="NAME",
        help=f"further columns of pairs, which take longer: {', '.join(_METRICS)}",
    )
    add_table_arguments(parser, "evaluation")
    parser.add_argument(
        "--fresh", action="store_true", help="do not use results that an earlier run left in --out"
    )


def _add_images(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--data", type=Path, metavar="DIR", help="folder with low/ and high/, or LOL's our485/ and eval15/"
    )
    source.add_argument(
        "--photos", type=Path, nargs="+", metavar="INPUT", help="photographs, or folders of them"
    )
    parser.add_argument(
        "--split",
        choices=("validation", "training", "test", "all"),
        help="part of --data: validation are the pairs that training on the folder holds out, training the "
        "others, test is eval15/ (default: test where there is eval15/, otherwise all)",
    )
    add_validation_every_argument(parser, "pair", "what the weights record, otherwise 10")


def _add_methods(parser: argparse.ArgumentParser) -> None:
    add_networks_arguments(parser, "the weights that ship, unless --pred is given")
    add_results_argument(parser)
    parser.add_argument("--baselines", action="store_true", help="also score the input, gamma and CLAHE")
    _add_network_settings(parser)


def _add_network_settings(parser: argparse.ArgumentParser) -> None:
    add_alpha_argument(parser, "brightening factor of the illumination under the raw and GT-mean protocols")
    add_fusion_argument(parser)
    add_precision_argument(parser, "float32")


def run(arguments: argparse.Namespace) -> int:
    """Scores the methods, writes the report and prints the table.

    Returns:
        0, or 1 when some images could not be scored.

    Raises:
        UserError: when nothing can be scored, or before anything is.
    """
    _check(arguments)
    if arguments.markdown:
        arguments.markdown.check()

    from kind.evaluation.report import write_all
    from kind.evaluation.run import evaluate, kept_figures
    from kind.evaluation.summary import Evaluation, summarise
    from kind.evaluation.tables import markdown_report, means_table, statistics_lines

    metrics = _metrics(arguments)
    networks = _networks(arguments)
    samples, data_facts, notes = _images(arguments, networks)
    methods, method_facts = _methods(arguments, networks, samples)
    results = kept_figures(arguments.out / "results.jsonl", fresh=arguments.fresh)
    rows, failures = evaluate(samples, methods, metrics, results)
    for failure in failures:
        print(f"{arguments.program}: left out: {failure.reason}", file=sys.stderr)
        emit({"image": failure.image, "method": failure.method, "error": failure.reason})
    for row in rows:
        emit({"image": row.image, "method": row.method, "protocol": row.protocol, **row.figures})
    if not rows:
        raise UserError(f"none of {len(samples)} images could be scored")
    columns = metrics.columns(with_target=arguments.data is not None)
    facts = [*data_facts, *method_facts, *metrics.facts(with_target=arguments.data is not None)]
    evaluation = Evaluation(facts, notes, columns, summarise(rows, columns), rows, failures)
    files = write_all(arguments.out, evaluation, methods, samples)
    if arguments.markdown:
        arguments.markdown.write(markdown_report(evaluation))
    files += write_tables(arguments, means_table(evaluation.summary), *statistics_lines(evaluation.summary))
    _print(evaluation, files)
    return 1 if failures else 0


def _check(arguments: argparse.Namespace) -> None:
    """Refuses options that do not go together."""
    if arguments.photos:
        for flag, value in (
            ("--split", arguments.split),
            ("--validation-every", arguments.validation_every),
        ):
            if value is not None:
                raise UserError(f"{flag} is a part of --data; photographs without targets have no splits")
        if arguments.metrics:
            raise UserError("--metrics compare with a target; photographs without targets have none")


def _print(evaluation: Evaluation, files: Sequence[Path]) -> None:
    from kind.evaluation.tables import summary_table
    from kind.reports.table import text_table

    for name, value in evaluation.facts:
        print(f"{name}: {value}")
    for note in evaluation.all_notes:
        print(f"NOTE: {note}")
    print(f"\n{text_table(summary_table(evaluation.summary))}\n")
    print(evaluation.intervals)
    print(f"written: {', '.join(map(str, files))}")


def _metrics(arguments: argparse.Namespace) -> Metrics:
    from kind.evaluation.scoring import Metrics
    from kind.metrics.lpips import Lpips
    from kind.metrics.niqe_model import load_niqe_model

    return Metrics(
        load_niqe_model(arguments.niqe_model) if arguments.niqe_model else None,
        Lpips(arguments.lpips_weights) if arguments.lpips_weights else None,
        tuple(name.replace("-", "_") for name in _METRICS if name in arguments.metrics),
    )


def _images(arguments: argparse.Namespace, networks: Sequence[_Scored]) -> Images:
    if arguments.photos:
        return photographs(arguments.photos)
    networks_by_name = {
        f"{scored.network.name}: {stage}": path for scored in networks for stage, path in scored.files.items()
    }
    return pairs(arguments.data, arguments.split, arguments.validation_every, networks_by_name)


def _methods(
    arguments: argparse.Namespace, networks: Sequence[_Scored], samples: Sequence[Sample]
) -> tuple[list[Method], Facts]:
    """What is scored, in the order of the table, and what the header says of it."""
    from kind.evaluation.baselines import CLAHE_CLIP, GAMMA, all_baselines
    from kind.evaluation.methods import Folder

    methods: list[Method] = [scored.network for scored in networks]
    facts = [scored.fact for scored in networks]
    for name, folder in arguments.pred:
        methods.append(Folder(folder, samples, name))
        facts.append((name, "images made by another program; GT-ratio does not apply"))
    if arguments.baselines:
        methods += all_baselines()
        facts.append(("Baselines", f"input; x^(1/{GAMMA}); CLAHE of HSV's value, clip limit {CLAHE_CLIP}"))
    if not networks and (arguments.alpha is not None or arguments.fusion != "plain"):
        raise UserError("--alpha and --fusion are settings of the networks; no --weights are scored here")
    names = [method.name for method in methods]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UserError(f"two methods are called {twice.pop()!r}; tell them apart with NAME=DIR")
    return methods, facts


def _networks(arguments: argparse.Namespace) -> list[_Scored]:
    """Every variant with every folder of weights; none when only other programs' images are scored."""
    if arguments.pred and not arguments.weights and not arguments.variant:
        return []
    return [
        _network(name, folder, variant, arguments.alpha, arguments.fusion, arguments.precision)
        for name, folder, variant in named_networks(arguments.weights, arguments.variant)
    ]


def _network(
    name: str, folder: Path | None, variant: str, alpha: float | None, fusion: str, precision: str
) -> _Scored:
    from kind.enhancing.enhancer import Enhancer
    from kind.evaluation.methods import Network
    from kind.evaluation.scoring import DIGITS
    from kind.nn.saving import SHIPPED_WEIGHTS

    enhancer = Enhancer.load(folder, precision, variant)
    files = files_of(enhancer, folder)
    network = Network(enhancer, alpha, fusion, name)
    digests = [
        f"{stage} {digest[:DIGITS]}{' (ships)' if files[stage].parent == SHIPPED_WEIGHTS else ''}"
        for stage, digest in network.digests.items()
    ]
    shown = enhancer.own_alpha if alpha is None else f"{alpha:g}"
    settings = f"α = {shown} (raw, GT-mean), fusion {fusion}"
    if enhancer.precision != "float32":
        settings += f", {enhancer.precision}"
    return _Scored(network, files, (name, f"{', '.join(digests)}; {settings}"))
