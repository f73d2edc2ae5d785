"""What a server's answers must hold; whoever it is, it may say anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from kind.errors import UserError
from kind.images.header import read_header
from kind.images.photo import decode_photo
from kind.serving.errors import ServerError, echoed

_ANSWER = "the server's answer"  # what messages call the image in it
_MOST_CLASSES = 1 << 16
_LARGEST_AREA = np.iinfo(np.int32).max
_TOLERANCE = 1.0  # pixels
_STATES = ("UNKNOWN", "START", "LOADING", "AVAILABLE", "UNLOADING", "END")


class Detections(NamedTuple):
    """The objects found in an image, highest score first.

    Attributes:
        boxes: float32 [P, 4], left, top, right, bottom in pixels of the upright image.
        scores: float32 [P] in [0, 1].
        classes: int32 [P].
        names: of the classes, P strings.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    names: tuple[str, ...]


class Changes(NamedTuple):
    """What has changed between two photographs.

    Attributes:
        probability: of a change, a PNG file with one channel, of the photographs' size.
        mask: likewise, white where a region has changed.
        boxes: of the regions, the largest first, float32 [P, 4], left, top, right, bottom in pixels.
        areas: int32 [P], in pixels.
        scores: mean probabilities, float32 [P] in [0, 1].
    """

    probability: bytes
    mask: bytes
    boxes: np.ndarray
    areas: np.ndarray
    scores: np.ndarray


def wrong_answer(reason: str) -> ServerError:
    """The error for an answer that no server of such a model gives."""
    return ServerError(f"the server's answer is wrong: {reason}", "UNKNOWN")


def image_of(outputs: Mapping[str, Any], name: str) -> bytes:
    """The only image file in an output; ServerError when it is something else."""
    rows = _listed(outputs[name])
    if rows is None or len(rows) != 1:
        raise wrong_answer(f"{name} is no list of one image")
    if not isinstance(rows[0], bytes) or not rows[0]:
        raise wrong_answer(f"{name} holds no image")
    return rows[0]


def pixels_of(answer: bytes, size: tuple[int, int]) -> np.ndarray:
    """The pixels of the image in an answer, float32 [H, W, 3]; UserError unless it has this size (H, W)."""
    try:
        found = read_header(answer).upright_size
    except UserError as error:
        raise UserError(f"{_ANSWER}: {error}") from error
    if found != size:
        raise UserError(f"{_ANSWER} has {found[1]}x{found[0]} pixels, the photograph {size[1]}x{size[0]}")
    return decode_photo(answer, _ANSWER).pixels


def changes_of(outputs: Mapping[str, Any]) -> Changes:
    """The changes of the only pair of an answer.

    Args:
        outputs: `probability_bytes`, `mask_bytes`, `boxes`, `areas`, `scores` and `number` by name.

    Raises:
        ServerError: one of them has another shape, type or range.
    """
    count = int(_numbers(outputs, "number", np.int64, ()))
    areas = _numbers(outputs, "areas", np.int64, (None,))
    boxes, scores = _scored_boxes(outputs, count, len(areas))
    if ((areas < 0) | (areas > _LARGEST_AREA)).any():
        raise wrong_answer(f"an area is not between 0 and {_LARGEST_AREA} pixels")
    pictures = (image_of(outputs, name) for name in ("probability_bytes", "mask_bytes"))
    return Changes(*pictures, boxes, areas[:count].astype(np.int32), scores)


def detections_of(outputs: Mapping[str, Any]) -> Detections:
    """The boxes of the only image of an answer.

    Args:
        outputs: `boxes`, `scores`, `classes`, `class_names` and `number` by name, lists or arrays.

    Raises:
        ServerError: one of them has another shape, type or range.
    """
    count = int(_numbers(outputs, "number", np.int64, ()))
    classes = _numbers(outputs, "classes", np.int64, (None,))
    boxes, scores = _scored_boxes(outputs, count, len(classes))
    rows = _listed(outputs["class_names"])
    names = _listed(rows[0]) if rows is not None and len(rows) == 1 else None
    if names is None or len(names) != len(classes):
        raise wrong_answer(f"class_names expects 1 times {len(classes)} names")
    classes = classes[:count]
    if ((classes < 0) | (classes >= _MOST_CLASSES)).any():
        raise wrong_answer(f"a class is not between 0 and {_MOST_CLASSES}")
    return Detections(boxes, scores, classes.astype(np.int32), tuple(map(_name, names[:count])))


def check_boxes(boxes: np.ndarray, size: tuple[int, int]) -> None:
    """Raises ServerError when a box reaches out of the image.

    Args:
        boxes: float32 [P, 4], as in `Detections`.
        size: of the image, (H, W); a pixel more is tolerated.
    """
    limits = np.array((size[1], size[0]) * 2) + _TOLERANCE
    if ((boxes < -_TOLERANCE) | (boxes > limits)).any():
        raise wrong_answer(f"a box is not within the photograph of {size[1]}x{size[0]} pixels")


def status_of(entries: Any) -> dict[int, str]:
    """The state of each version by its number, from `model_version_status`; ServerError when it is none."""
    found = {}
    for entry in entries if isinstance(entries, list) else [None]:
        number = str(entry.get("version", "")) if isinstance(entry, dict) else ""
        if not (number.isascii() and number.isdigit() and len(number) < 20 and entry.get("state") in _STATES):
            raise wrong_answer("not the status of a model")
        found[int(number)] = entry["state"]
    return found


def _listed(value: Any) -> list | np.ndarray | None:
    """A list, or an array with at least one dimension; None instead of anything else."""
    return value if isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim) else None


def _scored_boxes(outputs: Mapping[str, Any], count: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The boxes and scores in the first rows."""
    if not 0 <= count <= rows:
        raise wrong_answer(f"number is {count}, of {rows} rows")
    boxes = _numbers(outputs, "boxes", np.float32, (rows, 4))[:count]
    scores = _numbers(outputs, "scores", np.float32, (rows,))[:count]
    if ((scores < 0) | (scores > 1)).any():
        raise wrong_answer("a score is not between 0 and 1")
    return boxes, scores


def _numbers(outputs: Mapping[str, Any], name: str, dtype: type, shape: tuple) -> np.ndarray:
    """An output of a batch of one, without its batch dimension."""
    array, kinds = _array(outputs[name]), "iu" if dtype is np.int64 else "iuf"
    fits = array is not None and array.ndim == len(shape) + 1 and array.shape[0] == 1
    fits = fits and all(wanted in (None, size) for wanted, size in zip(shape, array.shape[1:]))
    if fits and (array.dtype.kind in kinds or not array.size):
        with np.errstate(over="ignore"):
            numbers = array[0].astype(dtype)
        if np.isfinite(numbers).all():
            return numbers
    wanted = ", ".join(str(size) if size is not None else "any" for size in (1, *shape))
    raise wrong_answer(f"{name} expects finite numbers of shape [{wanted}]")


def _array(value: Any) -> np.ndarray | None:
    """An array of what JSON holds, which may be an array already; None of what holds more than numbers."""
    if isinstance(value, np.ndarray):
        return value
    # In an array of text each place would be as wide as the longest text.
    objects = np.array(value, object)
    return np.array(value) if set(map(type, objects.flat)) <= {int, float} else None


def _name(name: Any) -> str:
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    if not isinstance(text, str):
        raise wrong_answer("class_names holds something else than text")
    return echoed(text)
