import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kind.detection.letterbox import letterbox, to_canvas, to_image

SIZES = [(480, 640), (640, 480), (1, 1), (37, 500), (333, 500), (64, 64)]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("square", [False, True])
def test_the_canvas_holds_the_image_at_the_top_left(height, width, square):
    image = np.random.default_rng(0).random((height, width, 3), np.float32)
    box = letterbox(tf.constant(image[np.newaxis]), 160, square=square)
    rows, columns = int(box.height), int(box.width)
    assert max(rows, columns) == 160
    canvas = box.images[0].numpy()
    sides = (160, 160) if square else (-(-rows // 32) * 32, -(-columns // 32) * 32)
    assert canvas.shape == (*sides, 3)
    np.testing.assert_allclose(canvas[rows:], 114 / 255, atol=1e-6)
    np.testing.assert_allclose(canvas[:, columns:], 114 / 255, atol=1e-6)
    scale = float(box.scale)
    assert abs(rows - height * scale) <= 1 and abs(columns - width * scale) <= 1


def test_resizing_is_bilinear_and_smooths_as_pillow_does():
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3)).astype(np.uint8)
    expected = np.asarray(Image.fromarray(image).resize((160, 120), Image.Resampling.BILINEAR)) / 255
    box = letterbox(tf.constant(image[np.newaxis] / np.float32(255)), 160)
    np.testing.assert_allclose(box.images[0, :120], expected, atol=1.5 / 255)


def test_an_image_of_the_right_size_stays_bit_for_bit():
    image = tf.constant(np.random.default_rng(0).random((1, 96, 160, 3), np.float32))
    assert np.array_equal(letterbox(image, 160).images, image)


def test_boxes_there_and_back():
    image = tf.zeros([1, 300, 400, 3])
    canvas = letterbox(image, 160)
    boxes = tf.constant([[10.0, 20.0, 300.0, 299.0]])
    np.testing.assert_allclose(to_canvas(boxes, canvas), boxes * 0.4, rtol=1e-6)
    np.testing.assert_allclose(to_image(to_canvas(boxes, canvas), canvas, 300, 400), boxes, rtol=1e-6)
    outside = to_image(tf.constant([[-5.0, -5.0, 170.0, 130.0]]), canvas, 300, 400)
    np.testing.assert_array_equal(outside, [[0, 0, 400, 300]])


def test_inside_tf_data_with_sizes_known_only_there():
    images = [np.full((height, width, 3), 0.5, np.float32) for height, width in SIZES[:3]]
    data = tf.data.Dataset.from_generator(lambda: images, output_signature=tf.TensorSpec([None, None, 3]))
    batch = next(
        iter(data.map(lambda image: letterbox(image[tf.newaxis], 96, square=True).images[0]).batch(3))
    )
    assert batch.shape == (3, 96, 96, 3)
    assert data.map(
        lambda image: letterbox(image[tf.newaxis], 96, square=True).images
    ).element_spec.shape == (
        1,
        96,
        96,
        3,
    )


@pytest.mark.parametrize("size", [0, 33, -32])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match="multiple of 32"):
        letterbox(tf.zeros([1, 8, 8, 3]), size)
