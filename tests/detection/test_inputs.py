"""What the detector sees, kind by kind."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.detection.inputs import DEFAULT_INPUT, INPUTS, detector_input, detector_inputs, needs_enhancer
from kind.enhancing.enhancer import Enhancer
from kind.enhancing.three_networks import KindEnhancer
from kind.export.operations import OPERATIONS
from kind.nn.colour_invariant import CIConv2d

IMAGES = np.random.default_rng(0).uniform(0.1, 0.4, (2, 9, 7, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def enhancer():
    """R = S, L = mean(S), R̂ = R², L̂ = α·L."""
    image, reflectance = keras.Input((None, None, 3)), keras.Input((None, None, 3))
    illumination, alpha = keras.Input((None, None, 1)), keras.Input((None, None, 1))
    mean = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer=keras.initializers.Constant(1 / 3))
    return KindEnhancer(
        keras.Model(image, [keras.layers.Activation("linear")(image), mean(image)]),
        keras.Model([reflectance, illumination], keras.layers.Multiply()([reflectance, reflectance])),
        keras.Model([illumination, alpha], keras.layers.Multiply()([illumination, alpha])),
    )


def expected(kind, alpha):
    low, high = (extreme(IMAGES, axis=(1, 2, 3), keepdims=True) for extreme in (np.min, np.max))
    stretched = (IMAGES - low) / (high - low)
    return {
        "raw": IMAGES,
        "stretched": stretched,
        "reflectance": stretched**2,
        "relit": stretched**2 * stretched.mean(axis=-1, keepdims=True) * alpha,
        "ciconv": np.repeat(np.clip(0.5 + CIConv2d("W", repeat_border=True)(IMAGES) / 8, 0, 1), 3, axis=-1),
    }[kind]


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("alpha", [5.0, 1.5])
def test_every_kind_equals_its_definition(kind, alpha, enhancer):
    seen = detector_input(enhancer, tf.constant(IMAGES), kind, alpha)
    np.testing.assert_allclose(seen, expected(kind, alpha), rtol=0, atol=1e-5)


def test_it_works_inside_a_graph_and_the_networks_run_once(enhancer, monkeypatch):
    eager = detector_inputs(enhancer, tf.constant(IMAGES), list(INPUTS))
    calls, whole = [], Enhancer.__call__
    monkeypatch.setattr(Enhancer, "__call__", lambda *args: calls.append(1) or whole(*args))
    graph = tf.function(lambda images: detector_inputs(enhancer, images, list(INPUTS)))
    for kind, images in graph(tf.constant(IMAGES)).items():
        np.testing.assert_allclose(images, eager[kind], atol=1e-6)
    assert len(calls) == 1


def test_the_others_need_no_networks():
    assert [kind for kind in INPUTS if needs_enhancer(kind)] == ["reflectance", "relit"]
    for kind in ("raw", "stretched", "ciconv"):
        np.testing.assert_allclose(
            detector_input(None, tf.constant(IMAGES), kind), expected(kind, 5.0), atol=1e-6
        )
    with pytest.raises(ValueError, match="kind 'relit' expects an enhancer; received None"):
        detector_input(None, tf.constant(IMAGES), "relit")


def test_edges_are_made_of_what_exports_may_hold():
    shape = tf.TensorSpec([None, None, None, 3])
    made = tf.function(lambda images: detector_input(None, images, "ciconv"), input_signature=[shape])
    assert {one.type for one in made.get_concrete_function().graph.get_operations()} <= OPERATIONS


def test_other_kinds_are_named(enhancer):
    with pytest.raises(ValueError, match="kind expects one of reflectance, .*; received 'bright'"):
        detector_input(enhancer, tf.constant(IMAGES), "bright")


def test_the_names_cost_no_tensorflow():
    script = "import sys, detection.inputs; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
    assert DEFAULT_INPUT == "reflectance"


def test_alpha_is_for_relit_alone():
    lite = Enhancer.load(variant="lite")
    images = tf.constant(IMAGES / 8)
    seen = detector_inputs(lite, images, ["relit", "reflectance"], 2.0)
    np.testing.assert_array_equal(seen["relit"], lite(images, 2.0).relit)
    np.testing.assert_array_equal(seen["reflectance"], lite(images).restored)
    assert np.abs(lite(images, 2.0).restored - seen["reflectance"]).max() > 0.01
