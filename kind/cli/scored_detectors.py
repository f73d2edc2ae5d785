"""The detectors that `kind evaluate detect` scores, and the boxes of other programs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kind.cli.named_path import NamedPath
from kind.errors import UserError

if TYPE_CHECKING:
    from kind.data.annotations.annotated import Annotations
    from kind.detection.evaluation.search import Method
    from kind.detection.predictor import Thresholds


def scored_detectors(
    detectors: Sequence[NamedPath],
    found: Sequence[NamedPath],
    *,
    inputs: Sequence[str],
    data: Annotations,
    thresholds: Thresholds,
) -> tuple[list[Method], list[tuple[str, str]]]:
    """Every detector on every input, and what the header says of the detectors.

    Args:
        detectors: files or run folders; none of them and nothing `found` means the shipped detector.
        found: files with the boxes of other programs.
        inputs: kinds of input of the detectors.
        data: the annotated images.
        thresholds: which detections become boxes.

    Returns:
        The methods, and a name and a sentence for each detector.

    Raises:
        UserError: when a file cannot be used, or two detectors have one name.
    """
    from kind.detection.evaluation.class_matching import match_classes
    from kind.detection.evaluation.facts import DIGITS
    from kind.detection.evaluation.search import Method
    from kind.detection.predictor import Predictor, load_detector
    from kind.nn.saving import weights_digest

    methods, facts = [], []
    for value in detectors or ([] if found else [None]):
        name, file = value or ("shipped detector", None)
        net = load_detector(file)
        digest = weights_digest(net)
        classes = match_classes(net.class_names, data.class_names, name)
        own = thresholds.of(net)
        find, identity = Predictor(net, own), f"{digest} {net.class_names} {own}"
        methods += [Method(name, kind, find, classes, identity) for kind in inputs]
        unknown = f"; does not know {', '.join(classes.unknown)}" if classes.unknown else ""
        facts.append(
            (
                name,
                f"{len(net.class_names)} classes, longer side {own.size}, digest {digest[:DIGITS]}{unknown}",
            )
        )
    for name, file in found:
        method, fact = _recorded(name, file, data)
        methods.append(method)
        facts.append(fact)
    names = [method.name for method in methods]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UserError(f"two detectors are called {min(twice).rsplit(',')[0]!r}; tell them apart: NAME=FILE")
    return methods, facts


def _recorded(name: str, file: Path, data: Annotations) -> tuple[Method, tuple[str, str]]:
    """Boxes that another program found, as a method, and what the header says of them."""
    from kind.detection.evaluation.class_matching import match_classes
    from kind.detection.evaluation.facts import DIGITS
    from kind.detection.evaluation.found_files import read_found
    from kind.detection.evaluation.search import RECORDED, Method

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
    fact = f"{count} boxes in {len(boxes.by_image)} images, from {file.name}, digest {digest[:DIGITS]}"
    return Method(name, RECORDED, None, classes, digest, boxes.by_image), (name, fact)
