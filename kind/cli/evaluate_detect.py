"""Scores detectors on annotated photographs, on several kinds of input: `python evaluate.py detect`."""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.detect import add_threshold_arguments, thresholds_of
from kind.cli.relighting import add_alpha_argument, add_weights_argument, check_alpha, load_enhancer
from kind.data.annotations.flags import add_layout_arguments, read_annotations
from kind.detection.inputs import INPUTS, needs_enhancer
from kind.errors import UserError

if TYPE_CHECKING:
    from kind.data.annotations.annotated import Annotations
    from kind.detection.evaluation.search import Inputs, Method, Sample, Search
    from kind.detection.predictor import Thresholds

_MARKER = "detection"
_PRESETS = ("dusk", "moderate", "published")
_LARGEST_SEED = 2**31 - 1
_CONFIDENCE, _MAX_DETECTIONS = 0.001, 300
_DIGITS = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with images/ and labels/ in YOLO's form, unless another form is given",
    )
    add_layout_arguments(parser)
    parser.add_argument(
        "--split",
        choices=("all", "training", "validation"),
        default="all",
        help="part of the images: validation is every fourth by name, training the others (default: all)",
    )
    parser.add_argument(
        "--darken", choices=_PRESETS, help="make the photographs dark first, as `kind darken` does"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="image number i is darkened with (SEED, i) (default: 0)"
    )
    parser.add_argument(
        "--detector",
        action="append",
        metavar="[NAME=]FILE",
        help=".keras file or run folder, repeatable (default: the detector that ships)",
    )
    parser.add_argument(
        "--found",
        action="append",
        metavar="[NAME=]FILE",
        help="score the boxes of another program as they are, repeatable: COCO's results (.json), a table "
        "(.csv) with image, class, score, left, top, right, bottom, or a folder with a text file for each",
    )
    parser.add_argument(
        "--inputs",
        type=_inputs,
        default=["raw", "stretched", "relit", "reflectance"],
        metavar="KINDS",
        help="what the detectors see, in the order of the table; differences are to the first "
        "(default: raw,stretched,relit,reflectance)",
    )
    add_weights_argument(parser, precision="float32")
    add_alpha_argument(parser, "of relit: how much brighter")
    add_threshold_arguments(parser, confidence=_CONFIDENCE, max_detections=_MAX_DETECTIONS)
    parser.add_argument(
        "--drawn-confidence",
        type=float,
        default=0.25,
        metavar="SCORE",
        help="of the pictures and of the figures image by image (default: 0.25)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--markdown",
        metavar="FILE[#NAME]",
        help=f"write the tables into a document, between <!-- NAME begin --> and <!-- NAME end --> "
        f"(default NAME: {_MARKER})",
    )
    parser.add_argument("--fresh", action="store_true", help="forget predictions kept in --out")


def _inputs(text: str) -> list[str]:
    """Kinds of input, separated by commas, each once."""
    kinds = text.split(",")
    if set(kinds) <= set(INPUTS) and len(set(kinds)) == len(kinds):
        return kinds
    raise argparse.ArgumentTypeError(f"expects some of {','.join(INPUTS)}, received {text!r}")


def run(flags: argparse.Namespace) -> int:
    """Scores the detectors, writes the report and prints the tables.

    Returns:
        0, or 1 when some images had to be left out.

    Raises:
        UserError: when nothing can be done.
    """
    thresholds = _checked(flags)
    document, _, marker = (flags.markdown or "").partition("#")

    from kind.detection.evaluation.report import markdown_report, text_report, write_all
    from kind.detection.evaluation.summary import summarise
    from kind.reports.table import check_markers, write_between_markers

    if document:
        check_markers(Path(document), marker or _MARKER)
    data = read_annotations(flags)
    inputs = _make_inputs(flags)
    methods, facts = _methods(flags, data, thresholds)
    found = _searched(flags, data, methods, inputs)
    evaluation = summarise(
        found,
        methods,
        data.class_names,
        facts=[*_data_facts(flags, data, found), *facts, *_definitions(flags, thresholds, inputs)],
        notes=[f"annotations: {problem.replace(f'{flags.data}/', '')}" for problem in data.problems],
        counted=_counted(flags),
        confidence=flags.drawn_confidence,
    )
    files = write_all(flags.out, evaluation, inputs)
    if document:
        write_between_markers(Path(document), marker or _MARKER, markdown_report(evaluation))
    print(text_report(evaluation))
    print(f"\nwritten: {', '.join(map(str, files))}")
    return 1 if found.left_out else 0


def _checked(flags: argparse.Namespace) -> Thresholds:
    """The thresholds, when all numbers are in range."""
    check_alpha(flags.alpha)
    if not 0 <= flags.seed <= _LARGEST_SEED:
        raise UserError(f"--seed expects a number from 0 to {_LARGEST_SEED}, received {flags.seed}")
    thresholds = thresholds_of(flags)
    if not thresholds.confidence <= flags.drawn_confidence <= 1:
        raise UserError(
            f"--drawn-confidence expects a number from --confidence to 1, received {flags.drawn_confidence}"
        )
    return thresholds


def _searched(flags: argparse.Namespace, data: Annotations, methods: list[Method], inputs: Inputs) -> Search:
    from kind.detection.evaluation.search import parsed_predictions, search
    from kind.reports.results import Results

    samples = _samples(flags, data)
    results = Results(flags.out / "results.jsonl", flags.fresh, field="found", parse=parsed_predictions)
    found = search(samples, methods, inputs, results)
    for entry in found.left_out:
        print(f"evaluate.py: left out: {entry.reason}", file=sys.stderr)
    if not found.samples:
        raise UserError(f"none of {len(samples)} images could be searched")
    return found


def _samples(flags: argparse.Namespace, data: Annotations) -> list[Sample]:
    from kind.data.annotations.layouts import split_images
    from kind.detection.evaluation.search import Sample, display_names

    names = display_names([image.path for image in data.images])
    samples = [Sample(name, image, index) for index, (name, image) in enumerate(zip(names, data.images))]
    if flags.split == "all":
        return samples
    chosen = split_images(data.images)[flags.split == "validation"]
    kept = {image.path for image in chosen}
    return [sample for sample in samples if sample.image.path in kept]


def _make_inputs(flags: argparse.Namespace) -> Inputs:
    from kind.detection.evaluation.search import Darkening, Inputs

    needed = any(map(needs_enhancer, flags.inputs)) and (flags.detector or not flags.found)
    darkening = Darkening(flags.darken, flags.seed) if flags.darken else None
    return Inputs(load_enhancer(flags) if needed else None, flags.alpha, darkening)


def _methods(
    flags: argparse.Namespace, data: Annotations, thresholds: Thresholds
) -> tuple[list[Method], list[tuple[str, str]]]:
    """Every detector on every input, and what the header says of the detectors."""
    from kind.detection.evaluation.class_matching import match_classes
    from kind.detection.evaluation.search import Method
    from kind.detection.predictor import Predictor, load_detector
    from kind.nn.saving import weights_digest

    methods, facts = [], []
    for value in flags.detector or ([] if flags.found else [None]):
        name, file = _named(value) if value else ("shipped detector", None)
        net = load_detector(file)
        digest = weights_digest(net)
        classes = match_classes(net.class_names, data.class_names, name)
        own = thresholds.of(net)
        find, identity = Predictor(net, own), f"{digest} {net.class_names} {own}"
        methods += [Method(name, kind, find, classes, identity) for kind in flags.inputs]
        unknown = f"; does not know {', '.join(classes.unknown)}" if classes.unknown else ""
        facts.append(
            (
                name,
                f"{len(net.class_names)} classes, longer side {own.size}, digest {digest[:_DIGITS]}{unknown}",
            )
        )
    for value in flags.found or []:
        method, fact = _recorded(value, data)
        methods.append(method)
        facts.append(fact)
    names = [method.name for method in methods]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UserError(f"two detectors are called {min(twice).rsplit(',')[0]!r}; tell them apart: NAME=FILE")
    return methods, facts


def _recorded(value: str, data: Annotations) -> tuple[Method, tuple[str, str]]:
    """Boxes that another program found, as a method, and what the header says of them."""
    from kind.detection.evaluation.class_matching import match_classes
    from kind.detection.evaluation.found_files import read_found
    from kind.detection.evaluation.search import RECORDED, Method

    name, file = _named(value)
    boxes = read_found(file, data.images, data.class_names)
    classes = match_classes(boxes.class_names, data.class_names, name)
    # Boxes, not the file: what is kept of an earlier run must be that of the same boxes.
    digest = hashlib.sha256(repr(boxes.class_names).encode())
    for image, found in sorted(boxes.by_image.items()):
        digest.update(str(image).encode())
        for values in found:
            digest.update(values.tobytes())
    digest = digest.hexdigest()
    count = sum(len(found.scores) for found in boxes.by_image.values())
    fact = f"{count} boxes in {len(boxes.by_image)} images, from {file.name}, digest {digest[:_DIGITS]}"
    return Method(name, RECORDED, None, classes, digest, boxes.by_image), (name, fact)


def _named(value: str) -> tuple[str, Path]:
    """NAME=FILE or FILE, whose name is its stem, or that of its run folder."""
    name, separator, file = value.partition("=")
    if separator and name and not Path(value).exists():
        return name, Path(file)
    path = Path(value)
    return path.resolve().name if path.is_dir() else path.stem, path


def _data_facts(flags: argparse.Namespace, data: Annotations, found: Search) -> list[tuple[str, str]]:
    images, objects = len(found.samples), sum(len(entry.classes) for entry in found.objects)
    split = f", split {flags.split}" if flags.split != "all" else ""
    facts = [
        (
            "Data",
            f"{flags.data.resolve().name}{split}: {images} of {len(data.images)} images, {objects} objects, "
            f"{len(data.class_names)} classes",
        )
    ]
    if flags.darken:
        facts.append(("Made dark", f"preset {flags.darken}, seed {flags.seed}, in 8 bits"))
    return facts


def _definitions(flags: argparse.Namespace, thresholds: Thresholds, inputs: Inputs) -> list[tuple[str, str]]:
    facts = [("Inputs", "; ".join(f"{kind}: {INPUTS[kind]}" for kind in flags.inputs))]
    if inputs.digests:
        digests = ", ".join(f"{stage} {digest[:_DIGITS]}" for stage, digest in inputs.digests.items())
        alpha = inputs.own_alpha if flags.alpha is None else f"{flags.alpha:g}"
        relit = f"; α = {alpha} (relit)" if "relit" in flags.inputs else ""
        facts.append(("Networks", f"{digests}{relit}"))
    facts.append(
        (
            "Boxes",
            f"scores over {thresholds.confidence:g}, suppressed by class at overlap {thresholds.iou:g}, "
            f"at most {thresholds.max_detections} an image",
        )
    )
    facts.append(
        (
            "Figures",
            f"COCO's average precision, {_counted(flags)} boxes an image and class; small, medium, large by "
            "the object's area, to 32² and 96² pixels of the photograph; VOC AP50: area under its curve",
        )
    )
    return facts


def _counted(flags: argparse.Namespace) -> int:
    """Boxes of an image and class that count: COCO's 100, or as many as the user allows an image."""
    from kind.detection.evaluation.figures import COUNTED

    return COUNTED if flags.max_detections == _MAX_DETECTIONS else flags.max_detections
