"""The header of a report: what its figures are defined by."""

from __future__ import annotations

from collections.abc import Sequence

from kind.data.annotations.annotated import Annotations, describe_classes, describe_objects
from kind.detection.evaluation.search import Darkening, Inputs, Search
from kind.detection.inputs import INPUTS
from kind.detection.predictor import Thresholds

DIGITS = 12
"""How much of a digest is shown."""

Facts = list[tuple[str, str]]


def data_facts(
    folder: str, split: str, held_out: str, data: Annotations, found: Search, dark: Darkening | None
) -> Facts:
    """What was searched.

    Args:
        folder: name of the data set.
        split: "all", "training" or "validation".
        held_out: the rule behind the split, in words.
        data: the whole data set, in all splits.
        found: what was found in the images of the split.
        dark: how they were darkened, None when they were not.

    Returns:
        Names and values.
    """
    objects = describe_objects([sample.image for sample in found.samples])
    of_split = f", split {split}" if split != "all" else ""
    searched = f"{len(found.samples)} of {len(data.images)} images"
    text = f"{folder}{of_split}: {searched}, {objects}, {len(data.class_names)} classes"
    facts = [("Data", text), ("Classes", describe_classes(data))]
    if split != "all":
        facts.append(("Held out of training", held_out))
    if dark:
        facts.append(("Made dark", f"preset {dark.preset}, seed {dark.seed}, in 8 bits"))
    return facts


def definitions(
    kinds: Sequence[str], inputs: Inputs, alpha: float | None, thresholds: Thresholds, counted: int
) -> Facts:
    """What the figures are defined by.

    Args:
        kinds: of input, see `detection.inputs.INPUTS`.
        inputs: makes them.
        alpha: brightening of the input "relit", None for the networks' own.
        thresholds: what becomes a box.
        counted: boxes of one class in one image that count.

    Returns:
        Names and values.
    """
    facts = [("Inputs", "; ".join(f"{kind}: {INPUTS[kind]}" for kind in kinds))]
    if inputs.digests:
        digests = ", ".join(f"{stage} {digest[:DIGITS]}" for stage, digest in inputs.digests.items())
        shown = inputs.own_alpha if alpha is None else f"{alpha:g}"
        relit = f"; α = {shown} (relit)" if "relit" in kinds else ""
        facts.append(("Networks", f"{digests}{relit}"))
    boxes = (
        f"scores over {thresholds.confidence:g}, non-maximum suppression per class at IoU threshold "
        f"{thresholds.iou:g}, at most {thresholds.max_detections} an image"
    )
    if len(thresholds.scales) > 1:
        boxes += f"; searched at {', '.join(f'{scale:g}' for scale in thresholds.scales)} times the size"
    if thresholds.flip:
        boxes += "; searched mirrored, too"
    figures = (
        f"COCO's average precision, {counted} boxes an image and class; small, medium, large by "
        "the object's area, to 32² and 96² pixels of the photograph; VOC AP50: area under its curve"
    )
    return [*facts, ("Boxes", boxes), ("Figures", figures)]
