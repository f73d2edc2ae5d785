"""Scores detectors on annotated photographs, on several kinds of input."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.annotation_options import add_layout_arguments, annotations_of
from kind.cli.detector_options import add_threshold_arguments, add_view_arguments, thresholds_of
from kind.cli.enhancer_options import add_enhancer_arguments, load_enhancer
from kind.cli.json_lines import emit
from kind.cli.markdown_option import add_table_arguments, write_tables
from kind.cli.named_path import NamedPath
from kind.cli.options import add_alpha_argument, add_seed_argument, add_validation_every_argument
from kind.cli.scored_detectors import scored_detectors
from kind.constants import CONFIDENCE, DARKENING_PRESETS, MAX_DETECTIONS, SCORED_CONFIDENCE
from kind.detection.inputs import INPUTS, needs_enhancer
from kind.errors import UserError

if TYPE_CHECKING:
    from kind.data.annotations.annotated import Annotations
    from kind.detection.evaluation.search import Darkening, Inputs, Method, Sample, Search
    from kind.detection.predictor import Thresholds
    from kind.evaluation.held_out import HeldOut


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    _add_images(parser)
    _add_detectors(parser)
    _add_inputs(parser)
    add_threshold_arguments(parser, confidence=SCORED_CONFIDENCE, max_detections=MAX_DETECTIONS)
    add_view_arguments(parser)
    _add_output(parser)


def _add_images(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with images/ and labels/ in YOLO's format, unless another format is given",
    )
    add_layout_arguments(parser)
    parser.add_argument(
        "--split",
        choices=("all", "training", "validation"),
        default="all",
        help="part of the images: validation are those that training on the folder holds out, training the "
        "others (default: all)",
    )
    add_validation_every_argument(parser, "image", "what the detectors' runs record, otherwise 4")
    parser.add_argument(
        "--darken", choices=DARKENING_PRESETS, help="darken the photographs first, as `kind darken` does"
    )
    add_seed_argument(parser, "--darken takes (SEED, i) for image number i")


def _add_detectors(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--detector",
        type=NamedPath.parse,
        action="append",
        metavar="[NAME=]FILE",
        help=".keras file or run folder, repeatable (default: the detector that ships)",
    )
    parser.add_argument(
        "--found",
        type=NamedPath.parse,
        action="append",
        metavar="[NAME=]FILE",
        help="score the boxes of another program as they are, repeatable: COCO's results (.json), a table "
        "(.csv) with image, class, score, left, top, right, bottom, or a folder with a text file for each",
    )


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--inputs",
        type=_inputs,
        default=["raw", "stretched", "relit", "reflectance"],
        metavar="KINDS",
        help="kinds of input of the detectors, in the order of the table; differences are to the first "
        "(default: raw,stretched,relit,reflectance)",
    )
    add_enhancer_arguments(parser, precision="float32")
    add_alpha_argument(parser, "brightening of the input relit")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--drawn-confidence",
        type=float,
        default=CONFIDENCE,
        metavar="SCORE",
        help="confidence threshold of the pictures and of the figures image by image (default: %(default)s)",
    )
    parser.add_argument(
        "--old-classes",
        nargs="+",
        default=[],
        metavar="NAME",
        help="classes learned earlier (class-incremental training): the report also has the means over these "
        "and over the other classes",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    add_table_arguments(parser, "detection")
    parser.add_argument(
        "--fresh", action="store_true", help="do not use predictions that an earlier run left in --out"
    )


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
    if flags.markdown:
        flags.markdown.check()

    from kind.detection.evaluation.facts import data_facts, definitions
    from kind.detection.evaluation.report import (
        IMAGE_COLUMNS,
        lines_by_image,
        markdown_report,
        text_report,
        write_all,
    )
    from kind.detection.evaluation.summary import summarise
    from kind.detection.evaluation.tables import figures_lines, figures_table

    data = annotations_of(flags)
    _check_old_classes(flags.old_classes, data)
    inputs = _make_inputs(flags)
    held_out = _held_out(flags, data)
    methods, facts = scored_detectors(
        flags.detector or [], flags.found or [], inputs=flags.inputs, data=data, thresholds=thresholds
    )
    found = _searched(flags, _samples(flags.split, data, held_out.every), methods, inputs)
    notes = [] if flags.split == "all" else [*held_out.notes]
    notes += [f"annotations: {problem.replace(f'{flags.data}/', '')}" for problem in data.problems]
    counted = _counted(flags)
    if not any(sample.image.counted.any() for sample in found.samples) and data.found:
        notes.append(f"no object counts; found {data.found}")
    about = (flags.data.resolve().name, flags.split, held_out.fact, data)
    evaluation = summarise(
        found,
        methods,
        data.class_names,
        facts=[
            *data_facts(*about, found, _darkening(flags)),
            *facts,
            *definitions(flags.inputs, inputs, flags.alpha, thresholds, counted),
        ],
        notes=notes,
        counted=counted,
        confidence=flags.drawn_confidence,
        old_classes=flags.old_classes,
    )
    files = write_all(flags.out, evaluation, inputs)
    if flags.markdown:
        flags.markdown.write(markdown_report(evaluation))
    files += write_tables(flags, figures_table(evaluation.lines), *figures_lines(evaluation.lines))
    for line in lines_by_image(evaluation):
        emit(dict(zip(IMAGE_COLUMNS, line)))
    print(text_report(evaluation))
    print(f"\nwritten: {', '.join(map(str, files))}")
    return 1 if found.left_out else 0


def _checked(flags: argparse.Namespace) -> Thresholds:
    """The thresholds, when all numbers are in range."""
    thresholds = thresholds_of(flags)
    if not thresholds.confidence <= flags.drawn_confidence <= 1:
        raise UserError(
            f"--drawn-confidence expects a number from --confidence to 1, received {flags.drawn_confidence}"
        )
    return thresholds


def _check_old_classes(names: list[str], data: Annotations) -> None:
    if unknown := [name for name in names if name not in data.class_names]:
        raise UserError(f"--old-classes: the data set has no class {unknown[0]!r}")


def _held_out(flags: argparse.Namespace, data: Annotations) -> HeldOut:
    """Which images the detectors were not trained on."""
    from kind.data.annotations.layouts import VALIDATION_EVERY
    from kind.detection.predictor import SHIPPED_DETECTOR
    from kind.evaluation.held_out import HeldOut, held_out_images

    if data.validation is not None:
        notes = ["the data set says which images are held out; --validation-every is not used"]
        rule = "the images that the data set itself names"
        return HeldOut(VALIDATION_EVERY, 1, rule, rule, notes[: bool(flags.validation_every)])
    shipped = [] if flags.found else [NamedPath("shipped detector", SHIPPED_DETECTOR)]
    detectors = flags.detector or shipped
    networks = {name: path / "best.keras" if path.is_dir() else path for name, path in detectors}
    return held_out_images(networks, VALIDATION_EVERY, flags.validation_every, unit="image")


def _searched(
    flags: argparse.Namespace, samples: list[Sample], methods: list[Method], inputs: Inputs
) -> Search:
    from kind.detection.evaluation.search import kept_predictions, search

    results = kept_predictions(flags.out / "results.jsonl", fresh=flags.fresh)
    found = search(samples, methods, inputs, results)
    for entry in found.left_out:
        print(f"{flags.program}: left out: {entry.reason}", file=sys.stderr)
        emit({"error": entry.reason})
    if not found.samples:
        raise UserError(f"none of {len(samples)} images could be searched")
    return found


def _samples(split: str, data: Annotations, validation_every: int) -> list[Sample]:
    from kind.data.annotations.layouts import split as split_images
    from kind.detection.evaluation.search import Sample
    from kind.reports.names import distinct_paths

    names = distinct_paths([image.path for image in data.images])
    samples = [Sample(name, image, index) for index, (name, image) in enumerate(zip(names, data.images))]
    if split == "all":
        return samples
    chosen = split_images(data, validation_every)[split == "validation"]
    kept = {image.path for image in chosen}
    return [sample for sample in samples if sample.image.path in kept]


def _make_inputs(flags: argparse.Namespace) -> Inputs:
    from kind.detection.evaluation.search import Inputs

    needed = any(map(needs_enhancer, flags.inputs)) and (flags.detector or not flags.found)
    return Inputs(load_enhancer(flags) if needed else None, flags.alpha, _darkening(flags))


def _darkening(flags: argparse.Namespace) -> Darkening | None:
    from kind.detection.evaluation.search import Darkening

    return Darkening(flags.darken, flags.seed) if flags.darken else None


def _counted(flags: argparse.Namespace) -> int:
    """Boxes of an image and class that count: COCO's 100, or as many as the user allows an image."""
    from kind.detection.evaluation.figures import COUNTED

    return COUNTED if flags.max_detections == MAX_DETECTIONS else flags.max_detections
