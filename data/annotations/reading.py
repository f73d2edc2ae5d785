"""What all readers of annotations share: objects are checked, cut or left out, and what is odd is named."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kind.data.annotations.annotated import AnnotatedImage, Annotations
from kind.data.annotations.orientation import Frame, check_boxes_on, fit_frame, turned_upright
from kind.errors import UserError, listed, one_line
from kind.images.header import Header

TOLERANCE = 1.0
"""Boxes may reach so many pixels over the border: rounding, or counting from 1. They are cut there."""

_MOST_NAMED = 5


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
        found: see `Annotations`; set by the reader.
    """

    def __init__(self, class_names: Sequence[str], boxes_on: str | None = None) -> None:
        """Begins with nothing.

        Args:
            class_names: of the data set, each once.
            boxes_on: see `orientation.fit_frame`.

        Raises:
            UserError: a class name is given twice, or another value of `boxes_on`.
        """
        check_boxes_on(boxes_on)
        self.class_names = tuple(class_names)
        check_class_names(self.class_names)
        self.problems: list[str] = []
        self.passed_over: list[str] = []
        self.found = ""
        self._boxes_on = boxes_on
        self._images: list[AnnotatedImage] = []
        self._numbers = {name: number for number, name in enumerate(self.class_names)}
        self._notes: dict[str, list[str]] = {}
        self._contradicted: list[str] = []

    def note(self, where: str, text: str) -> None:
        """Notes something odd that may occur often: equal texts become one line with the first place."""
        self._notes.setdefault(text, []).append(where)

    def frame(
        self, path: Path, header: Header, stated: tuple[int, int] | None = None, binding: bool = True
    ) -> Frame | None:
        """The pixels that an image's boxes are counted on, see `orientation.fit_frame`.

        Args:
            path: of the image.
            header: of the image.
            stated: height and width that the annotations state, None when they state none.
            binding: whether a stated size that is not the image's makes its annotations useless; otherwise
                it is only noted.

        Returns:
            The frame, None when the image cannot be used, which is then a problem.
        """
        fit = fit_frame(header, stated, self._boxes_on)
        if fit.is_contradicted:
            self._contradicted.append(f"{path} ({_by(stated)} stored, {_by(header.upright_size)} upright)")
        elif fit.other_size and binding:
            self.problems.append(
                f"{path}: is {_by(header.upright_size)}, but its annotations are for {_by(stated)}"
            )
            return None
        elif fit.other_size:
            self.note(str(path), "the annotations state another size than the image has, which is not used")
        elif fit.is_assumed:
            self.note(
                str(path),
                "turned by its EXIF orientation: its boxes are taken to be on the upright image; if they are "
                "on the pixels as stored, say --annotations stored",
            )
        return fit.frame

    def add(self, path: Path, size: tuple[int, int], rows: Iterable[Row], orientation: int = 1) -> None:
        """Checks one image's objects and keeps the image, with those that are sound or can be cut.

        Args:
            path: of the image.
            size: height and width of the pixels that the boxes are counted on.
            rows: its objects, none for an image without boxes.
            orientation: EXIF's, that turns these pixels and the boxes upright; 1 when they are.
        """
        frame = Frame(tuple(size), orientation)
        kept = [(row, number, box) for row in rows for number, box in self._checked(row, size)]
        self._note_repeated(kept)
        boxes = np.array([box for *_, box in kept], np.float32).reshape(-1, 4)
        boxes = turned_upright(boxes, frame)
        sides = boxes[:, 2:] - boxes[:, :2]
        areas = [row.area for row, *_ in kept]
        own = np.array([math.nan if area is None else area for area in areas], np.float32)
        self._images.append(
            AnnotatedImage(
                path,
                frame.upright_size,
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
            UserError: when there are problems that may not stay, when stated sizes contradict the upright
                images and nobody said what that means, or when there is no image.
        """
        self.problems = [*map(one_line, self.problems)]
        if self._contradicted:
            named = listed(self._contradicted, most=2)
            raise UserError(
                f"{len(self._contradicted)} image(s) are turned by their EXIF orientation, and their "
                f"annotations state the size of the stored pixels: {named}: say --annotations stored when "
                "the boxes are on the stored pixels, --annotations upright when they are on upright images"
            )
        if self.problems and not repair:
            more = len(self.problems) - _MOST_NAMED
            raise UserError(
                f"broken annotations: {'; '.join(self.problems[:_MOST_NAMED])}"
                + (f"; and {more} more" if more > 0 else "")
                + ": mend them, or have them repaired (boxes cut at the border, everything else left out)"
            )
        if not self._images:
            raise UserError("the data set holds no image that can be used; check its folders")
        notes = [
            f"{places[0]}: {text}" + (f" (and {len(places) - 1} more alike)" if len(places) > 1 else "")
            for text, places in self._notes.items()
        ]
        images = sorted(self._images, key=lambda image: image.path)
        problems = (*self.problems, *map(one_line, (*self.passed_over, *notes)))
        return Annotations(tuple(images), self.class_names, problems, self.found, len(self.problems))

    def _note_repeated(self, kept: list[tuple[Row, int, np.ndarray]]) -> None:
        """An object that is there twice can be found once only."""
        seen = set()
        for row, number, box in kept:
            if (number, *box.tolist()) in seen:
                self.note(row.where, "the same class and box as an object before; both count")
            seen.add((number, *box.tolist()))

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


def check_class_names(names: Sequence[str], where: str = "class names") -> None:
    """Refuses names that are given twice: which number is meant by one cannot be told.

    Raises:
        UserError: naming the first of them and its numbers.
    """
    seen: dict[str, int] = {}
    for number, name in enumerate(names):
        if (first := seen.setdefault(name, number)) != number:
            raise UserError(f"{where}: {name!r} is given twice, as class {first} and as class {number}")


def _described(box: tuple[float, ...]) -> str:
    return f"box {' '.join(f'{value:g}' for value in box)}"


def _by(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"
