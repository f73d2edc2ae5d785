"""Scores enhanced images and detectors: python evaluate.py {enhance|fit-niqe|detect} ….

Several protocols, one table: what each of them knows of the target is written above it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli import evaluate_detect
from kind.cli.relighting import LARGEST_ALPHA
from kind.enhancing.precision import PRECISIONS
from kind.enhancing.variants import DEFAULT_VARIANT, VARIANTS
from kind.errors import UserError

if TYPE_CHECKING:
    from kind.evaluation.methods import Method, Sample
    from kind.evaluation.report import Evaluation
    from kind.evaluation.scoring import Metrics

_MARKER = "evaluation"


def main(arguments: list[str] | None = None) -> int:
    """Runs the command.

    Args:
        arguments: the command line after the program's name; None takes the process's own.

    Returns:
        The exit code: 0; 1 when some images could not be scored and the rest was; 2 when something must be
        mended by the user first; 130 when interrupted.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without ↑ must not cost the table
    flags = make_parser().parse_args(arguments)
    try:
        return {"enhance": _enhance, "fit-niqe": _fit_niqe, "detect": evaluate_detect.run}[flags.command](
            flags
        )
    except UserError as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # reading is checked where it happens: this is a full disk or a read-only place
        place = error.filename2 or error.filename or flags.out
        print(f"evaluate.py: {place}: cannot be written: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("evaluate.py: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; it imports nothing heavy."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    text = "score enhancement on pairs (--data) or on photographs without targets (--photos)"
    _add_enhance(commands.add_parser("enhance", help=text, description=text, allow_abbrev=False))
    text = "fit NIQE's pristine model to a folder of clean photographs"
    fit = commands.add_parser("fit-niqe", help=text, description=text, allow_abbrev=False)
    fit.add_argument(
        "photos", type=Path, nargs="+", metavar="DIR", help="clean photographs or folders of them"
    )
    fit.add_argument("--out", type=Path, required=True, metavar="FILE", help="ends in .npz")
    fit.add_argument("--name", help="what reports call the model (default: the folder's name)")
    text = "score detectors on annotated photographs, on several kinds of input"
    evaluate_detect.add_arguments(
        commands.add_parser("detect", help=text, description=text, allow_abbrev=False)
    )
    return parser


def _add_enhance(enhance: argparse.ArgumentParser) -> None:
    source = enhance.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--data", type=Path, metavar="DIR", help="folder with low/ and high/, or LOL's our485/ and eval15/"
    )
    source.add_argument(
        "--photos", type=Path, nargs="+", metavar="INPUT", help="photographs or folders of them"
    )
    enhance.add_argument(
        "--split",
        choices=("validation", "training", "test", "all"),
        help="part of --data: validation is every tenth pair by name of what train_stage.py is given, "
        "training the others, test is eval15/ (default: test where there is eval15/, otherwise all)",
    )
    enhance.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    enhance.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="[NAME=]DIR",
        help="folder of weights, repeatable (default: the weights that ship, unless --pred is given)",
    )
    enhance.add_argument(
        "--pred",
        action="append",
        default=[],
        metavar="[NAME=]DIR",
        help="folder of images that another program made, of the dark images' stems; repeatable",
    )
    enhance.add_argument("--baselines", action="store_true", help="score input, gamma and CLAHE too")
    enhance.add_argument(
        "--variant",
        choices=VARIANTS,
        action="append",
        help=f"which networks, repeatable (default: {DEFAULT_VARIANT})",
    )
    enhance.add_argument(
        "--alpha", type=_alpha, help="brightening of the raw protocol (default: 5.0; lite: what it suggests)"
    )
    enhance.add_argument("--fusion", choices=("plain", "published"), default="plain")
    enhance.add_argument(
        "--precision", choices=PRECISIONS, default="float32", help="of the networks (default: float32)"
    )
    enhance.add_argument("--niqe-model", type=Path, metavar="FILE", help="pristine model, .mat or .npz")
    enhance.add_argument("--lpips-weights", type=Path, metavar="FILE", help=".npz, see docs/evaluation.md")
    enhance.add_argument(
        "--markdown",
        metavar="FILE[#NAME]",
        help=f"write the table into a document, between <!-- NAME begin --> and <!-- NAME end --> "
        f"(default NAME: {_MARKER})",
    )
    enhance.add_argument("--fresh", action="store_true", help="forget figures kept in --out")


def _alpha(text: str) -> float:
    """A brightening factor: finite, 0 or more."""
    with contextlib.suppress(ValueError):
        if 0 <= (alpha := float(text)) <= LARGEST_ALPHA:
            return alpha
    raise argparse.ArgumentTypeError(f"expects a number from 0 on, received {text!r}")


def _enhance(flags: argparse.Namespace) -> int:
    samples, data_facts, notes = _pairs(flags) if flags.data else _photographs(flags)
    document, _, marker = (flags.markdown or "").partition("#")

    from kind.evaluation.report import Evaluation, write_all
    from kind.evaluation.run import evaluate
    from kind.evaluation.summary import summarise
    from kind.reports.results import Results
    from kind.reports.table import check_markers, markdown_table, write_between_markers

    if document:
        check_markers(Path(document), marker or _MARKER)
    metrics = _metrics(flags)
    methods, method_facts = _methods(flags, samples)
    results = Results(flags.out / "results.jsonl", flags.fresh)
    rows, failures = evaluate(samples, methods, metrics, results)
    for failure in failures:
        print(f"evaluate.py: left out: {failure.reason}", file=sys.stderr)
    if not rows:
        raise UserError(f"none of {len(samples)} images could be scored")
    columns = metrics.columns(with_target=flags.data is not None)
    facts = [*data_facts, *method_facts, *metrics.facts(with_target=flags.data is not None)]
    evaluation = Evaluation(facts, notes, columns, summarise(rows, columns), rows, failures)
    write_all(flags.out, evaluation, methods, samples)
    if document:
        write_between_markers(Path(document), marker or _MARKER, markdown_table(evaluation))
    _print(evaluation, flags.out)
    return 1 if failures else 0


def _print(evaluation: Evaluation, out: Path) -> None:
    from kind.reports.table import text_table

    for name, value in evaluation.facts:
        print(f"{name}: {value}")
    for note in evaluation.all_notes:
        print(f"NOTE: {note}")
    print(f"\n{text_table(evaluation.summary)}\n")
    print("95 %: bootstrap interval of the mean over images")
    print(
        f"written: {', '.join(str(out / name) for name in ('report.html', 'per_image.csv', 'summary.json'))}"
    )


def _pairs(flags: argparse.Namespace) -> tuple[list[Sample], list[tuple[str, str]], list[str]]:
    """The pairs of the split, what the header says of them, and a warning when they were trained on."""
    from kind.data.splits import choose_split, display_names
    from kind.evaluation.methods import Sample
    from kind.metrics.protocols import DEFINITIONS

    split = choose_split(flags.data, flags.split)
    count = len(split.pairs)
    names = display_names(split.pairs)
    samples = [Sample(name, pair.low, pair.high) for name, pair in zip(names, split.pairs)]
    of = "" if count == split.total else f" of {split.total}"
    facts = [("Data", f"{flags.data.resolve().name}, split {split.name}: {count}{of} pairs")]
    facts += [(f"Protocol {name}", definition) for name, definition in DEFINITIONS.items()]
    notes = []
    if split.trained:
        notes.append(
            f"{split.trained} of these {count} pairs are training pairs: train_stage.py, given this folder, "
            "trains on all but every tenth. For weights that were trained on them these are not figures on "
            "unseen images; --split validation leaves them out."
        )
    return samples, facts, notes


def _photographs(flags: argparse.Namespace) -> tuple[list[Sample], list[tuple[str, str]], list[str]]:
    """Photographs without targets, and what the header says of them."""
    from kind.evaluation.methods import Sample
    from kind.images.photo import find_photos

    if flags.split:
        raise UserError("--split is a part of --data; photographs without targets have no splits")
    paths = list(dict.fromkeys(find_photos(flags.photos)))
    names = [path.name for path in paths]
    names = [str(path) if names.count(path.name) > 1 else path.name for path in paths]
    samples = [Sample(name, path) for name, path in zip(names, paths)]
    inputs = ", ".join(path.resolve().name for path in flags.photos)
    return samples, [("Data", f"{inputs}: {len(samples)} photographs without targets")], []


def _metrics(flags: argparse.Namespace) -> Metrics:
    from kind.evaluation.scoring import Metrics
    from kind.metrics.lpips import Lpips
    from kind.metrics.niqe_model import load_niqe_model

    model = load_niqe_model(flags.niqe_model) if flags.niqe_model else None
    lpips = Lpips(flags.lpips_weights) if flags.lpips_weights else None
    return Metrics(model, lpips)


def _methods(
    flags: argparse.Namespace, samples: Sequence[Sample]
) -> tuple[list[Method], list[tuple[str, str]]]:
    """What is scored, in the order of the table, and what the header says of it."""
    from kind.evaluation.baselines import CLAHE_CLIP, GAMMA, all_baselines
    from kind.evaluation.methods import Folder, Network

    methods: list[Method] = []
    facts = []
    if not flags.pred or flags.weights or flags.variant:
        methods += _networks(flags, facts)
    for value in flags.pred:
        name, folder = _named(value)
        methods.append(Folder(folder, samples, name))
        facts.append((methods[-1].name, "images made by another program; GT-ratio does not apply"))
    if flags.baselines:
        methods += all_baselines()
        facts.append(("Baselines", f"input; x^(1/{GAMMA}); CLAHE of HSV's value, clip limit {CLAHE_CLIP}"))
    names = [method.name for method in methods]
    if not any(isinstance(method, Network) for method in methods):
        if flags.alpha is not None or flags.fusion != "plain":
            raise UserError("--alpha and --fusion are settings of the networks; no --weights are scored here")
    if twice := {name for name in names if names.count(name) > 1}:
        raise UserError(f"two methods are called {twice.pop()!r}; tell them apart with NAME=DIR")
    return methods, facts


def _networks(flags: argparse.Namespace, facts: list[tuple[str, str]]) -> list[Method]:
    from kind.enhancing.enhancer import Enhancer
    from kind.evaluation.methods import Network
    from kind.evaluation.scoring import DIGITS
    from kind.nn.saving import SHIPPED_WEIGHTS, find_weights

    methods = []
    variants = dict.fromkeys(flags.variant or [DEFAULT_VARIANT])
    for value, variant in itertools.product(flags.weights or [None], variants):
        name, folder = _named(value) if value else ("shipped weights", None)
        name = name or folder.resolve().name
        if variant != DEFAULT_VARIANT:
            name = f"{name}, {variant}"
        enhancer = Enhancer.load(folder, flags.precision, variant)
        files = find_weights(enhancer.originals, folder)
        network = Network(enhancer, flags.alpha, flags.fusion, name)
        digests = [
            f"{stage} {digest[:DIGITS]}{' (ships)' if files[stage].parent == SHIPPED_WEIGHTS else ''}"
            for stage, digest in network.digests.items()
        ]
        precision = "" if enhancer.precision == "float32" else f", {enhancer.precision}"
        alpha = enhancer.own_alpha if flags.alpha is None else f"{flags.alpha:g}"
        settings = f"α = {alpha} (raw, GT-mean), fusion {flags.fusion}{precision}"
        facts.append((network.name, f"{', '.join(digests)}; {settings}"))
        methods.append(network)
    return methods


def _named(value: str) -> tuple[str | None, Path]:
    """NAME=DIR or DIR; a folder whose own name holds = is taken as it is."""
    name, separator, folder = value.partition("=")
    return (name, Path(folder)) if separator and name and not Path(value).is_dir() else (None, Path(value))


def _fit_niqe(flags: argparse.Namespace) -> int:
    from kind.evaluation.niqe_fitting import fit_to_photographs
    from kind.evaluation.scoring import DIGITS
    from kind.images.photo import find_photos
    from kind.metrics.niqe_model import save_niqe_model

    if flags.out.suffix != ".npz":
        raise UserError(f"{flags.out}: a NIQE model is written as .npz")
    source = flags.name or ", ".join(path.resolve().name for path in flags.photos)
    model, left_out = fit_to_photographs(find_photos(flags.photos), source)
    save_niqe_model(flags.out, model)
    for reason in left_out:
        print(f"evaluate.py: left out: {reason}", file=sys.stderr)
    print(f"{flags.out}: NIQE model of {model.name}, digest {model.digest[:DIGITS]}")
    return 1 if left_out else 0


if __name__ == "__main__":
    sys.exit(main())
