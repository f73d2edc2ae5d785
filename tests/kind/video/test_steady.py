"""Statistics are averaged within scenes, the same from wherever one begins to read."""

import numpy as np
import pytest

from kind.video.steady import (
    Looked,
    frames_on_each_side,
    glance,
    is_cut,
    relative_changes,
    steadied,
)


def looked(values, cuts=()):
    """Frames with a number as their statistics; scenes differ in their brightness."""
    scene = 0
    for number, value in enumerate(values):
        scene += number in cuts
        yield Looked(number, (np.float32([value]),), np.full((16, 16, 3), 0.1 * 3**scene, np.float32))


def averages(values, half, cuts=()):
    return [float(statistics[0][0]) for _, statistics in steadied(looked(values, cuts), half)]


def test_the_average_is_a_triangle_over_neighbours():
    values = np.random.default_rng(0).random(9)
    expected = []
    for place in range(9):
        weights = np.maximum(0, 3 - np.abs(np.arange(9) - place))
        expected.append(values @ weights / weights.sum())
    assert averages(values, 2) == pytest.approx(expected, rel=1e-6)


def test_what_is_a_frames_own_is_not_averaged():
    assert [float(own[0][0]) for _, own in steadied(looked([1, 2, 3]), 2, own=[0])] == [1, 2, 3]


def test_nothing_is_averaged_over_a_cut():
    assert averages([1, 1, 1, 5, 5, 5], 4, cuts=[3]) == [1, 1, 1, 5, 5, 5]
    assert averages([1, 1, 5, 9, 9], 4, cuts=[2, 3]) == pytest.approx([1, 1, 5, 9, 9])


def test_a_frame_is_the_same_wherever_reading_begins():
    values = np.random.default_rng(1).random(40).astype(np.float32)
    whole, cuts = averages(values, 5, cuts=[12, 30]), [12, 30]
    late = averages(values[14:], 5, cuts=[cut - 14 for cut in cuts if cut > 14])
    assert late[5:] == whole[19:]


def test_a_constant_stays_and_so_does_what_is_unknown():
    assert averages([2.5] * 7, 3) == pytest.approx([2.5] * 7)
    assert np.isnan(averages([np.nan] * 3, 2)).all()
    assert averages([-np.inf] * 3, 2) == [-np.inf] * 3
    assert averages([], 3) == [] and averages([4], 3) == [4]


def test_a_glance_is_the_mean_of_cells():
    pixels = np.zeros((128, 160, 3), np.uint8)
    pixels[64:] = 255
    assert glance(pixels)[:8].max() == 0 and glance(pixels)[8:].min() == 1
    assert glance(np.full((1, 3, 3), 51, np.uint8)) == pytest.approx(np.full((16, 16, 3), 0.2))


def test_noise_and_motion_are_no_cut_and_another_scene_is_one():
    noise = np.random.default_rng(2)
    waves = 12 * (1 + np.sin(np.mgrid[:96, :128][1] / 15))[..., None] * np.ones(3)

    def shown(pixels):
        return glance(np.clip(pixels + noise.normal(0, 3, pixels.shape), 0, 255).astype(np.uint8))

    assert not is_cut(shown(waves), shown(waves)) and not is_cut(shown(waves), shown(np.roll(waves, 2, 1)))
    assert is_cut(shown(waves), shown(waves[:, ::-1] * np.array([3, 0.2, 1])))
    assert is_cut(shown(waves), shown(4 * waves))  # the light goes on
    assert not is_cut(glance(np.zeros((48, 64, 3), np.uint8)), glance(np.zeros((48, 64, 3), np.uint8)))


def test_half_a_second_within_memory():
    assert frames_on_each_side(24, (720, 1280)) == 12 and frames_on_each_side(60, (720, 1280)) == 15
    assert frames_on_each_side(30, (4320, 7680)) == 2 and frames_on_each_side(0.5, (10, 10)) == 1


def test_changes_are_shares_of_the_mean():
    assert relative_changes([2, 3, 3]) == pytest.approx([0.5, 0])
