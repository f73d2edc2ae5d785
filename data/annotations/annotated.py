"""The one form that all annotations take: images, boxes and classes; and what can be wrong with them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kind.errors import UserError
from kind.images.photo import READABLE_SUFFIXES, photo_size, read_photo
from kind.metrics.boxes import Objects

TOLERANCE = 1.0
"""Boxes may reach so many pixels over the border: rounding, or counting from 1. They are cut there."""

_MOST_NAMED = 5


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

    def sample(self) -> dict[str, np.ndarray]:
        """Reads the image: `image` float32 [H, W, 3] in [0, 1], `boxes` and `classes` as above.

        Crowds and difficult objects are left out, as is usual in training.

        Raises:
            kind.images.photo.ImageError: when the file cannot be read.
        """
        plain = ~(self.crowd | self.difficult)
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
    """

    images: tuple[AnnotatedImage, ...]
    class_names: tuple[str, ...]
    problems: tuple[str, ...]


class Row(NamedTuple):
    """One object as a file has it, not yet checked.

    Attributes:
        where: the file and the place in it, for messages.
        label: a class number, or the name of a class.
        box: left, top, right, bottom in pixels.
        crowd: see `AnnotatedImage`.
        difficult: see `AnnotatedImage`.
        area: in square pixels; None takes the box's.
    """

    where: str
    label: int | str
    box: tuple[float, ...]
    crowd: bool = False
    difficult: bool = False
    area: float | None = None


class Reading:
    """What a reader has found so far.

    Attributes:
        class_names: of the data set.
        problems: what is broken, one line each.
        passed_over: what is odd but usual, one line each.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        """Begins with nothing."""
        self.class_names = tuple(class_names)
        self.problems: list[str] = []
        self.passed_over: list[str] = []
        self._images: list[AnnotatedImage] = []
        self._numbers = {name: number for number, name in enumerate(self.class_names)}

    def add(self, path: Path, size: tuple[int, int], rows: Iterable[Row]) -> None:
        """Checks one image's objects and keeps the image, with those that are sound or can be cut.

        Args:
            path: of the image.
            size: its height and width.
            rows: its objects, none for an image without boxes.
        """
        kept = [(row, number, box) for row in rows for number, box in self._checked(row, size)]
        boxes = np.array([box for *_, box in kept], np.float32).reshape(-1, 4)
        sides = boxes[:, 2:] - boxes[:, :2]
        areas = [row.area for row, *_ in kept]
        own = np.array([math.nan if area is None else area for area in areas], np.float32)
        self._images.append(
            AnnotatedImage(
                path,
                size,
                boxes,
                classes=np.array([number for _, number, _ in kept], np.int32),
                crowd=np.array([row.crowd for row, *_ in kept], bool),
                difficult=np.array([row.difficult for row, *_ in kept], bool),
                areas=np.where(np.isnan(own), sides[:, 0] * sides[:, 1], own),
            )
        )

    def finish(self, repair: bool) -> Annotations:
        """Ends the reading.

        Args:
            repair: whether problems may stay, repaired.

        Returns:
            The data set.

        Raises:
            UserError: when there are problems that may not stay, or no image.
        """
        if self.problems and not repair:
            more = len(self.problems) - _MOST_NAMED
            raise UserError(
                f"broken annotations: {'; '.join(self.problems[:_MOST_NAMED])}"
                + (f"; and {more} more" if more > 0 else "")
                + ": mend them, or have them repaired (boxes cut at the border, everything else left out)"
            )
        if not self._images:
            raise UserError("the data set holds no image that can be used; check its folders")
        images = sorted(self._images, key=lambda image: image.path)
        return Annotations(tuple(images), self.class_names, (*self.problems, *self.passed_over))

    def _checked(self, row: Row, size: tuple[int, int]) -> list[tuple[int, np.ndarray]]:
        """Class number and box of a sound row, in a list; an empty list when it cannot be used."""
        number = row.label if isinstance(row.label, int) else self._numbers.get(row.label, -1)
        if not 0 <= number < len(self.class_names):
            self.problems.append(f"{row.where}: unknown class {ascii(row.label)}")
            return []
        left, top, right, bottom = row.box
        if not all(map(math.isfinite, row.box)):
            fault = "is not finite"
        elif right < left or bottom < top:
            fault = "is inverted"
        elif right == left or bottom == top:
            fault = "has no area"
        else:
            return self._cut(row, number, size)
        self.problems.append(f"{row.where}: {_described(row.box)} {fault}")
        return []

    def _cut(self, row: Row, number: int, size: tuple[int, int]) -> list[tuple[int, np.ndarray]]:
        """The box inside the image."""
        height, width = size
        given = np.array(row.box, float)
        box = np.clip(given, 0, [width, height, width, height]).astype(np.float32)
        inside = box[2] > box[0] and box[3] > box[1]
        if not inside or np.abs(given - box).max() > TOLERANCE:
            self.problems.append(
                f"{row.where}: {_described(row.box)} reaches outside the image of {width}x{height}"
            )
        return [(number, box)] if inside else []


def _described(box: tuple[float, ...]) -> str:
    return f"box {' '.join(f'{value:g}' for value in box)}"


def images_below(folder: Path) -> list[Path]:
    """All images in a folder and its folders, hidden files left out, sorted.

    Raises:
        UserError: when there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of images")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in READABLE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not found:
        raise UserError(f"{folder}: holds no images ({' '.join(READABLE_SUFFIXES)})")
    return found


def sizes_of(images: Sequence[Path], problems: list[str]) -> dict[Path, tuple[int, int]]:
    """Height and width of each image; those that cannot be read become problems and are left out."""

    def size(path: Path) -> tuple[int, int] | UserError:
        try:
            return photo_size(path)
        except UserError as error:
            return error

    with ThreadPoolExecutor() as pool:
        sizes = dict(zip(images, pool.map(size, images)))
    problems.extend(str(error) for error in sizes.values() if isinstance(error, UserError))
    return {path: size for path, size in sizes.items() if not isinstance(size, UserError)}
