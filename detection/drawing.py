"""Draws boxes on pictures: predictions, and whether they are correct."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kind.metrics.box_matching import judge_image
from kind.metrics.boxes import Objects, Predictions

Colour = tuple[int, int, int]

GROUND_TRUTH: Colour = (168, 72, 255)
"""Purple: what is there."""

CORRECT: Colour = (40, 200, 80)
"""Green: a prediction that found an object."""

WRONG: Colour = (255, 214, 10)
"""Yellow: a prediction that did not."""

UNJUDGED: Colour = (170, 170, 170)
"""Grey: a prediction that found what does not count, such as a crowd."""

_GOLDEN = 0.381966  # of the colour circle from one class to the next: neighbours in number differ most
_PIXELS_A_LINE, _PIXELS_A_LETTER = 320, 40
_SMALLEST_LETTER = 11
_LONGEST_LABEL = 40


class DrawnBox(NamedTuple):
    """A box of a picture: left, top, right, bottom in pixels, its colour, and words ("" for none)."""

    box: Sequence[float]
    colour: Colour
    label: str = ""


def class_colour(label: int) -> Colour:
    """A bright colour for a class number, always the same, unlike its neighbours'."""
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(label * _GOLDEN % 1, 0.75, 1.0))


def draw_boxes(pixels: np.ndarray, boxes: Sequence[DrawnBox]) -> np.ndarray:
    """Draws boxes and their labels onto a copy of a picture.

    Lines and letters grow with the picture, so that they are still seen when it is shown smaller.

    Args:
        pixels: float [H, W, 3] in [0, 1], any size from 1×1.
        boxes: in the order of drawing: later ones cover earlier ones, labels cover boxes.

    Returns:
        float32 [H, W, 3] in [0, 1].
    """
    picture = Image.fromarray(np.rint(np.clip(np.asarray(pixels), 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    width = max(1, round(max(picture.size) / _PIXELS_A_LINE))
    font = ImageFont.load_default(max(_SMALLEST_LETTER, max(picture.size) // _PIXELS_A_LETTER))
    for item in boxes:
        left, top, right, bottom = (round(float(side)) for side in item.box)
        # Pillow's corners belong to the box; ours end before the right and bottom one.
        draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), None, item.colour, width)
    for item in boxes:
        if item.label:
            _write_label(draw, picture.size, item, font)
    return np.asarray(picture, np.float32) / 255


def draw_predictions(pixels: np.ndarray, predictions: Predictions, class_names: Sequence[str]) -> np.ndarray:
    """Draws what was found, each class in its colour, with its name and score.

    Args:
        pixels: float [H, W, 3] in [0, 1].
        predictions: of this picture; the best are drawn last.
        class_names: by class number.

    Returns:
        float32 [H, W, 3] in [0, 1].
    """
    boxes = [
        DrawnBox(box, class_colour(int(label)), f"{class_names[label]} {score:.2f}")
        for box, score, label in zip(*predictions)
    ]
    return draw_boxes(pixels, boxes[::-1])


def draw_verdict(
    pixels: np.ndarray,
    objects: Objects,
    predictions: Predictions,
    class_names: Sequence[str],
    iou: float = 0.5,
) -> np.ndarray:
    """Draws what is there in purple, correct predictions in green and wrong ones in yellow.

    Objects that were missed carry their class's name; the others have it from the prediction.

    Args:
        pixels: float [H, W, 3] in [0, 1].
        objects: of this picture.
        predictions: already cut at some score.
        class_names: by class number.
        iou: IoU threshold from which on a prediction is correct.

    Returns:
        float32 [H, W, 3] in [0, 1].
    """
    verdict = judge_image(objects, predictions, iou)
    boxes = [
        DrawnBox(box, GROUND_TRUTH, "" if found else class_names[label])
        for box, label, found in zip(objects.boxes, objects.classes, verdict.found)
    ]
    for box, score, label, correct, wrong in reversed(list(zip(*predictions, *verdict[:2]))):
        colour = CORRECT if correct else WRONG if wrong else UNJUDGED
        boxes.append(DrawnBox(box, colour, f"{class_names[label]} {score:.2f}"))
    return draw_boxes(pixels, boxes)


def _write_label(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], item: DrawnBox, font: ImageFont.FreeTypeFont
) -> None:
    """Words on a patch of the box's colour, above the box where there is room, and inside the picture."""
    text = item.label[:_LONGEST_LABEL]
    left, top = (float(side) for side in item.box[:2])
    _, _, width, height = draw.textbbox((0, 0), text, font)
    left = max(0.0, min(left, size[0] - width - 2))
    top = top - height - 2 if top >= height + 2 else max(0.0, top)
    draw.rectangle((left, top, left + width + 2, top + height + 2), item.colour)
    dark = sum(item.colour) > 330
    draw.text((left + 1, top), text, (0, 0, 0) if dark else (255, 255, 255), font)
