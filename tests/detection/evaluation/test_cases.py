"""Which images the report shows."""

import pytest

from kind.detection.evaluation.cases import rank
from kind.detection.evaluation.figures import ImageFigures
from kind.reports.cases import choose_cases

EMPTY = ImageFigures(0, 0, 0, None)


def figures(correct, wrong=0, missed=0):
    return ImageFigures(correct, wrong, missed, 2 * correct / (2 * correct + wrong + missed))


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ([figures(1), figures(0, 1), EMPTY, figures(1, 1)], {"worst": 1, "median": 3, "best": 0}),
        ([figures(0, 1), figures(0, 5, 4), figures(1), figures(9)], {"worst": 1, "median": 0, "best": 3}),
        ([figures(1), EMPTY, figures(0, 1)], {"worst": 2, "best": 0}),
        ([EMPTY, figures(1)], {"worst": 1}),
        ([EMPTY], {}),
    ],
)
def test_worst_median_and_best_by_f1_then_by_right_minus_wrong(images, expected):
    assert dict(choose_cases(rank(images))) == expected
