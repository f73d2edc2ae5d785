import contextlib
import io
import math

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from kind.metrics.average_precision import (
    THRESHOLDS,
    average_precision,
    average_precisions,
    bootstrap_average_precision,
    voc_average_precision,
)
from kind.metrics.box_matching import judge_image, match_boxes
from kind.metrics.boxes import Objects, Predictions
from kind.reports.bootstrap import percentile_interval

FIGURES = ("mean", "mean_50", "mean_75", "small", "medium", "large")


def random_boxes(generator, count):
    corner = generator.integers(0, 800, (count, 2)) / 4
    size = np.exp(generator.uniform(np.log(8), np.log(1200), (count, 2))).astype(int) / 4
    return np.concatenate([corner, corner + size], axis=1)


def random_case(seed, images=6, classes=3, most=12):
    """Images with crowds, ties, small to large objects; some without objects, some without predictions."""
    generator = np.random.default_rng(seed)
    objects, predictions = [], []
    for _ in range(images):
        count = generator.integers(0, most) * generator.integers(0, 4).clip(0, 1)
        boxes = random_boxes(generator, count)
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) * generator.uniform(0.5, 1, count)
        labels = generator.integers(0, classes, count)
        objects.append(Objects(boxes, labels, generator.random(count) < 0.15, None, areas))
        again = generator.integers(0, count, count * 2) if count else np.zeros(0, int)
        near = boxes[again] + generator.integers(-12, 13, (len(again), 4)) / 4
        near = np.concatenate([near, boxes[again[:1]], random_boxes(generator, generator.integers(0, 4))])
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 0.25)
        found = np.concatenate([labels[again], labels[again[:1]]])
        found = np.concatenate([found, generator.integers(0, classes, len(near) - len(found))])
        wrong = generator.random(len(found)) < 0.1
        found[wrong] = generator.integers(0, classes, wrong.sum())
        keep = generator.random() < 0.85
        scores = generator.integers(1, 10, len(near)) / 10
        predictions.append(Predictions(*(values[: len(near) * keep] for values in (near, scores, found))))
    return objects, predictions


def pycocotools_precision(objects, predictions, classes, max_detections=100):
    """precision [T, R, C, A], -1 where there is nothing to be found."""
    annotations, results = [], []
    for image, (truth, found) in enumerate(zip(objects, predictions), start=1):
        for k, (box, label) in enumerate(zip(truth.boxes, truth.classes)):
            size = [box[2] - box[0], box[3] - box[1]]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(label),
                    "bbox": [box[0], box[1], *size],
                    "area": size[0] * size[1] if truth.areas is None else truth.areas[k],
                    "iscrowd": 0 if truth.crowd is None else int(truth.crowd[k]),
                }
            )
        for box, score, label in zip(*found):
            bbox = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            results.append({"image_id": image, "category_id": int(label), "bbox": bbox, "score": score})
    coco = COCO()
    coco.dataset = {
        "images": [{"id": number + 1} for number in range(len(objects))],
        "categories": [{"id": number} for number in range(classes)],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        # loadRes cannot read an empty list.
        evaluation = COCOeval(coco, coco.loadRes(results) if results else COCO(), "bbox")
        if not results:
            evaluation.cocoDt.dataset = {"annotations": []}
            evaluation.cocoDt.createIndex()
        evaluation.params.maxDets = [max_detections]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"][..., -1]


def figures_of(precision):
    def mean(part):
        return part[part > -1].mean() if (part > -1).any() else math.nan

    return {
        "mean": mean(precision[..., 0]),
        "mean_50": mean(precision[0, ..., 0]),
        "mean_75": mean(precision[5, ..., 0]),
        "small": mean(precision[..., 1]),
        "medium": mean(precision[..., 2]),
        "large": mean(precision[..., 3]),
        "by_class": [mean(precision[:, :, c, 0]) for c in range(precision.shape[2])],
        "by_class_50": [mean(precision[0, :, c, 0]) for c in range(precision.shape[2])],
    }


def assert_equals_pycocotools(objects, predictions, classes, max_detections=100):
    ours = average_precision(objects, predictions, classes, max_detections)
    precision = pycocotools_precision(objects, predictions, classes, max_detections)
    for name, expected in figures_of(precision).items():
        np.testing.assert_allclose(getattr(ours, name), expected, atol=1e-9, rtol=0, err_msg=name)
    return ours


@pytest.mark.parametrize("seed", range(30))
def test_equals_pycocotools_on_random_cases(seed):
    most = (100, 2, 5)[seed % 3]
    ours = assert_equals_pycocotools(*random_case(seed), classes=3, max_detections=most)
    assert seed % 5 or 0 < ours.mean_50 < 1  # the cases are neither empty nor trivial


def test_equals_pycocotools_in_crowds_and_beyond_100_boxes():
    objects, predictions = random_case(99, images=2, classes=1, most=220)
    assert max(len(found.scores) for found in predictions) > 200
    assert_equals_pycocotools(objects, predictions, 1)
    more = assert_equals_pycocotools(objects, predictions, 1, max_detections=3000)
    assert more.mean != average_precision(objects, predictions, 1).mean


def test_class_0_counts():
    box = [[0.0, 0.0, 10.0, 10.0]]
    objects = [Objects(box, [0]), Objects(box, [1])]
    predictions = [Predictions(box, [0.9], [0]), Predictions([], [], [])]
    ours = assert_equals_pycocotools([Objects(np.array(o.boxes), o.classes) for o in objects], predictions, 2)
    assert ours.by_class.tolist() == [1.0, 0.0]
    assert ours.mean == 0.5


def test_images_without_predictions_and_without_objects_count():
    box, nothing = np.array([[0.0, 0.0, 50.0, 50.0]]), np.zeros((0, 4))
    hit, none = Predictions(box, [0.5], [0]), Predictions(nothing, [], [])
    truth, empty = Objects(box, [0]), Objects(nothing, [])
    assert average_precision([truth], [hit], 1).mean_50 == 1
    missed = assert_equals_pycocotools([truth, truth], [hit, none], 1)
    assert missed.mean_50 == pytest.approx(51 / 101)  # recall 0, 0.01, … 0.5
    better = Predictions(box, [0.6], [0])
    assert assert_equals_pycocotools([truth, empty], [hit, better], 1).mean_50 == pytest.approx(0.5)


def test_nothing_to_find_is_nan_and_nothing_found_is_0():
    box, nothing = np.array([[0.0, 0.0, 50.0, 50.0]]), np.zeros((0, 4))
    none = Predictions(nothing, [], [])
    assert math.isnan(average_precision([Objects(nothing, [])], [Predictions(box, [0.5], [0])], 1).mean)
    assert math.isnan(average_precision([], [], 1).mean)
    ours = assert_equals_pycocotools([Objects(box, [0])], [none], 2)
    assert ours.mean == 0 and math.isnan(ours.by_class[1]) and math.isnan(ours.small)


def test_ignored_objects_count_neither_way():
    box = np.array([[0.0, 0.0, 50.0, 50.0], [100.0, 100.0, 150.0, 150.0]])
    predictions = [Predictions(box[::-1], [0.9, 0.8], [0, 0])]
    assert average_precision([Objects(box[:1], [0])], predictions, 1).mean_50 == pytest.approx(0.5)
    objects = [Objects(box, [0, 0], ignored=[False, True])]
    assert average_precision(objects, predictions, 1).mean_50 == 1
    assert average_precision(objects, [Predictions(box[1:], [0.9], [0])], 1).mean_50 == 0


def voc_reference(objects, predictions, label, iou):
    """Pascal VOC's development kit, box by box."""
    rows = [
        (-score, image, row)
        for image, found in enumerate(predictions)
        for row, (score, other) in enumerate(zip(found.scores, found.classes))
        if other == label
    ]
    used, curve, hits, misses = set(), [], 0, 0
    total = sum(
        int(other == label and not crowd)
        for truth in objects
        for other, crowd in zip(truth.classes, truth.crowd)
    )
    for _, image, row in sorted(rows):
        a, best, which = predictions[image].boxes[row], -1.0, None
        for number, b in enumerate(objects[image].boxes):
            if objects[image].classes[number] != label:
                continue
            width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            shared = max(width, 0) * max(height, 0)
            union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
            if shared / union > best:
                best, which = shared / union, number
        if best >= iou and objects[image].crowd[which]:
            continue
        if best >= iou and (image, which) not in used:
            used.add((image, which))
            hits += 1
        else:
            misses += 1
        curve.append((hits / max(total, 1), hits / (hits + misses)))
    area, recall = 0.0, 0.0
    for number, (reached, _) in enumerate(curve):
        area += (reached - recall) * max(precision for _, precision in curve[number:])
        recall = reached
    return area if total else math.nan


@pytest.mark.parametrize("seed", range(12))
def test_equals_pascal_vocs_rules(seed):
    objects, predictions = random_case(100 + seed)
    for iou in (0.3, 0.5):
        expected = [voc_reference(objects, predictions, label, iou) for label in range(3)]
        ours = voc_average_precision(objects, predictions, 3, iou)
        np.testing.assert_allclose(ours, expected, atol=1e-9)


def test_voc_does_not_give_a_prediction_its_second_choice():
    objects = [Objects([[0, 0, 10, 10], [0, 3, 10, 13]], [0, 0])]
    predictions = [Predictions([[0, 0, 10, 10], [0, 1, 10, 11]], [0.9, 0.8], [0, 0])]
    assert voc_average_precision(objects, predictions, 1)[0] == 0.5
    assert average_precision(objects, predictions, 1).mean_50 == 1


def test_one_image_judged_for_drawing():
    boxes = np.array([[0, 0, 10, 10], [50, 50, 90, 90], [200, 0, 260, 50], [100, 100, 400, 400]])
    objects = Objects(boxes, [0, 1, 1, 2], crowd=[False, False, False, True])
    predictions = Predictions(
        [[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 90, 85], [150, 150, 190, 190], [50, 50, 90, 90]],
        [0.5, 0.9, 0.3, 0.8, 0.7],
        [0, 0, 1, 2, 0],
    )
    verdict = judge_image(objects, predictions)
    assert verdict.correct.tolist() == [False, True, True, False, False]
    assert verdict.wrong.tolist() == [True, False, False, False, True]
    assert verdict.found.tolist() == [True, True, False, True]
    empty = judge_image(Objects([], []), Predictions([], [], []))
    assert [len(part) for part in empty] == [0, 0, 0]


def test_the_bootstrap_equals_evaluating_the_drawn_images():
    objects, predictions = random_case(7, images=8)
    # Equal scores inside an image would stand in another order when the image is there twice.
    predictions = [p._replace(scores=p.scores + np.arange(len(p.scores)) * 1e-6) for p in predictions]
    matches = match_boxes(objects, predictions, 3, (0.5, 0.75))
    samples = bootstrap_average_precision(matches, resamples=25, seed=3)
    draws = np.sort(np.random.default_rng(3).integers(0, 8, (25, 8)))  # equal scores go by the image's number
    for sample, draw in zip(samples, draws):
        drawn = match_boxes([objects[i] for i in draw], [predictions[i] for i in draw], 3, (0.5, 0.75))
        assert sample == pytest.approx(_known_mean(average_precisions(drawn)), abs=1e-12, nan_ok=True)
    assert len(set(samples[~np.isnan(samples)])) > 15


def _known_mean(figures):
    known = figures[~np.isnan(figures)]
    return known.mean() if known.size else math.nan


def test_equal_detectors_differ_by_nothing_in_every_sample():
    objects, predictions = random_case(8)
    samples = [
        bootstrap_average_precision(match_boxes(objects, predictions, 3, (0.5,)), resamples=50)
        for _ in range(2)
    ]
    assert percentile_interval(samples[0] - samples[1]) == (0, 0)
    low, high = percentile_interval(samples[0])
    assert low < np.nanmean(samples[0]) < high
    assert percentile_interval(np.array([math.nan, 1.0, 2.0]), level=0.9) == (1.0, 2.0)


def test_mistakes_are_named():
    box = [[0, 0, 1, 1]]
    with pytest.raises(ValueError, match="1 images have objects, but 0 have predictions"):
        match_boxes([Objects(box, [0])], [], 1, THRESHOLDS)
    with pytest.raises(ValueError, match="class numbers expect 0 to 0; received"):
        match_boxes([Objects(box, [1])], [Predictions([], [], [])], 1, THRESHOLDS)
    with pytest.raises(ValueError, match="expect one length"):
        match_boxes([Objects(box, [0])], [Predictions(box, [0.1, 0.2], [0])], 1, THRESHOLDS)
    with pytest.raises(ValueError, match="two or more images"):
        bootstrap_average_precision(match_boxes([Objects(box, [0])], [Predictions(box, [1], [0])], 1, (0.5,)))
    with pytest.raises(ValueError, match="level"):
        percentile_interval(np.ones(3), level=95)
