"""What should a detector see of a dark photograph? `python -m benchmarks.detection_inputs --help`.

One detector, as it is and fine-tuned for each input, on photographs and their dark twins: mAP50 with
bootstrap intervals over images, and paired differences to the dark photograph itself. A stopped run goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.fine_tuning import ARMS, Arm, fine_tune_all
from kind.constants import DARKENING_PRESETS, DEFAULT_ALPHA
from kind.errors import UserError

if TYPE_CHECKING:
    from kind.data.annotations.annotated import AnnotatedImage, Annotations
    from kind.detection.command import Parts
    from kind.detection.evaluation.figures import Line
    from kind.detection.evaluation.search import Inputs, Method, Sample
    from kind.detection.model import Detector
    from kind.detection.predictor import Predictor

MARKERS = "detection_inputs"
_LEAST_CONFIDENCE = 0.001


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the experiment.

    Args:
        arguments: the command line after the program's name; None takes the process's own.

    Returns:
        The exit code: 0; 2 when something must be mended by the user.
    """
    flags = _parser().parse_args(arguments)
    try:
        _run(flags)
    except UserError as error:
        print(f"detection_inputs: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection_inputs", description=__doc__)
    parser.add_argument(
        "--train", type=Path, required=True, help="folder with images/ and labels/ (YOLO text)"
    )
    parser.add_argument(
        "--test",
        type=Path,
        required=True,
        help="folder of the same layout; given the folder of --train, every fourth image is the test set",
    )
    parser.add_argument(
        "--test-dark", type=Path, help="folder of the same layout with images that are dark already"
    )
    parser.add_argument("--detector", type=Path, required=True, help="a .keras file, or a run folder")
    parser.add_argument(
        "--weights", type=Path, help="folder of the enhancer's weights (default: those that ship)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for runs, predictions and the table")
    parser.add_argument("--cache", type=Path, help="folder for prepared images (default: OUT/cache)")
    parser.add_argument("--document", type=Path, help=f"Markdown file to write between its {MARKERS} markers")
    names = [arm.name for arm in ARMS]
    parser.add_argument(
        "--arms", nargs="+", choices=names, default=names, help="what to compare with dark (default: all)"
    )
    parser.add_argument(
        "--darken", choices=DARKENING_PRESETS, default="moderate", help="default: %(default)s"
    )
    parser.add_argument(
        "--twins", type=int, default=3, help="darkened copies of each photograph (default: %(default)s)"
    )
    parser.add_argument("--size", type=int, default=320, help="the detector's input (%(default)s)")
    parser.add_argument("--epochs", type=int, default=12, help="epochs of fine-tuning (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=8, help="global batch size (default: %(default)s)")
    parser.add_argument("--learning-rate", type=float, default=5e-5, help="AdamW's (%(default)s)")
    parser.add_argument("--mosaic", type=float, default=0.0, help="probability of mosaics (%(default)s)")
    parser.add_argument("--freeze", nargs="*", default=[], help="layers that are not trained, such as *_bn")
    parser.add_argument("--freeze-epochs", type=int, default=0, help="with a still backbone (%(default)s)")
    parser.add_argument(
        "--alpha", type=float, default=DEFAULT_ALPHA, help="how much brighter relit is (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of twins, order and augmentation (%(default)s)")
    return parser


def _run(flags: argparse.Namespace) -> None:
    if flags.document:
        from kind.reports.document import Place

        Place(flags.document, MARKERS).check()

    import tensorflow as tf

    from kind.detection.command import Parts
    from kind.detection.predictor import load_detector
    from kind.enhancing.enhancer import Enhancer

    tf.config.experimental.enable_op_determinism()
    training, testing, class_names = _images(flags.train, flags.test)
    parts = Parts(class_names, load_detector(flags.detector), enhancer=Enhancer.load(flags.weights))
    arms = _arms(flags)
    trained = fine_tune_all(flags, arms, parts, training, testing)
    detectors = {"as it is": dict.fromkeys(trained, parts.detector), "fine-tuned": trained}
    tables = [_table(arms, _measured(flags, parts, testing, detectors, arms, flags.darken), testing)]
    if flags.test_dark:
        dark = list(_read(flags.test_dark).images)
        arms = [arm for arm in arms if arm.is_dark]
        tables.append(_table(arms, _measured(flags, parts, dark, detectors, arms, None), dark))
    content = "\n\n".join([_settings(flags, training), *tables])
    (flags.out / "table.md").write_text(content + "\n", encoding="utf-8")
    print(content)
    if flags.document:
        from kind.reports.document import Place

        Place(flags.document, MARKERS).write(content)


def _arms(flags: argparse.Namespace) -> list[Arm]:
    """What to compare, and what it is compared with."""
    return [arm for arm in ARMS if arm.name in (ARMS[0].name, *flags.arms)]


def _read(folder: Path) -> Annotations:
    from kind.data.annotations.layouts import read_yolo_folder

    annotations = read_yolo_folder(folder)
    for problem in annotations.problems:
        print(f"passed over: {problem}", file=sys.stderr)
    return annotations


def _images(train: Path, test: Path) -> tuple[list[AnnotatedImage], list[AnnotatedImage], tuple[str, ...]]:
    """Images to train on, images to test on, and the names of the classes of both."""
    from kind.data.annotations.layouts import split_images

    first = _read(train)
    if train.resolve() == test.resolve():
        return *split_images(first.images), first.class_names
    second = _read(test)
    if first.class_names != second.class_names:
        raise UserError(f"{train} and {test} name different classes; expected the same in both")
    return list(first.images), list(second.images), first.class_names


def _measured(
    flags: argparse.Namespace,
    parts: Parts,
    images: Sequence[AnnotatedImage],
    detectors: dict[str, dict[str, Detector]],
    arms: Sequence[Arm],
    darken: str | None,
) -> dict[str, list[Line]]:
    """For each state of the detector one line an arm, compared with the first arm's."""
    from kind.detection.evaluation.figures import compared
    from kind.detection.evaluation.search import (
        Darkening,
        Inputs,
        Sample,
        Search,
        kept_predictions,
    )
    from kind.reports.names import distinct_names

    paths = [image.path for image in images]
    names = distinct_names([path.name for path in paths], [path.parent.name for path in paths])
    samples = [Sample(name, image, index) for index, (name, image) in enumerate(zip(names, images))]
    darkening = Darkening(darken, flags.seed) if darken else None
    inputs = {
        True: Inputs(parts.enhancer, flags.alpha, darkening),
        False: Inputs(None, flags.alpha, None),
    }
    results = kept_predictions(flags.out / "found.jsonl")
    predictors: dict[str, Predictor] = {}
    methods = {
        state: [_method(flags, parts, state, arm, nets[arm.name], predictors) for arm in arms]
        for state, nets in detectors.items()
    }
    found: dict[str, Sequence] = {}
    for is_dark, made in inputs.items():
        wanted = [
            method for state in methods for arm, method in zip(arms, methods[state]) if arm.is_dark == is_dark
        ]
        found.update(_found(samples, wanted, made, results))
    objects = [image.objects() for image in images]
    return {
        state: compared(
            Search(samples, objects, [found[method.identity] for method in of_state], []),
            of_state,
            len(parts.class_names),
        )
        for state, of_state in methods.items()
    }


def _method(
    flags: argparse.Namespace,
    parts: Parts,
    state: str,
    arm: Arm,
    net: Detector,
    predictors: dict[str, Predictor],
) -> Method:
    """A detector on an arm's input; arms with the same detector share its graph, which takes long to make."""
    from kind.detection.evaluation.class_matching import match_classes
    from kind.detection.evaluation.search import Method
    from kind.detection.predictor import Predictor, Thresholds
    from kind.nn.saving import weights_digest

    thresholds = Thresholds(size=flags.size, confidence=_LEAST_CONFIDENCE)
    classes = match_classes(net.class_names, parts.class_names, state)
    digest = weights_digest(net)
    find = predictors.setdefault(digest, Predictor(net, thresholds))
    return Method(state, arm.kind, find, classes, f"{digest} {thresholds} {arm.name}")


def _found(
    samples: Sequence[Sample], methods: Sequence[Method], inputs: Inputs, results
) -> dict[str, Sequence]:
    """Predictions of each method on all images, by the method's identity."""
    from kind.detection.evaluation.search import search

    if not methods:
        return {}
    searched = search(samples, methods, inputs, results)
    if searched.left_out:
        raise UserError(searched.left_out[0].reason)
    return {method.identity: found for method, found in zip(methods, searched.found)}


def _table(arms: Sequence[Arm], lines: dict[str, list[Line]], images: Sequence[AnnotatedImage]) -> str:
    """One line an arm: mAP50 and its interval in each state, and the difference to the first arm."""
    head = ["input"]
    for state in lines:
        head += [f"{state}: mAP50", "95 %", "minus dark", "95 %"]
    rows = ["| " + " | ".join(head) + " |", "|" + " --- |" + " ---: |" * (len(head) - 1)]
    for number, arm in enumerate(arms):
        cells = [arm.name]
        for of_state in lines.values():
            line = of_state[number]
            value, ends = line.differences.get("map_50", (None, None))
            cells += [_figure(line.figures["map_50"]), _interval(line.intervals["map_50"])]
            cells += [_figure(value, "+"), _interval(ends, "+")]
        rows.append("| " + " | ".join(cells) + " |")
    boxes = sum(len(image.boxes) for image in images)
    return f"{len(images)} images, {boxes} objects:\n\n" + "\n".join(rows)


def _settings(flags: argparse.Namespace, training: Sequence[AnnotatedImage]) -> str:
    """What the figures were made with, so that the table says so itself."""
    chosen = {
        name: value
        for name, value in vars(flags).items()
        if name != "arms" and not isinstance(value, Path) and value is not None
    }
    settings = json.dumps(chosen)[1:-1].replace('"', "")
    return f"Fine-tuned on {len(training)} images; {settings}."


def _figure(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.3f}"


def _interval(ends: tuple[float, float] | None, sign: str = "") -> str:
    return "" if ends is None else " to ".join(f"{end:{sign}.3f}" for end in ends)


if __name__ == "__main__":
    import kind  # noqa: F401  (sets TensorFlow's environment before it is imported)

    sys.exit(main())
