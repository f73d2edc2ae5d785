import numpy as np
import pytest

from kind.metrics.protocols import DEFINITIONS, GT_MEAN, GT_RATIO, RAW, match_mean, target_ratio


def _luma_mean(image):
    return (image.astype(np.float64) * [0.299, 0.587, 0.114]).sum(axis=-1).mean()


def test_match_mean_gives_the_target_its_brightness():
    generator = np.random.default_rng(0)
    output, target = generator.random((17, 12, 3)) * 0.4, generator.random((17, 12, 3)) * 0.8
    assert _luma_mean(match_mean(output, target)) == pytest.approx(_luma_mean(target), rel=1e-6)


def test_match_mean_recovers_a_target_that_was_only_dimmed():
    target = np.random.default_rng(1).random((8, 9, 3))
    np.testing.assert_allclose(match_mean(target * 0.3, target), target, atol=1e-6)


def test_match_mean_clips():
    output = np.array([[[0.1, 0.1, 0.1], [0.9, 0.9, 0.9]]])
    matched = match_mean(output, np.full((1, 2, 3), 0.8))
    np.testing.assert_allclose(matched, [[[0.16] * 3, [1.0] * 3]], atol=1e-6)


def test_a_black_output_stays_black():
    assert not match_mean(np.zeros((4, 4, 3)), np.ones((4, 4, 3))).any()


def test_match_mean_wants_colour_of_one_size():
    with pytest.raises(ValueError, match="RGB"):
        match_mean(np.zeros((4, 4)), np.zeros((4, 4)))
    with pytest.raises(ValueError, match="one size"):
        match_mean(np.zeros((4, 4, 3)), np.zeros((5, 4, 3)))


def test_target_ratio_of_a_worked_case():
    low = np.array([[0.1, 0.0999], [0.0, 0.2]])[..., None]
    high = np.array([[0.3, 0.5], [0.001, 0.4]])[..., None]
    expected = (0.3 / 0.1001 + 0.5 / 0.1 + 0.001 / 0.0001 + 0.4 / 0.2001) / 4
    assert target_ratio(low, high) == pytest.approx(expected, rel=1e-12)


def test_every_protocol_is_defined_in_words():
    assert set(DEFINITIONS) == {RAW, GT_MEAN, GT_RATIO}
    assert all(DEFINITIONS.values())
