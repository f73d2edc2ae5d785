"""What a server's answers must hold; whoever it is, it may say anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from kind.serving.errors import ServerError, echoed

_MOST_CLASSES = 1 << 16
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


def wrong_answer(reason: str) -> ServerError:
    """The error for an answer that no server of such a model gives."""
    return ServerError(f"the server's answer is wrong: {reason}", "UNKNOWN")


def image_of(outputs: Mapping[str, Any], name: str) -> bytes:
    """The only image file in an output; ServerError when it is something else."""
    rows = outputs[name]
    if not isinstance(rows, (list, np.ndarray)) or len(np.shape(rows)) != 1 or len(rows) != 1:
        raise wrong_answer(f"{name} is no list of one image")
    if not isinstance(rows[0], bytes) or not rows[0]:
        raise wrong_answer(f"{name} holds no image")
    return rows[0]


def detections_of(outputs: Mapping[str, Any]) -> Detections:
    """The boxes of the only image of an answer.

    Args:
        outputs: `boxes`, `scores`, `classes`, `class_names` and `number` by name, lists or arrays.

    Raises:
        ServerError: one of them has another shape, type or range.
    """
    count = int(_numbers(outputs, "number", np.int64, ()))
    classes = _numbers(outputs, "classes", np.int64, (None,))
    if not 0 <= count <= len(classes):
        raise wrong_answer(f"number is {count}, of {len(classes)} rows")
    rows = (len(classes),)
    boxes = _numbers(outputs, "boxes", np.float32, (*rows, 4))[:count]
    scores = _numbers(outputs, "scores", np.float32, rows)[:count]
    names = outputs["class_names"]
    names = names[0] if isinstance(names, (list, np.ndarray)) and len(names) == 1 else None
    if not isinstance(names, (list, np.ndarray)) or len(names) != rows[0]:
        raise wrong_answer(f"class_names expects 1 times {rows[0]} names")
    if ((scores < 0) | (scores > 1)).any():
        raise wrong_answer("a score is not between 0 and 1")
    classes = classes[:count]
    if ((classes < 0) | (classes >= _MOST_CLASSES)).any():
        raise wrong_answer(f"a class is not between 0 and {_MOST_CLASSES}")
    return Detections(boxes, scores, classes.astype(np.int32), tuple(map(_name, names[:count])))


def status_of(entries: Any) -> dict[int, str]:
    """The state of each version by its number, from `model_version_status`; ServerError when it is none."""
    found = {}
    for entry in entries if isinstance(entries, list) else [None]:
        number = str(entry.get("version", "")) if isinstance(entry, dict) else ""
        if not (number.isascii() and number.isdigit() and len(number) < 20 and entry.get("state") in _STATES):
            raise wrong_answer("not the status of a model")
        found[int(number)] = entry["state"]
    return found


def _numbers(outputs: Mapping[str, Any], name: str, dtype: type, shape: tuple) -> np.ndarray:
    """An output of a batch of one, without its batch dimension."""
    try:
        array = np.asarray(outputs[name])
        fits = array.ndim == len(shape) + 1 and array.shape[0] == 1
        fits = fits and all(wanted in (None, size) for wanted, size in zip(shape, array.shape[1:]))
        kinds = "iu" if dtype is np.int64 else "iuf"
        if fits and (array.dtype.kind in kinds or not array.size):
            with np.errstate(over="ignore"):
                numbers = array[0].astype(dtype)
            if np.isfinite(numbers).all():
                return numbers
    except (ValueError, TypeError, OverflowError, RecursionError):
        pass
    wanted = ", ".join(str(size) if size is not None else "any" for size in (1, *shape))
    raise wrong_answer(f"{name} expects finite numbers of shape [{wanted}]")


def _name(name: Any) -> str:
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    if not isinstance(text, str):
        raise wrong_answer("class_names holds something else than text")
    return echoed(text)
