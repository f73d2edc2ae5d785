"""Objects cut out of photographs along their boxes, to be pasted into others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from skimage.filters import gaussian, sobel
from skimage.segmentation import watershed
from skimage.transform import resize

SIDE = 128
"""Height and width of a cut-out, in pixels."""

MOST = 3
"""Cut-outs of one photograph at most."""

_LONGEST = 120  # of the object itself: a rim stays transparent
_SMALLEST_BOX, _LARGEST_SHARE = 32, 0.7
_MARGIN, _CORE = 0.12, 0.45  # of the box: what is surely around it, and what is surely the object
_AREAS = (0.25, 0.97)  # of the box, that an object may fill
_ROUNDNESS = 3.0  # exponent of the superellipse that stands for an object without a clear outline
_BLUR = 1.0


def cut_outs(image: np.ndarray, boxes: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Cuts the largest objects out of a photograph.

    The outline is where a watershed of the gradient, flooded from the middle of the box and from around it,
    meets; where that gives no plausible object it is a superellipse.

    Args:
        image: float32 [H, W, 3] in [0, 1].
        boxes: float32 [G, 4], left, top, right, bottom in pixels; where none is of use, some are drawn.
        random: draws them.

    Returns:
        float32 [K, 128, 128, 4], K from 1 to 3: colours times opacity, and opacity, in [0, 1].
    """
    usable = _usable(boxes, image.shape)
    if not len(usable):
        usable = _drawn(image.shape, random)
    return np.stack([_cut_out(image, box) for box in usable[:MOST]])


def _usable(boxes: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The boxes of plausible objects as whole pixels, the largest first."""
    if not len(boxes):
        return np.zeros([0, 4], int)
    whole = np.rint(np.clip(boxes, 0, [shape[1], shape[0]] * 2)).astype(int)
    width, height = whole[:, 2] - whole[:, 0], whole[:, 3] - whole[:, 1]
    area = width * height
    fits = (np.minimum(width, height) >= _SMALLEST_BOX) & (area <= _LARGEST_SHARE * shape[0] * shape[1])
    order = np.argsort(-area, kind="stable")
    return whole[order[fits[order]]]


def _drawn(shape: Sequence[int], random: np.random.Generator) -> np.ndarray:
    """Boxes anywhere in a photograph without annotations."""
    height, width = shape[:2]
    sides = np.maximum(np.rint(random.uniform(0.2, 0.5, (MOST, 2)) * [width, height]), 1).astype(int)
    corners = np.rint(random.uniform(0, 1, (MOST, 2)) * ([width, height] - sides)).astype(int)
    return np.concatenate([corners, corners + sides], axis=1)


def _cut_out(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    left, top, right, bottom = box
    rim = [round(_MARGIN * side) + 1 for side in (bottom - top, right - left)]
    rows = slice(max(top - rim[0], 0), bottom + rim[0])
    columns = slice(max(left - rim[1], 0), right + rim[1])
    part = image[rows, columns]
    inside = np.zeros(part.shape[:2], bool)
    inside[top - rows.start : bottom - rows.start, left - columns.start : right - columns.start] = True
    return _squared(part, _outline(part, inside))


def _outline(part: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Which pixels of a box with its surroundings are the object: bool [h, w]."""
    rows, columns = np.nonzero(inside)
    half = [(index.max() - index.min() + 1) / 2 for index in (rows, columns)]
    middle = [(index.max() + index.min()) / 2 for index in (rows, columns)]
    y, x = np.ogrid[: part.shape[0], : part.shape[1]]
    distance = (
        np.abs((y - middle[0]) / half[0]) ** _ROUNDNESS + np.abs((x - middle[1]) / half[1]) ** _ROUNDNESS
    )
    markers = np.where(distance < _CORE**_ROUNDNESS, 2, 0) + np.where(inside, 0, 1)
    flooded = watershed(sobel(gaussian(part.mean(axis=-1), _BLUR)), markers) == 2
    filled = flooded.sum() / inside.sum()
    return flooded if _AREAS[0] <= filled <= _AREAS[1] else distance < 1.0


def _squared(part: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Colours and opacity in the middle of a square, premultiplied."""
    opacity = np.clip(gaussian(mask.astype(np.float32), _BLUR), 0, 1)[..., np.newaxis]
    opacity = np.where(mask[..., np.newaxis], np.maximum(opacity, 0.5), np.minimum(opacity, 0.5))
    both = np.concatenate([part * opacity, opacity], axis=-1).astype(np.float32)
    scale = _LONGEST / max(part.shape[:2])
    size = [max(1, round(scale * side)) for side in part.shape[:2]]
    small = np.clip(resize(both, size, order=1, anti_aliasing=scale < 1), 0, 1)
    square = np.zeros([SIDE, SIDE, 4], np.float32)
    top, left = ((SIDE - side) // 2 for side in size)
    square[top : top + size[0], left : left + size[1]] = small
    return square
