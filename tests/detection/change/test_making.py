"""Made pairs: what is true of them by construction, and that a seed decides everything."""

import numpy as np
import pytest
import tensorflow as tf
from skimage import data

from kind.detection.change import making
from kind.detection.change.cutouts import SIDE, cut_outs
from kind.detection.change.lighting import DATES, LIGHTINGS, lit, lit_exactly
from kind.detection.change.making import OBJECTS, Pair, make_pair

SIZE = 48


@pytest.fixture(scope="module")
def photograph():
    return (data.astronaut()[::2, ::2] / 255).astype(np.float32)


@pytest.fixture(scope="module")
def objects(photograph):
    boxes = np.array([[10, 10, 90, 100], [120, 40, 200, 180]], np.float32)
    cut = cut_outs((data.chelsea()[::2, ::2] / 255).astype(np.float32), boxes, np.random.default_rng(0))
    return np.resize(cut, [OBJECTS, SIDE, SIDE, 4])


def made(photograph, objects, number=0, size=SIZE):
    return make_pair(tf.constant(photograph), tf.constant(objects), tf.constant([1, number]), size)


def still(monkeypatch):
    """Nothing but the changes differs between the dates."""
    monkeypatch.setattr(making, "_shifted", lambda canvas, seed: canvas)
    monkeypatch.setattr(making, "_another_day", lambda image, seed: image)


def test_a_seed_decides_everything(photograph, objects):
    first, again, other = (made(photograph, objects, number) for number in (3, 3, 4))
    for one, two in zip(first, again):
        np.testing.assert_array_equal(one, two)
    assert np.abs(first.before - other.before).max() > 0.1
    assert first.before.shape == (SIZE, SIZE, 3) and first.label.shape == (SIZE, SIZE, 1)
    assert set(np.unique(first.label)) <= {0, 1}
    assert 0 <= np.min(first.after) and np.max(first.after) <= 1


def test_the_label_is_where_the_dates_differ(photograph, objects, monkeypatch):
    """With all that is no change switched off; a moved object may look the same where it overlaps itself."""
    still(monkeypatch)
    monkeypatch.setattr(making, "_KINDS", (0.4, 0.8, 1.0))
    changed = 0
    for number in range(5):
        pair = made(photograph, objects, number)
        differs = np.abs(pair.before - pair.after).max(axis=-1)
        inside = pair.label.numpy()[..., 0] > 0
        around = tf.nn.max_pool2d(pair.label[tf.newaxis], 9, 1, "SAME")[0, ..., 0].numpy() > 0
        assert differs[~around].max(initial=0.0) < 0.1  # what is thinner than a pixel is half opaque at most
        assert (differs[~around] > 1e-6).mean() < 0.02
        if inside.any():
            changed += 1
            assert (differs[inside] > 0.01).mean() > 0.6
    assert changed >= 3


def test_objects_that_stand_at_both_dates_are_no_change(photograph, objects, monkeypatch):
    still(monkeypatch)
    monkeypatch.setattr(making, "_NUMBERS", (1.1, 1.1, 1.1))
    monkeypatch.setattr(making, "_COMMON_SHARE", 1.1)
    with_objects = made(photograph, objects)
    monkeypatch.setattr(making, "_COMMON_SHARE", -1.0)
    without = made(photograph, objects)
    assert np.max(with_objects.label) == 0
    np.testing.assert_array_equal(with_objects.before, with_objects.after)
    assert np.abs(with_objects.before - without.before).max() > 0.1


def test_what_cannot_be_seen_is_no_change(photograph, objects, monkeypatch):
    still(monkeypatch)
    pair = made(
        np.full_like(photograph, 0.5), np.tile([0.5, 0.5, 0.5, 1.0], [OBJECTS, SIDE, SIDE, 1]).astype("f")
    )
    assert np.max(pair.label) == 0


def test_cut_outs_are_squares_with_a_transparent_rim(photograph):
    found = cut_outs(photograph, np.array([[20, 20, 120, 160]], np.float32), np.random.default_rng(0))
    assert found.shape == (1, SIDE, SIDE, 4) and found.dtype == np.float32
    opacity = found[..., 3]
    assert opacity.max() > 0.9 and opacity[:, 0].max() == 0 and 0.1 < (opacity > 0.5).mean() < 0.9
    assert (found[..., :3] <= opacity[..., np.newaxis] + 1e-5).all()
    without_boxes = cut_outs(photograph[:40, :50], np.zeros([0, 4]), np.random.default_rng(0))
    assert len(without_boxes) == 3


@pytest.mark.parametrize("dates", DATES)
def test_the_dates_that_are_asked_for_are_dark(dates):
    bright = tf.constant(np.full([16, 16, 3], 0.7, np.float32))
    expected = {"none": {(0, 0)}, "after": {(0, 1)}, "one": {(0, 1), (1, 0)}, "both": {(1, 1)}}
    found = set()
    for number in range(3):
        pair = lit(Pair(bright, bright, bright[..., :1]), tf.constant([5, number]), dates)
        found.add(tuple(int(np.mean(one) < 0.65) for one in pair[:2]))
        np.testing.assert_allclose(pair.after * 255, np.rint(pair.after * 255), atol=1e-3)
    assert found == expected.get(dates, found)


def test_exact_lights():
    bright = tf.constant(np.full([16, 16, 3], 0.8, np.float32))
    pair = Pair(bright, bright, bright[..., :1])
    levels = {
        name: float(np.mean(lit_exactly(pair, tf.constant([0, 1]), lighting).after))
        for name, lighting in LIGHTINGS.items()
    }
    assert list(levels) == ["both bright", "B -2 stops", "B -4 stops, noise", "B dark ISP"]
    assert levels["both bright"] == pytest.approx(0.8, abs=1e-6)
    linear = ((0.8 + 0.055) / 1.055) ** 2.4
    assert levels["B -2 stops"] == pytest.approx(1.055 * (linear / 4) ** (1 / 2.4) - 0.055, abs=0.01)
    assert levels["B -4 stops, noise"] < 0.3 and levels["B dark ISP"] < 0.5
