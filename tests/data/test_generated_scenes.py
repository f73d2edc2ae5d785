"""Generated scenes, against what is painted in them pixel by pixel."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from kind.data.annotations.layouts import read_yolo_folder
from kind.data.drawn_objects import CLASSES, draw_object
from kind.data.generated_scenes import builtin_backgrounds, generated_scene, write_scenes
from kind.errors import UserError
from kind.images.photo import read_photo

GREY = [np.full((200, 260, 3), 200, np.uint8)]


@pytest.fixture(scope="module")
def scenes():
    return [generated_scene(GREY, seed=1, index=index, size=128) for index in range(60)]


@pytest.mark.parametrize("label", range(len(CLASSES)))
@pytest.mark.parametrize("size", [(4, 5), (37, 61), (120, 90)])
def test_objects_fit_their_patch(label, size):
    item = draw_object(label, *size, np.random.default_rng(label))
    assert item.colour.shape == (*size, 3) and 0 <= item.colour.min() <= item.colour.max() <= 1
    inside = item.distance < 0
    assert np.isfinite(item.distance).all() and 0.15 < inside.mean() < 0.85
    if min(size) > 30:  # the outline ends inside the patch
        border = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])
        assert not border.any()


def test_a_ball_is_round():
    inside = draw_object(CLASSES.index("ball"), 200, 200, np.random.default_rng(0)).distance < 0
    y, x = np.mgrid[:200, :200] - 99.5
    assert (inside == (np.hypot(x, y) < 95)).mean() > 0.999


def test_boxes_are_tight_around_what_is_seen(scenes):
    for scene in scenes:
        assert sorted(set(scene.owners.ravel()) - {-1}) == list(range(len(scene.boxes)))
        for number, box in enumerate(scene.boxes):
            seen = Image.fromarray(scene.owners == number)
            assert tuple(box) == seen.getbbox()


def test_colour_is_where_the_owners_say(scenes):
    """On a grey photograph everything coloured is an object, but for a soft edge, longer at sharp tips."""
    for scene in scenes:
        coloured = np.ptp(scene.image, axis=2) > 3
        stray = [coloured & ~ndimage.binary_dilation(scene.owners >= 0, iterations=n) for n in (1, 4)]
        assert stray[0].mean() < 0.001 and not stray[1].any()
        if len(scene.boxes):
            assert coloured[scene.owners >= 0].mean() > 0.5


def test_there_are_scenes_of_every_kind(scenes):
    counts = [len(scene.boxes) for scene in scenes]
    assert min(counts) == 0 and max(counts) >= 4
    assert set(np.concatenate([scene.classes for scene in scenes]).tolist()) == set(range(len(CLASSES)))
    sides = np.concatenate([scene.boxes[:, 2:] - scene.boxes[:, :2] for scene in scenes])
    assert sides.min() >= 2 and sides.max() > 128 / 3
    overlapping = [scene for scene in scenes if _overlap(scene.boxes)]
    assert overlapping, "nothing is in front of anything"


def _overlap(boxes):
    return any(
        (np.minimum(a[2:], b[2:]) > np.maximum(a[:2], b[:2])).all()
        for number, a in enumerate(boxes)
        for b in boxes[:number]
    )


def test_seed_and_index_decide_everything():
    one, same = (generated_scene(GREY, 5, 2, 96) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same))
    for other in (generated_scene(GREY, 5, 3, 96), generated_scene(GREY, 6, 2, 96)):
        assert not np.array_equal(one.image, other.image)


def test_small_and_odd_photographs_do():
    for shape in ((1, 1, 3), (3, 400, 3), (90, 20, 3)):
        scene = generated_scene([np.zeros(shape, np.uint8)], 0, 0, 64)
        assert scene.image.shape == (64, 64, 3)
    with pytest.raises(ValueError, match="received 0 photographs"):
        generated_scene([], 0, 0)
    with pytest.raises(ValueError, match="a size of 64 or more"):
        generated_scene(GREY, 0, 0, 32)


def test_they_are_written_in_yolos_form_and_read_again(tmp_path):
    counts = write_scenes(tmp_path, 6, seed=4, size=96)
    found = read_yolo_folder(tmp_path)
    assert found.class_names == CLASSES and found.problems == () and len(found.images) == 6
    backgrounds = builtin_backgrounds()
    for index, image in enumerate(found.images):
        scene = generated_scene(backgrounds, 4, index, 96)
        assert image.path.name == f"{index:06d}.png"
        np.testing.assert_allclose(image.boxes, scene.boxes, atol=1e-4)
        np.testing.assert_array_equal(image.classes, scene.classes)
        np.testing.assert_array_equal(np.rint(read_photo(image.path).pixels * 255), scene.image)
    assert (
        counts.tolist()
        == np.bincount(
            np.concatenate([image.classes for image in found.images]), minlength=len(CLASSES)
        ).tolist()
    )


def test_more_scenes_begin_with_the_same_ones(tmp_path):
    write_scenes(tmp_path / "few", 2, size=64, photographs=GREY)
    write_scenes(tmp_path / "many", 4, size=64, photographs=GREY)
    for path in (tmp_path / "few").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "many" / path.relative_to(tmp_path / "few")).read_bytes()
    write_scenes(tmp_path / "few", 3, size=64, photographs=GREY)  # going on is no mistake
    with pytest.raises(UserError, match="000003.png, which is not of this data set"):
        write_scenes(tmp_path / "many", 3, size=64, photographs=GREY)


def test_scenes_can_be_developed(tmp_path):
    write_scenes(tmp_path, 2, size=64, photographs=GREY, develop=lambda pixels, index: pixels * 0 + index)
    assert [read_photo(path).pixels.mean() for path in sorted(tmp_path.glob("images/*"))] == [0, 1]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        write_scenes(tmp_path / "file", 1, size=64, photographs=GREY)
