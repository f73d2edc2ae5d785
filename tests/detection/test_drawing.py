"""Boxes on pictures, pixel by pixel."""

import numpy as np
import pytest

from kind.detection.drawing import (
    CORRECT,
    GROUND_TRUTH,
    UNJUDGED,
    WRONG,
    DrawnBox,
    class_colour,
    draw_boxes,
    draw_predictions,
    draw_verdict,
)
from kind.metrics.boxes import Objects, Predictions

BLACK = np.zeros((120, 160, 3), np.float32)


def where(picture, colour):
    """left, top, right, bottom of all pixels of a colour; None when there are none."""
    rows, columns = np.nonzero((np.rint(picture * 255) == colour).all(axis=-1))
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else None


def test_a_box_is_where_it_says_and_hollow():
    red = (255, 0, 0)
    picture = draw_boxes(BLACK, [DrawnBox((20, 30, 60, 90), red)])
    assert picture.dtype == np.float32 and where(picture, red) == (20, 30, 60, 90)
    assert not picture[35:85, 25:55].any() and not BLACK.any()


@pytest.mark.parametrize("box", [(0, 0, 160, 120), (-50, -50, 400, 400), (159.6, 3, 160, 3.2), (5, 5, 5, 5)])
def test_any_box_can_be_drawn(box):
    assert draw_boxes(BLACK, [DrawnBox(box, (255, 255, 255), "edge")]).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (400, 2)])
def test_any_picture_can_be_drawn_on(size):
    picture = draw_boxes(np.full((*size, 3), 0.5), [DrawnBox((0, 0, 1, 1), WRONG, "ünï ©ode" * 30)])
    assert picture.shape == (*size, 3) and np.isfinite(picture).all()


def test_a_label_stands_above_its_box_or_inside_and_never_outside_the_picture():
    for box in ((20, 60, 60, 90), (20, 2, 60, 90), (150, 60, 160, 90)):
        picture = draw_boxes(BLACK, [DrawnBox(box, CORRECT, "teddy bear 0.50")])
        left, top, right, bottom = where(picture, CORRECT)
        assert right - left > 60  # the words are wider than any of the boxes
        assert (top < 60) == (box[1] < 60 or box[1] == 60)
    assert where(draw_boxes(BLACK, [DrawnBox((20, 60, 60, 90), CORRECT, "cat")]), CORRECT)[1] < 60
    assert where(draw_boxes(BLACK, [DrawnBox((20, 2, 60, 90), CORRECT, "cat")]), CORRECT)[1] == 2


def test_lines_grow_with_the_picture():
    def thickness(side):
        picture = draw_boxes(np.zeros((side, side, 3)), [DrawnBox((10, 10, side - 10, side - 10), CORRECT)])
        return int(picture[side // 2].any(axis=-1).sum()) // 2

    assert thickness(100) == 1 and thickness(1600) == 5


def test_right_is_green_wrong_is_yellow_and_what_is_there_purple():
    objects = Objects(
        np.array([[10, 50, 40, 90], [210, 50, 240, 90], [310, 50, 340, 90]], float),
        np.array([0, 0, 0]),
        np.zeros(3, bool),
        np.array([False, False, True]),
    )
    found = Predictions(
        np.array([[12, 50, 40, 90], [110, 50, 140, 90], [310, 50, 340, 90]], float),
        np.array([0.9, 0.8, 0.7]),
        np.array([0, 0, 0]),
    )
    picture = draw_verdict(np.zeros((120, 400, 3)), objects, found, ["cat"])
    right, wrong, missed, unjudged = (picture[:, left : left + 100] for left in (0, 100, 200, 300))
    colours = (CORRECT, WRONG, GROUND_TRUTH, UNJUDGED)
    for part, own in ((right, CORRECT), (wrong, WRONG), (missed, GROUND_TRUTH), (unjudged, UNJUDGED)):
        assert where(part, own)[1] < 50 and where(part, own)[3] == 90  # label above the box
        both = {own, GROUND_TRUTH} if part is not wrong else {own}
        assert {colour for colour in colours if where(part, colour)} == both - (
            {GROUND_TRUTH} if part is unjudged else set()  # the same box, drawn over
        )


def test_every_class_has_a_bright_colour_of_its_own():
    colours = [class_colour(label) for label in range(80)]
    assert len(set(colours)) == 80 and min(max(colour) for colour in colours) == 255
    found = Predictions(
        np.array([[10, 40, 50, 90], [100, 40, 150, 90]]), np.array([0.9, 0.5]), np.array([3, 7])
    )
    picture = draw_predictions(BLACK, found, [str(label) for label in range(80)])
    assert where(picture[:, :80], colours[3]) and where(picture[:, 90:], colours[7])


def test_without_predictions_the_picture_stays():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)) / 255
    nothing = Predictions(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    np.testing.assert_allclose(draw_predictions(pixels, nothing, []), pixels, atol=1e-6)
