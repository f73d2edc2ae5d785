"""Several methods on the same images."""

import numpy as np
import pytest

from kind.detection.evaluation.figures import COLUMNS, compared, confident, figures_of_image, means_over
from kind.detection.evaluation.search import Method, Search
from kind.metrics.average_precision import average_precision, voc_average_precision
from kind.metrics.boxes import Objects, Predictions

CLASSES = 3


def scene(number, noise):
    """Objects, and predictions that are off by some pixels; the noise differs, the objects do not."""
    truth = np.random.default_rng(number)
    corners = truth.uniform(0, 200, (6, 2))
    boxes = np.concatenate([corners, corners + truth.uniform(10, 120, (6, 2))], axis=1)
    classes = truth.integers(0, CLASSES, 6)
    random = np.random.default_rng((number, 1))
    found = Predictions(boxes + random.normal(0, noise, boxes.shape), random.random(6), classes)
    none = np.zeros(6, bool)
    return Objects(boxes, classes, none, none), found


def made(noises, images=12):
    scenes = [[scene(number, noise) for number in range(images)] for noise in noises]
    search = Search([], [objects for objects, _ in scenes[0]], [[f for _, f in of] for of in scenes], [])
    return search, [Method(f"n{noise}", "raw", None, None, "") for noise in noises]


def test_figures_are_those_of_the_metrics():
    search, methods = made([4.0, 8.0])
    for line, found in zip(compared(search, methods, CLASSES), search.found):
        coco = average_precision(search.objects, found, CLASSES)
        voc = voc_average_precision(search.objects, found, CLASSES)
        expected = (coco.mean, coco.mean_50, coco.mean_75, coco.small, coco.medium, coco.large, voc.mean())
        assert list(line.figures) == list(COLUMNS)
        np.testing.assert_allclose(list(line.figures.values()), expected)
        np.testing.assert_allclose([half for _, half in line.by_class], coco.by_class_50)
        for key, (low, high) in line.intervals.items():
            assert low <= line.figures[key] <= high


def test_means_over_some_classes_leave_out_those_without_objects():
    search, methods = made([4.0])
    (line,) = compared(search, methods, CLASSES + 1)
    wholes, halves = zip(*line.by_class[:2])
    assert line.by_class[3] == (None, None)
    assert means_over(line, [0, 1, 3]) == pytest.approx((np.mean(wholes), np.mean(halves)))
    assert means_over(line, range(4)) == pytest.approx((line.figures["map"], line.figures["map_50"]))
    assert means_over(line, [3]) == (None, None) == means_over(line, [])


def test_differences_are_paired():
    search, methods = made([2.0, 2.0, 8.0])
    first, same, worse = compared(search, methods, CLASSES)
    assert first.differences == {}
    assert all(difference == (0, (0, 0)) for difference in same.differences.values())
    for key, difference in worse.differences.items():
        assert difference.value == pytest.approx(worse.figures[key] - first.figures[key])
        low, high = difference.interval
        assert low < difference.value < high < 0
    # Drawing both from the same images is what makes the interval narrow.
    width = worse.differences["map"].interval[1] - worse.differences["map"].interval[0]
    apart = sum(line.intervals["map"][1] - line.intervals["map"][0] for line in (first, worse))
    assert width < apart


def test_what_is_not_defined_is_none():
    search, methods = made([2.0], images=1)
    (line,) = compared(search, methods, CLASSES + 1)
    assert line.by_class[CLASSES] == (None, None) and line.intervals == {"map": None, "map_50": None}
    empty = Search([], [Objects(np.zeros((0, 4)), [], [], [])] * 2, [[scene(0, 1.0)[1]] * 2], [])
    (line,) = compared(empty, methods, CLASSES)
    assert set(line.figures.values()) == {None} and set(line.intervals.values()) == {None}


def test_an_images_figures_count_right_wrong_and_missed():
    boxes = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10]], float)
    none = np.zeros(4, bool)
    objects = Objects(boxes, np.zeros(4, int), none, np.array([False, False, False, True]))
    found = Predictions(boxes[[0, 0, 1, 3]], np.array([0.9, 0.8, 0.2, 0.7]), np.array([0, 0, 0, 0]))
    assert figures_of_image(objects, found, 0.25) == (1, 1, 2, 2 * 1 / (2 * 1 + 1 + 2))
    assert figures_of_image(objects, found, 0.2) == figures_of_image(objects, found, 0.25)
    assert figures_of_image(objects, found, 0.1) == (2, 1, 1, 2 * 2 / (2 * 2 + 1 + 1))
    nothing = Objects(np.zeros((0, 4)), [], [], [])
    assert figures_of_image(nothing, confident(found, 0.95), 0.0) == (0, 0, 0, None)
