"""Which pixels boxes are counted on: those that the file stores, or those of the upright image."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kind.errors import UserError

if TYPE_CHECKING:  # --help wants the names below, not NumPy
    import numpy as np

    from kind.images.header import Header

STORED, UPRIGHT = BOXES_ON = ("stored", "upright")


class Frame(NamedTuple):
    """The pixels that an image's boxes are counted on.

    Attributes:
        size: their height and width.
        orientation: EXIF's, 1 to 8, that turns them upright; 1 when they are.
    """

    size: tuple[int, int]
    orientation: int = 1

    @property
    def upright_size(self) -> tuple[int, int]:
        """Height and width of the upright image."""
        return self.size[::-1] if self.orientation > 4 else self.size


class Fit(NamedTuple):
    """Where an image's boxes are, and what speaks against it.

    Attributes:
        frame: the pixels.
        is_contradicted: the annotations state the size of the stored pixels, which is not that of the
            upright image, and nobody said which of them the boxes are counted on.
        is_assumed: the image is turned, and nothing says which pixels the boxes are counted on.
        other_size: the annotations state a size that is neither.
    """

    frame: Frame
    is_contradicted: bool = False
    is_assumed: bool = False
    other_size: bool = False


def check_boxes_on(boxes_on: str | None) -> None:
    """Refuses anything but `BOXES_ON` and None.

    Raises:
        UserError: naming both.
    """
    if boxes_on not in (None, *BOXES_ON):
        raise UserError(f"boxes_on expects {' or '.join(BOXES_ON)}, received {boxes_on!r}")


def fit_frame(header: Header, stated: tuple[int, int] | None, boxes_on: str | None) -> Fit:
    """Finds the pixels that an image's boxes are counted on.

    Args:
        header: of the image.
        stated: height and width that the annotations state, None when they state none.
        boxes_on: "stored" or "upright", what the user says of the whole set; None: nothing.

    Returns:
        The frame. With "upright" the stated size may be that of the stored pixels: some tools show an image
        upright and write down the size of the file.
    """
    stored, upright = (header.height, header.width), header.upright_size
    if boxes_on == STORED:
        return Fit(Frame(stored, header.orientation), other_size=stated not in (None, stored))
    frame = Frame(upright)
    if boxes_on == UPRIGHT:
        return Fit(frame, other_size=stated not in (None, stored, upright))
    if stated not in (None, stored, upright):
        return Fit(frame, other_size=True)
    if stated == stored != upright:
        return Fit(frame, is_contradicted=True)
    tells = stated is not None and stored != upright
    return Fit(frame, is_assumed=header.orientation != 1 and not tells)


def turned_upright(boxes: np.ndarray, frame: Frame) -> np.ndarray:
    """Boxes on a frame's pixels → boxes on the upright image's.

    Args:
        boxes: float [G, 4], left, top, right, bottom.
        frame: see `Frame`.

    Returns:
        As `boxes`.
    """
    height, width = frame.upright_size
    if frame.orientation in (5, 6, 7, 8):
        boxes = boxes[:, [1, 0, 3, 2]]
    turned = boxes.copy()
    if frame.orientation in (2, 3, 6, 7):
        turned[:, [0, 2]] = width - boxes[:, [2, 0]]
    if frame.orientation in (3, 4, 7, 8):
        turned[:, [1, 3]] = height - boxes[:, [3, 1]]
    return turned
