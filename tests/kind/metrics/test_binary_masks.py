"""Figures of masks against their definitions, pixel by pixel."""

import numpy as np
import pytest

from kind.metrics.binary_masks import Counts, count_pixels, figures_of, resampled_totals, total_of


def test_counts_and_figures_are_those_of_the_definitions():
    random = np.random.default_rng(0)
    predicted, true = random.random((9, 11)) < 0.4, random.random((9, 11)) < 0.3
    counts = count_pixels(predicted, true)
    assert counts == (
        sum(p and t for p, t in zip(predicted.flat, true.flat)),
        sum(p and not t for p, t in zip(predicted.flat, true.flat)),
        sum(t and not p for p, t in zip(predicted.flat, true.flat)),
        sum(not p and not t for p, t in zip(predicted.flat, true.flat)),
    )
    figures = figures_of(counts)
    precision, recall = (predicted & true).sum() / predicted.sum(), (predicted & true).sum() / true.sum()
    accuracy = (predicted == true).mean()
    chance = predicted.mean() * true.mean() + (1 - predicted.mean()) * (1 - true.mean())
    expected = {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall),
        "iou": (predicted & true).sum() / (predicted | true).sum(),
        "accuracy": accuracy,
        "kappa": (accuracy - chance) / (1 - chance),
    }
    assert figures._asdict() == pytest.approx(expected)


def test_a_right_mask_is_perfect_and_an_empty_one_has_no_precision():
    mask = np.eye(4, dtype=bool)
    assert figures_of(count_pixels(mask, mask)) == (1, 1, 1, 1, 1, 1)
    nothing = figures_of(count_pixels(mask & False, mask))
    assert nothing.f1 == nothing.iou == nothing.recall == 0 and np.isnan(nothing.precision)
    assert np.isnan(figures_of(Counts(0, 0, 0, 16)).f1)
    with pytest.raises(ValueError, match="one shape"):
        count_pixels(mask, mask[:2])


def test_many_counts_at_a_time_and_totals():
    each = [Counts(1, 2, 3, 4), Counts(5, 0, 1, 9)]
    assert total_of(each) == (6, 2, 4, 13)
    both = figures_of(np.array(each))
    np.testing.assert_allclose(both.iou, [figures_of(one).iou for one in each])
    drawn = resampled_totals(each, 50)
    assert drawn.shape == (50, 4)
    assert {tuple(row) for row in drawn} == {(2, 4, 6, 8), (6, 2, 4, 13), (10, 0, 2, 18)}
    np.testing.assert_array_equal(drawn, resampled_totals(each, 50))
