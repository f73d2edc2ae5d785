import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.enhancing.three_networks import KindEnhancer
from kind.joint.config import JointConfig
from kind.joint.stage import SPEC, JointStage, joint_net
from kind.nn.saving import load_net, save_net


def nets():
    """Stand-ins with the names and shapes of the three networks; fixed functions that NumPy can do too."""
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3), name="image")
    parts = [keras.layers.Conv2D(n, 1, activation="sigmoid", name=f"to_{n}")(image) for n in (3, 1)]
    decom = keras.Model(image, parts, name="decomposition")
    reflectance, illumination, alpha = (keras.Input((None, None, n)) for n in (3, 1, 1))
    joined = keras.layers.Concatenate(name="join")([reflectance, illumination])
    restored = keras.layers.Conv2D(3, 1, activation="sigmoid", name="restored")(joined)
    joined = keras.layers.Concatenate(name="join")([illumination, alpha])
    adjusted = keras.layers.Conv2D(1, 1, activation="sigmoid", name="adjusted")(joined)
    restoration = keras.Model([reflectance, illumination], restored, name="restoration_unet")
    return [decom, restoration, keras.Model([illumination, alpha], adjusted, name="adjustment")]


@pytest.fixture(scope="module")
def stage():
    config = JointConfig(reconstruction_weight=0.5, similarity_weight=0.25)
    return SPEC.stage(SPEC.make_net(config, *nets()), config)


@pytest.fixture(scope="module")
def sample():
    high = np.random.default_rng(0).random((2, 13, 15, 3), np.float32)
    return {"low": tf.constant(high / 6), "high": tf.constant(high)}


def numpy_layer(layer, values):
    kernel, bias = (weights.astype(np.float64) for weights in layer.get_weights())
    return 1 / (1 + np.exp(-(values @ kernel[0, 0] + bias)))


def numpy_forward(stage, sample):
    decom, restoration, adjustment = (
        stage.net.get_layer(name) for name in ("decomposition", "restoration_unet", "adjustment")
    )
    low, high = (sample[side].numpy().astype(np.float64) for side in ("low", "high"))
    dark, bright = ([numpy_layer(decom.get_layer(f"to_{n}"), image) for n in (3, 1)] for image in (low, high))
    restored = numpy_layer(restoration.get_layer("restored"), np.concatenate(dark, axis=-1))
    alpha = 1 / np.mean(dark[1] / (bright[1] + 1e-4), axis=(1, 2, 3), keepdims=True) + 1e-4
    planes = np.broadcast_to(alpha, dark[1].shape)
    adjusted = numpy_layer(adjustment.get_layer("adjusted"), np.concatenate([dark[1], planes], axis=-1))
    return low, high, dark, bright, restored * adjusted


def test_terms_and_scores_equal_numpy(stage, sample):
    low, high, dark, bright, relit = numpy_forward(stage, sample)
    terms = {name: float(value) for name, value in stage.losses(sample, training=True).items()}
    reconstruction = np.abs(dark[0] * dark[1] - low).mean() + np.abs(bright[0] * bright[1] - high).mean()
    assert terms["mse"] == pytest.approx(np.mean((relit - high) ** 2), rel=1e-4)
    assert terms["reconstruction"] == pytest.approx(reconstruction, rel=1e-4)
    assert terms["reflectance_similarity"] == pytest.approx(np.abs(dark[0] - bright[0]).mean(), rel=1e-3)
    total = terms["mse"] + terms["ssim_loss"]
    total += 0.5 * terms["reconstruction"] + 0.25 * terms["reflectance_similarity"]
    assert terms["loss"] == pytest.approx(total, rel=1e-5) and list(terms) == list(stage.loss_names)
    one = {name: value[:1] for name, value in sample.items()}
    scores = stage.image_metrics(one)
    assert float(scores["psnr"]) == pytest.approx(-10 * np.log10(np.mean((relit - high)[0] ** 2)), rel=1e-4)
    assert float(scores["ssim"]) == pytest.approx(1 - float(stage.losses(one, False)["ssim_loss"]), abs=1e-6)


def test_the_gradient_reaches_all_three_networks_but_not_the_ratio(stage, sample):
    with tf.GradientTape() as tape:
        loss = stage.losses(sample, training=True)["mse"]
    gradients = tape.gradient(loss, stage.net.trainable_variables)
    assert len(gradients) == 8 and all(np.any(gradient != 0) for gradient in gradients)
    with tf.GradientTape() as tape:
        tape.watch(sample["high"])
        relit = tf.reduce_sum(stage.visualisations(sample)[4])
    assert np.all(tape.gradient(relit, sample["high"]) == 0)  # it enters through the ratio only


def test_the_parts_of_a_saved_network_are_the_enhancer(stage, sample, tmp_path):
    save_net(stage.net, tmp_path / "joint.keras")
    loaded = load_net(tmp_path / "joint.keras")
    parts = stage.parts(loaded)
    assert list(parts) == ["decom", "restoration", "illumination"]
    enhanced = KindEnhancer(**parts)(sample["low"], alpha=3.0)
    relit = joint_net(*parts.values())([enhanced.stretched, tf.fill((2, 13, 15, 1), 3.0)])
    np.testing.assert_allclose(relit, enhanced.relit, atol=1e-6)


def test_pictures_and_recipe(stage, sample):
    assert [picture.shape[-1] for picture in stage.visualisations(sample)] == [3, 3, 3, 1, 3, 3]
    assert isinstance(stage, JointStage) and not SPEC.needs_decom
