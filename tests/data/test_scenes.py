import numpy as np
import pytest
from skimage import data
from skimage.color import rgb2gray

from kind.data.scenes import likeness, scene_signature

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")


@pytest.fixture(scope="module")
def grays():
    return [rgb2gray(getattr(data, name)()).astype(np.float32) for name in PHOTOGRAPHS]


def alike(first, second):
    return float(likeness(scene_signature(first), scene_signature(second)[None])[0])


def test_a_scene_is_like_itself(grays):
    for picture in grays:
        assert alike(picture, picture) == pytest.approx(1, abs=1e-4)


def test_another_exposure_and_another_framing_are_the_same_scene(grays):
    for picture in grays:
        assert alike(picture, picture**0.5 * 0.7) > 0.8
        height, width = picture.shape
        assert (
            alike(picture[: height * 9 // 10, : width * 9 // 10], picture[height // 10 :, width // 10 :])
            > 0.5
        )


def test_other_scenes_are_not(grays):
    signatures = np.stack([scene_signature(picture) for picture in grays])
    for number, signature in enumerate(signatures):
        others = np.delete(likeness(signature, signatures), number)
        assert others.max() < 0.5


def test_likeness_equals_brute_force():
    first, second = np.random.default_rng(0).normal(size=(2, 64, 64)).astype(np.float32)
    expected = max(
        float((first * np.roll(second, (down, right), (0, 1))).sum())
        for down in range(64)
        for right in range(64)
    )
    assert likeness(first, second[None])[0] == pytest.approx(expected, rel=1e-4)


def test_flat_and_tiny_pictures_have_a_signature():
    assert not scene_signature(np.full((5, 7), 0.2, np.float32)).any()
    assert scene_signature(np.random.default_rng(0).random((1, 3), np.float32)).shape == (64, 64)
    assert likeness(np.zeros((64, 64), np.float32), np.zeros((0, 64, 64), np.float32)).shape == (0,)
