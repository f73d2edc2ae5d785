import numpy as np
import pytest
import tensorflow as tf

from kind.data.augmentation import crop_and_turn, turned


def numpy_turned(image, turn):
    image = np.rot90(image, turn % 4)
    return image[:, ::-1] if turn >= 4 else image


@pytest.mark.parametrize("turn", range(8))
def test_each_turn_equals_numpy(turn):
    image = np.arange(5 * 7 * 2).reshape(5, 7, 2)
    assert np.array_equal(turned(tf.constant(image), turn), numpy_turned(image, turn))
    in_graph = tf.function(
        turned, input_signature=[tf.TensorSpec([5, 7, 2], tf.int64), tf.TensorSpec([], tf.int32)]
    )
    assert np.array_equal(in_graph(image, turn), numpy_turned(image, turn))


def test_the_eight_turns_differ():
    image = tf.reshape(tf.range(9), [3, 3, 1])
    assert len({turned(image, turn).numpy().tobytes() for turn in range(8)}) == 8


def sample(height=9, width=11):
    values = np.arange(height * width).reshape(height, width, 1)
    return {"one": tf.constant(values), "three": tf.constant(np.repeat(values, 3, axis=-1))}


def test_all_arrays_get_one_crop_and_one_turn_found_in_the_image():
    seen = set()
    for number in range(40):
        result = crop_and_turn(sample(), 4, tf.constant([7, number]))
        one, three = result["one"].numpy(), result["three"].numpy()
        assert one.shape == (4, 4, 1) and three.shape == (4, 4, 3)
        assert np.array_equal(np.repeat(one, 3, axis=-1), three)
        upright = [turn for turn in range(8) for crop in [windows(one, turn)] if crop is not None]
        assert len(upright) == 1
        seen.add((upright[0], int(one.min())))
    assert {turn for turn, _ in seen} == set(range(8))
    assert len({corner for _, corner in seen}) > 10


def windows(crop, turn):
    """The window of the image that becomes `crop` when turned, None when there is none."""
    image = sample()["one"].numpy()
    top, left = divmod(int(crop.min()), image.shape[1])
    window = image[top : top + 4, left : left + 4]
    return window if np.array_equal(numpy_turned(window, turn), crop) else None


def test_crops_reach_both_ends_and_the_whole():
    tops = {int(crop_and_turn(sample(6, 6), 5, tf.constant([0, n]))["one"].numpy().min()) for n in range(60)}
    assert tops == {0, 1, 6, 7}
    whole = crop_and_turn(sample(5, 5), 5, tf.constant([0, 1]))["one"].numpy()
    assert sorted(whole.ravel()) == list(range(25))


def test_the_same_seed_gives_the_same_bytes_eagerly_and_in_a_dataset():
    seed = tf.constant([3, 5])
    eager = crop_and_turn(sample(), 4, seed)["three"]
    dataset = tf.data.Dataset.from_tensors(sample()).map(lambda s: crop_and_turn(s, 4, seed))
    assert np.array_equal(next(iter(dataset))["three"], eager)
