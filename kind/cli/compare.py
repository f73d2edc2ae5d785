"""Compares enhancers: parameters, arithmetic, memory, speed and scores; the same command resumes.

Every variant that ships, every folder of weights and every folder of other programs' results is one line.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kind.cli.enhancer_options import add_precision_argument
from kind.cli.markdown_option import add_markdown_argument
from kind.cli.named_path import NamedPath
from kind.cli.profile import parse_sizes
from kind.cli.scored_networks import add_results_argument, files_of
from kind.enhancing.variants import VARIANTS, shipped_variants, variants_in
from kind.errors import UserError

if TYPE_CHECKING:
    from kind.cli.compared_costs import Costs
    from kind.evaluation.methods import Method, Network, Sample
    from kind.evaluation.scoring import Metrics
    from kind.evaluation.summary import SummaryRow
    from kind.reports.comparison import Comparison, Line

_SIZES = "400x600,1080x1920"
_FIGURES = ("psnr", "ssim", "lpips", "niqe")
_OF_PHOTOS = ("loe", "niqe", "noise", "halo")


class _Entry(NamedTuple):
    """An enhancer to compare: its name, the folder of its weights (None: they ship) and its variant."""

    name: str
    folder: Path | None
    variant: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="folder of pairs to score on: low/ and high/, or LOL's"
    )
    parser.add_argument("--split", choices=("validation", "training", "test", "all"), help="part of --data")
    parser.add_argument(
        "--photos", type=Path, nargs="+", metavar="INPUT", help="photographs without targets to score on"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--variants",
        nargs="+",
        choices=VARIANTS,
        metavar="NAME",
        help="compare these only (default: those that ship, and those in --weights)",
    )
    parser.add_argument(
        "--weights",
        type=NamedPath.parse,
        action="append",
        default=[],
        metavar="[NAME=]DIR",
        help="folder of weights, whose variants are compared as well; repeatable",
    )
    add_results_argument(parser)
    parser.add_argument(
        "--detect",
        action="store_true",
        help="add lines for the detector, and for each enhancer with it: relit image and boxes",
    )
    _add_measuring(parser)


def _add_measuring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sizes",
        type=parse_sizes,
        default=parse_sizes(_SIZES),
        metavar="HxW,…",
        help=f"heights and widths of the images whose cost is measured (default: {_SIZES})",
    )
    parser.add_argument(
        "--rounds", type=int, default=5, metavar="N", help="runs of each measurement (default: %(default)s)"
    )
    parser.add_argument("--no-memory", action="store_true", help="do not measure memory")
    add_precision_argument(parser, "float32")
    parser.add_argument("--niqe-model", type=Path, metavar="FILE", help="NIQE's pristine model; adds NIQE")
    parser.add_argument("--lpips-weights", type=Path, metavar="FILE", help="weights of LPIPS; adds LPIPS")
    add_markdown_argument(parser, "comparison")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier run left in --out")


def run(arguments: argparse.Namespace) -> int:
    """Measures, scores, prints the tables and writes them.

    Returns:
        0, or 1 when some images could not be scored.

    Raises:
        UserError: when there is nothing to compare, or something cannot be read or written.
    """
    if arguments.rounds < 1:
        raise UserError(f"--rounds expects 1 or more, received {arguments.rounds}")
    if arguments.pred and not arguments.data:
        raise UserError("--pred expects --data DIR, the pairs that the results are of")
    if arguments.markdown:
        arguments.markdown.check()
    entries = list(_entries(arguments.variants, arguments.weights))

    from kind.cli.compared_costs import Costs, open_costs
    from kind.enhancing.enhancer import Enhancer
    from kind.evaluation.methods import Network
    from kind.reports.comparison import Comparison
    from kind.training.sessions import device_name

    networks = [
        Network(Enhancer.load(entry.folder, arguments.precision, entry.variant), name=entry.name)
        for entry in entries
    ]
    kept = open_costs(arguments.out, fresh=arguments.fresh)
    device = device_name()
    costs = Costs(arguments.sizes, kept, arguments.rounds, device, with_memory=not arguments.no_memory)
    lines = []
    for entry, network in zip(entries, networks):
        print(f"kind: measuring {entry.name}", file=sys.stderr, flush=True)
        lines.append(costs.of_enhancer(entry.name, network.enhancer, entry.folder))
    facts = [_fact(network) for network in networks]
    scored = _Scored(arguments, networks)
    lines = scored.added_to(lines)
    if arguments.detect:
        lines += _chains(costs, entries, networks)
    sizes = [f"{height}x{width}" for height, width in arguments.sizes]
    comparison = Comparison(device, [*facts, *scored.facts], scored.notes, sizes, lines)
    _write(arguments, comparison)
    return 1 if scored.failed else 0


def _entries(variants: Sequence[str] | None, weights: Sequence[NamedPath]) -> Iterator[_Entry]:
    """Every enhancer to compare; names are told apart."""
    in_folders = {folder: variants_in(folder.path) for folder in weights}
    for folder, found in in_folders.items():
        if not found:
            raise UserError(f"{folder.path}: holds no networks of {', '.join(VARIANTS)}")
    of_folders = {name for found in in_folders.values() for name in found}
    for name in variants or shipped_variants():
        if name in shipped_variants() or name not in of_folders:
            yield _Entry(name, None, name)  # one that does not ship is refused with what trains it
    for folder, found in in_folders.items():
        chosen = [name for name in found if not variants or name in variants]
        for name in chosen:
            yield _Entry(folder.name if len(found) == 1 else f"{folder.name}, {name}", folder.path, name)


def _fact(network: Network) -> tuple[str, str]:
    from kind.evaluation.scoring import DIGITS

    digests = ", ".join(f"{stage} {digest[:DIGITS]}" for stage, digest in network.digests.items())
    return network.name, f"{digests}; {network.enhancer.precision}; α = {network.enhancer.own_alpha} (raw)"


class _Scored:
    """The scores of all methods on pairs and on photographs."""

    def __init__(self, arguments: argparse.Namespace, networks: Sequence[Network]) -> None:
        from kind.evaluation.run import kept_figures

        self.facts: list[tuple[str, str]] = []
        self.notes: list[str] = []
        self.failed = False
        self._rows: dict[str, list[SummaryRow]] = {}
        self._results = kept_figures(arguments.out / "results.jsonl", fresh=arguments.fresh)
        metrics = _metrics(arguments)
        if arguments.data:
            self._score_pairs(arguments, networks, metrics)
        if arguments.photos:
            from kind.cli.evaluate_images import photographs

            images = photographs(arguments.photos)
            self._score("photographs", images.samples, networks, metrics, with_target=False)
            self.facts += images.facts

    def added_to(self, lines: Sequence[Line]) -> list[Line]:
        """The lines with their scores, and lines of methods that have no cost."""
        from kind.reports.comparison import Line, Score

        by_name = {line.name: line for line in lines}
        for images, rows in self._rows.items():
            wanted = _FIGURES if images == "pairs" else _OF_PHOTOS
            for row in rows:
                line = by_name.setdefault(row.method, Line(row.method, None, {}, {}))
                for figure in wanted:
                    if figure in row.figures:
                        found = row.figures[figure]
                        score = Score(found.mean, found.interval, found.images)
                        line.scores[images, row.protocol, figure] = score
        return list(by_name.values())

    def _score_pairs(self, arguments, networks: Sequence[Network], metrics: Metrics) -> None:
        from kind.cli.evaluate_images import pairs
        from kind.evaluation.methods import Folder

        files = {
            f"{entry.name}: {stage}": path
            for entry, network in zip(_entries(arguments.variants, arguments.weights), networks)
            for stage, path in files_of(network.enhancer, entry.folder).items()
        }
        images = pairs(arguments.data, arguments.split, None, files)
        folders = [Folder(folder, images.samples, name) for name, folder in arguments.pred]
        self.facts += images.facts
        self.notes += images.notes
        self._score("pairs", images.samples, [*networks, *folders], metrics, with_target=True)

    def _score(
        self,
        images: str,
        samples: Sequence[Sample],
        methods: Sequence[Method],
        metrics: Metrics,
        *,
        with_target: bool,
    ) -> None:
        from kind.evaluation.run import evaluate
        from kind.evaluation.summary import summarise

        names = [method.name for method in methods]
        if twice := {name for name in names if names.count(name) > 1}:
            raise UserError(f"two lines are called {min(twice)!r}; tell them apart with NAME=DIR")
        rows, failures = evaluate(samples, methods, metrics, self._results)
        for failure in failures:
            print(f"kind: left out: {failure.reason}", file=sys.stderr)
        if not rows:
            raise UserError(f"none of {len(samples)} images could be scored")
        self.failed = self.failed or bool(failures)
        shown = _FIGURES if with_target else _OF_PHOTOS
        facts = metrics.facts(with_target=with_target, shown=shown)
        self.facts += [(f"{name} ({images})", text) for name, text in facts]
        self._rows[images] = summarise(rows, metrics.columns(with_target=with_target))


def _metrics(arguments: argparse.Namespace) -> Metrics:
    from kind.evaluation.scoring import Metrics
    from kind.metrics.lpips import Lpips
    from kind.metrics.niqe_model import load_niqe_model

    return Metrics(
        load_niqe_model(arguments.niqe_model) if arguments.niqe_model else None,
        Lpips(arguments.lpips_weights) if arguments.lpips_weights else None,
    )


def _chains(costs: Costs, entries: Sequence[_Entry], networks: Sequence[Network]) -> list[Line]:
    from kind.detection.predictor import load_detector

    detector = load_detector()
    lines = [costs.of_chain("detector", None, None, detector)]
    for entry, network in zip(entries, networks):
        name = f"{entry.name} + detector"
        lines.append(costs.of_chain(name, network.enhancer, entry.folder, detector))
    return lines


def _write(arguments: argparse.Namespace, comparison: Comparison) -> None:
    from kind.reports import comparison as reports
    from kind.reports.table import markdown_list, markdown_table, text_table
    from kind.reports.writing import write_csv, write_json, write_text

    tables = [reports.cost_table(comparison)]
    if comparison.figures:
        tables.append(reports.score_table(comparison))
    facts = [("Device", comparison.device), *comparison.facts, *(("Note", note) for note in comparison.notes)]
    text = "\n\n".join([markdown_list(facts), *map(markdown_table, tables)])
    names = ["comparison.md", "comparison.csv", "comparison.json"]
    write_text(arguments.out / names[0], f"{text}\n")
    write_csv(arguments.out / names[1], *reports.as_csv(comparison))
    write_json(arguments.out / names[2], reports.as_records(comparison))
    for key in (("pairs", "GT-mean", "psnr"), ("photographs", "raw", "loe")):
        plot = arguments.out / f"{key[0]}.png"
        if reports.draw_scatter(comparison, comparison.sizes[0], key, plot, arguments.out.resolve().name):
            names.append(plot.name)
    if arguments.markdown:
        arguments.markdown.write(text)
    print(*map(text_table, tables), sep="\n\n")
    print(f"written: {', '.join(str(arguments.out / name) for name in names)}")
