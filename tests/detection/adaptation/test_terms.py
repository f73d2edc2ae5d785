"""The adaptation's terms against NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax

from kind.detection.adaptation import terms
from kind.detection.adaptation.terms import Twins
from kind.ops.ssim import ssim

generator = np.random.default_rng(3)
DARK, BRIGHT, REFERENCE = generator.random((3, 2, 16, 20, 3)).astype(np.float32)
LIGHT = Twins(*generator.random((2, 2, 16, 20, 1)).astype(np.float32))
PAIR = Twins(DARK, BRIGHT)


def test_the_reference_is_compared_by_value_and_by_structure():
    expected = sum(
        np.abs(one - REFERENCE).mean() + 1 - float(tf.reduce_mean(ssim(one, REFERENCE))) for one in PAIR
    )
    assert float(terms.reference_term(PAIR, REFERENCE)) == pytest.approx(expected, rel=1e-5)
    assert float(terms.reference_term(Twins(DARK, DARK), DARK)) == pytest.approx(0, abs=1e-5)


def test_averaged_features_are_compared_both_ways():
    expected = 0
    known, learned = (log_softmax(one.mean((1, 2)) / 4, axis=-1) for one in PAIR)
    for p, q in ((known, learned), (learned, known)):
        expected += 16 * (np.exp(p) * (p - q)).sum(-1).mean()
    assert float(terms.alignment_term(PAIR)) == pytest.approx(expected, rel=1e-3)
    assert float(terms.alignment_term(Twins(DARK, DARK[:, ::-1]))) == pytest.approx(0, abs=1e-5)


def test_the_illuminations_are_interchanged():
    expected = np.concatenate([LIGHT.dark * BRIGHT, LIGHT.bright * DARK])
    np.testing.assert_allclose(terms.interchanged(PAIR, LIGHT), expected, rtol=1e-6)
    # The first half holds the bright reflectance, the second the dark one.
    assert float(terms.interchange_term(PAIR, Twins(BRIGHT, DARK))) == 0
    expected = ((DARK - BRIGHT) ** 2).mean() * 2
    assert float(terms.interchange_term(PAIR, PAIR)) == pytest.approx(expected, rel=1e-5)


def test_products_are_compared_with_the_images():
    images = Twins(*(one * light for one, light in zip(PAIR, LIGHT)))
    assert float(terms.reconstruction_term(PAIR, LIGHT, images)) == pytest.approx(0, abs=1e-5)
    assert float(terms.reconstruction_term(PAIR, LIGHT, PAIR)) > 0.1
    same = tf.constant(DARK)
    assert float(terms.gram_term(Twins(same, same))) == 0 == float(terms.sobel_term(Twins(same, same), same))


@pytest.mark.parametrize(
    ("term", "moves"),
    [
        (lambda d, b: terms.agreement_term(Twins(d, b)), (True, False)),
        (lambda d, b: terms.gram_term(Twins(d, b)), (True, False)),
        (lambda d, b: terms.alignment_term(Twins(d, b)), (True, True)),
        (lambda d, b: tf.reduce_sum(terms.interchanged(Twins(d, b), LIGHT)), (False, False)),
        (lambda d, b: terms.interchange_term(Twins(d, b), PAIR), (False, False)),
        (lambda d, b: terms.reference_term(Twins(d, d), b), (True, False)),
        (lambda d, b: terms.sobel_term(Twins(d, d), b), (True, False)),
    ],
)
def test_what_is_detached_is_not_moved(term, moves):
    dark, bright = tf.constant(DARK), tf.constant(BRIGHT)
    with tf.GradientTape() as tape:
        tape.watch([dark, bright])
        value = term(dark, bright)
    assert tuple(part is not None for part in tape.gradient(value, [dark, bright])) == moves
