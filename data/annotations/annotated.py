"""The one form that all annotations take: images, boxes and classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kind.errors import UserError, listed, one_line
from kind.images.photo import read_photo
from kind.metrics.boxes import Objects


@dataclass(frozen=True, eq=False)
class AnnotatedImage:
    """One image and what is in it; G, the number of boxes, may be 0.

    Attributes:
        path: the image file.
        size: height and width in pixels, upright.
        boxes: float32 [G, 4], left, top, right, bottom in pixels from the top left corner of the image;
            0 ≤ left < right ≤ width, likewise for top and bottom.
        classes: int32 [G], index into the data set's class names.
        crowd: bool [G], one box around many objects (COCO's `iscrowd`).
        difficult: bool [G], need not be found (Pascal VOC's `difficult`, bbGt's `ign`).
        areas: float32 [G], of the objects themselves where the data set has them, else of the boxes.
    """

    path: Path
    size: tuple[int, int]
    boxes: np.ndarray
    classes: np.ndarray
    crowd: np.ndarray
    difficult: np.ndarray
    areas: np.ndarray

    @property
    def counted(self) -> np.ndarray:
        """Bool [G]: what is trained on, and counts in an evaluation; not crowds and difficult objects."""
        return ~(self.crowd | self.difficult)

    def sample(self) -> dict[str, np.ndarray]:
        """Reads the image: `image` float32 [H, W, 3] in [0, 1], `boxes` and `classes` as above.

        Crowds and difficult objects are left out, as is usual in training.

        Raises:
            kind.images.photo.ImageError: when the file cannot be read.
        """
        plain = self.counted
        image = read_photo(self.path).pixels
        return {"image": image, "boxes": self.boxes[plain], "classes": self.classes[plain]}

    def objects(self) -> Objects:
        """What `kind.metrics.average_precision` compares predictions with."""
        return Objects(self.boxes, self.classes, self.crowd, self.difficult, self.areas)


class Annotations(NamedTuple):
    """A data set.

    Attributes:
        images: sorted by path; those without boxes are among them.
        class_names: class c is called `class_names[c]`.
        problems: one line for each annotation that was repaired or passed over; to be shown to the user.
        found: how many images and files of annotations there are, and how many belong together, in words.
        broken: how many of `problems`, the first ones, are refused unless they may be repaired.
        classes_from: where the class names come from, in words.
        validation: the images that the data set itself holds out from training; None when it does not say.
    """

    images: tuple[AnnotatedImage, ...]
    class_names: tuple[str, ...]
    problems: tuple[str, ...]
    found: str = ""
    broken: int = 0
    classes_from: str = "the annotations"
    validation: frozenset[Path] | None = None


def describe_classes(annotations: Annotations) -> str:
    """The class names in use and where they come from, such as "2 classes (data.yaml): cat, dog"."""
    names = annotations.class_names
    counted = f"{len(names)} class{'' if len(names) == 1 else 'es'}"
    return one_line(f"{counted} ({annotations.classes_from}): {', '.join(names)}")


def describe_objects(images: Sequence[AnnotatedImage]) -> str:
    """How many objects there are, and how many do not count: "9 objects (2 difficult do not count)"."""
    objects = sum(len(image.classes) for image in images)
    crowds = sum(int(image.crowd.sum()) for image in images)
    difficult = sum(int((image.difficult & ~image.crowd).sum()) for image in images)
    left_out = [f"{count} {word}" for count, word in ((difficult, "difficult"), (crowds, "crowd")) if count]
    return f"{objects} objects" + (f" ({' and '.join(left_out)} do not count)" if left_out else "")


def require_objects(images: Sequence[AnnotatedImage], part: str, annotations: Annotations) -> None:
    """Refuses images that hold no object to learn from or to measure on.

    Args:
        images: of a part of the data set.
        part: what they are, such as "the training images".
        annotations: the data set, for the message.

    Raises:
        UserError: says what was found, and why images and annotations did not meet.
    """
    if any(image.counted.any() for image in images):
        return
    everywhere = describe_objects(annotations.images)
    seen = f"{len(images)} images with {describe_objects(images)}"
    message = f"no object that counts in {part}: {seen}"
    if len(images) < len(annotations.images):
        message += f"; the whole data set has {everywhere}"
    if annotations.found:
        message += f"; found {annotations.found}"
    if annotations.problems:
        message += f"; {listed(annotations.problems, most=2)}"
    raise UserError(message)
