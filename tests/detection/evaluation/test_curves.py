"""Curves and confusion matrices, against counting by hand."""

import numpy as np
import pytest

from kind.detection.evaluation.curves import CONFIDENCES, RECALLS, confusion_of, curves_of
from kind.detection.evaluation.figures import compared, figures_of_image
from kind.detection.evaluation.plots import draw_plots
from kind.detection.evaluation.summary import Evaluation
from kind.images.photo import photo_size
from kind.metrics.average_precision import average_precision
from kind.metrics.boxes import Objects, Predictions
from tests.detection.evaluation.test_figures import CLASSES, made

NAMES = ("car", "bus", "dog")


def test_the_area_below_precision_is_cocos_ap50():
    search, _ = made([4.0])
    curves = curves_of(search.objects, search.found[0], CLASSES, 100)
    coco = average_precision(search.objects, search.found[0], CLASSES)
    assert curves.precision.shape == RECALLS.shape and curves.precision.mean() == pytest.approx(coco.mean_50)


def test_f1_is_that_of_the_images_together():
    search, _ = made([4.0])
    curves = curves_of(search.objects, search.found[0], CLASSES, 100)
    for place in (0, 25, 70):
        each = [figures_of_image(*pair, CONFIDENCES[place]) for pair in zip(search.objects, search.found[0])]
        correct, wrong, missed = (sum(figures[part] for figures in each) for part in range(3))
        assert curves.f1[place] == pytest.approx(2 * correct / (2 * correct + wrong + missed))
    assert curves.best == (curves.f1.max(), CONFIDENCES[curves.f1.argmax()])


def test_classes_are_confused_where_boxes_agree():
    boxes = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10]], float)
    crowd = np.array([False, False, False, True])
    objects = Objects(boxes, np.array([0, 0, 2, 2]), crowd, np.zeros(4, bool))
    elsewhere = np.array([[0, 50, 10, 60]], float)
    found = Predictions(
        np.concatenate([boxes[[0, 1, 3]], elsewhere, boxes[2:3]]),
        np.array([0.9, 0.8, 0.7, 0.6, 0.1]),
        np.array([0, 1, 2, 1, 2]),
    )
    names, counts = confusion_of([objects], [found], NAMES, 0.25)
    assert names == ["car", "bus", "dog", "background"]
    assert counts.tolist() == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0]]
    names, counts = confusion_of([objects], [found], NAMES, 0.25, most=2)
    assert names == ["car", "others", "background"] and counts.sum() == 4


def test_without_objects_there_are_no_curves_and_no_plots(tmp_path):
    nothing = Objects(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, bool), np.zeros(0, bool))
    search, methods = made([4.0], images=1)
    assert curves_of([nothing], search.found[0], CLASSES, 100) == (None, None)
    lines = compared(search, methods, CLASSES)
    evaluation = Evaluation([], [], NAMES, [2, 2, 2], lines, search, [], 0.25)
    plots = draw_plots(evaluation, tmp_path / "pictures")
    assert [path.name for *_, path in plots] == [
        f"plot-{name}.png" for name in ("precision-recall", "f1-confidence", "confusion-1")
    ]
    assert all(min(photo_size(path)) > 200 and caption and "n4.0" in text for text, caption, path in plots)
    assert draw_plots(evaluation._replace(counts=[0, 0, 0]), tmp_path) == []
