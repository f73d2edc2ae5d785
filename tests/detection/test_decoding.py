"""From raw outputs to boxes, against NumPy, eagerly and in exported graphs."""

import numpy as np
import pytest
import tensorflow as tf

from kind.detection.decoding import anchor_points, decode_boxes, detect, suppress


def reference_boxes(logits, height, width):
    """One anchor after another."""
    boxes, row = [], 0
    for stride in (8, 16, 32):
        for y in range(height // stride):
            for x in range(width // stride):
                powers = np.exp(logits[row].astype(float).reshape(4, 16))
                left, top, right, bottom = powers @ np.arange(16) / powers.sum(axis=1) * stride
                centre = (x + 0.5) * stride, (y + 0.5) * stride
                boxes.append([centre[0] - left, centre[1] - top, centre[0] + right, centre[1] + bottom])
                row += 1
    return np.array(boxes)


@pytest.mark.parametrize(("height", "width"), [(64, 96), (32, 32), (96, 32)])
def test_boxes_equal_the_definition(height, width):
    anchors = height * width * 21 // 1024
    logits = np.random.default_rng(0).normal(0, 2, (2, anchors, 64)).astype(np.float32)
    found = decode_boxes(tf.constant(logits), height, width)
    for number in range(2):
        expected = reference_boxes(logits[number], height, width)
        np.testing.assert_allclose(found[number], expected, rtol=0, atol=1e-4)
    centres, strides = anchor_points(height, width)
    assert centres.shape == (anchors, 2) and strides.shape == (anchors, 1)


def reference_suppression(boxes, scores, confidence, iou, most):
    """Greedy, box by box, each class by itself."""
    kept = []
    for label in range(scores.shape[1]):
        chosen = []
        for row in np.argsort(-scores[:, label], kind="stable"):
            if scores[row, label] <= confidence:
                break
            a = boxes[row]
            overlaps = []
            for b in (boxes[other] for other in chosen):
                sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
                shared = np.prod(np.maximum(sides, 0))
                overlaps.append(shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared))
            if max(overlaps, default=0) <= iou:
                chosen.append(row)
        kept += [(-scores[row, label], label, row) for row in chosen]
    return sorted(kept)[:most]


@pytest.mark.parametrize(("confidence", "iou", "most"), [(0.25, 0.7, 300), (0.0, 0.3, 300), (0.5, 0.5, 7)])
def test_suppression_is_greedy_and_for_each_class_by_itself(confidence, iou, most):
    generator = np.random.default_rng(1)
    corner = generator.random((2, 60, 2)) * 40
    boxes = np.concatenate([corner, corner + 5 + generator.random((2, 60, 2)) * 40], axis=2).astype(
        np.float32
    )
    scores = generator.random((2, 60, 3)).astype(np.float32)
    found = suppress(boxes, scores, confidence=confidence, iou=iou, max_detections=most)
    for number in range(2):
        expected = reference_suppression(boxes[number], scores[number], confidence, iou, most)
        count = int(found.counts[number])
        assert count == len(expected) > 3
        assert found.classes[number, :count].numpy().tolist() == [label for _, label, _ in expected]
        np.testing.assert_array_equal(
            found.boxes[number, :count], boxes[number][[row for *_, row in expected]]
        )
        assert not found.scores[number, count:].numpy().any()


def test_equal_boxes_of_two_classes_are_both_kept():
    found = suppress(np.zeros((1, 1, 4), np.float32) + [0, 0, 9, 9], np.array([[[0.8, 0.7]]], np.float32))
    assert found.counts[0] == 2 and found.classes[0, :2].numpy().tolist() == [0, 1]


def test_a_crowd_of_thousands():
    corner = np.stack(np.meshgrid(np.arange(60), np.arange(50)), axis=-1).reshape(1, -1, 2) * 10.0
    boxes = np.concatenate([corner, corner + 8], axis=2).astype(np.float32)
    scores = np.linspace(0.3, 0.9, 3000, dtype=np.float32).reshape(1, -1, 1)
    assert suppress(boxes, scores, max_detections=5000).counts[0] == 3000
    assert suppress(boxes, scores, max_detections=2500).boxes.shape == (1, 2500, 4)


def test_no_box_is_a_result_too():
    found = suppress(np.zeros((2, 5, 4), np.float32), np.zeros((2, 5, 3), np.float32))
    assert found.counts.numpy().tolist() == [0, 0] and not found.boxes.numpy().any()


class Painted(tf.keras.Model):
    """Stands for a detector: says "box of 5 strides a side" where the image is bright."""

    def call(self, images, training=False):
        scores, stride = [], 8
        for stride in (8, 16, 32):
            mean = tf.nn.avg_pool2d(tf.reduce_max(images, -1, keepdims=True), stride, stride, "VALID")
            scores.append(
                tf.reshape(mean, [tf.shape(images)[0], -1, 1])
                if stride == 8
                else tf.zeros([tf.shape(images)[0], tf.size(mean) // tf.shape(images)[0], 1])
            )
        scores = tf.concat(scores, axis=1)
        logits = tf.one_hot(tf.ones_like(scores[..., 0], tf.int32), 16) * 100.0  # every distance is 1 stride
        return {"boxes": tf.tile(logits, [1, 1, 4]), "classes": scores}


@pytest.mark.parametrize(("height", "width"), [(320, 320), (500, 333), (97, 640), (1280, 960)])
def test_boxes_come_back_in_pixels_of_the_image(height, width):
    scale = 320 / max(height, width)
    left, top = 64 / scale, 32 / scale  # the cell at 64, 32 on the canvas
    image = np.zeros((1, height, width, 3), np.float32)
    image[0, round(top) : round(40 / scale), round(left) : round(72 / scale)] = 1
    found = detect(Painted(), tf.constant(image), size=320, confidence=0.7)
    assert found.counts[0] == 1
    expected = np.array([68 - 8, 36 - 8, 68 + 8, 36 + 8]) / scale
    np.testing.assert_allclose(found.boxes[0, 0], expected, atol=1e-3)


class LeftEyed(Painted):
    """Sees nothing in the right half."""

    def call(self, images, training=False):
        half = tf.shape(images)[2] // 2
        return super().call(tf.concat([images[:, :, :half], 0.0 * images[:, :, half:]], axis=2))


def test_mirrored_views_come_back_where_they_are():
    image = np.zeros((1, 96, 320, 3), np.float32)
    image[0, 32:40, 64:72] = image[0, 64:72, 248:256] = 1
    views = {"size": 320, "confidence": 0.7}
    plain = detect(LeftEyed(), tf.constant(image), **views)
    assert plain.counts[0] == 1
    both = detect(LeftEyed(), tf.constant(image), **views, flip=True)
    found = sorted(both.boxes[0, : both.counts[0]].numpy().tolist())
    assert found == [[60, 28, 76, 44], [244, 60, 260, 76]]
    # Seen in both views, and reported once.
    assert detect(Painted(), tf.constant(image), **views, flip=True).counts[0] == 2


def test_larger_views_find_what_is_small():
    image = np.zeros((1, 160, 128, 3), np.float32)
    image[0, 32:36, 64:68] = 1
    views = {"size": 160, "confidence": 0.7}
    assert detect(Painted(), tf.constant(image), **views).counts[0] == 0
    found = detect(Painted(), tf.constant(image), **views, scales=(1.0, 2.0))
    assert found.counts[0] == 1
    np.testing.assert_allclose(found.boxes[0, 0], [62, 30, 70, 38], atol=0.01)
    one = detect(Painted(), tf.constant(image), **views, scales=(2.0,))
    np.testing.assert_allclose(one.boxes, found.boxes)
    with pytest.raises(ValueError, match="scales expects numbers above 0"):
        detect(Painted(), tf.constant(image), scales=())


def test_an_exported_graph_takes_any_size(tmp_path):
    """KerasCV's decoding needs fixed sizes, and a plain SavedModel lacks it."""
    net = Painted()

    class Served(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
        def detect(self, images):
            return detect(net, images, size=64, confidence=0.1, max_detections=20)._asdict()

    served = Served()
    tf.saved_model.save(served, str(tmp_path), signatures=served.detect)
    loaded = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    generator = np.random.default_rng(0)
    for height, width in ((33, 70), (64, 64), (5, 1)):
        images = tf.constant(generator.random((2, height, width, 3), np.float32))
        eager = detect(net, images, size=64, confidence=0.1, max_detections=20)
        assert eager.counts.numpy().min() > 0
        for name, values in loaded(images).items():
            np.testing.assert_allclose(values, getattr(eager, name), rtol=1e-5, atol=1e-5)
        boxes = eager.boxes.numpy()
        assert boxes.min() >= 0 and (boxes <= [width, height, width, height]).all()


def test_mistakes_are_named():
    boxes, scores = np.zeros((1, 1, 4), np.float32), np.zeros((1, 1, 1), np.float32)
    with pytest.raises(ValueError, match=r"confidence expects a number in \[0, 1\]; received 25"):
        suppress(boxes, scores, confidence=25)
    with pytest.raises(ValueError, match=r"iou expects"):
        suppress(boxes, scores, iou=-0.1)
    with pytest.raises(ValueError, match="at least 1; received 0"):
        suppress(boxes, scores, max_detections=0)
    with pytest.raises(ValueError, match="multiple of 32; received 100"):
        detect(Painted(), tf.zeros([1, 8, 8, 3]), size=100)
