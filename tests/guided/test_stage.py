"""Training of the guided variants: what each optimizer steps, what is logged, that a run resumes."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.cli.pack import _PACKED
from kind.errors import UserError
from kind.guided.config import GuidedConfig
from kind.guided.model import NAMES, NETWORKS, Design
from kind.guided.stage import GuidedStage
from kind.nn.saving import weights_digest
from kind.training.loop import Datasets, train
from kind.training.run_folder import RunFolder, describe

TINY = Design(widths=(4, 6, 8, 8))


def sample(batch=2, side=32):
    high = tf.random.stateless_uniform([batch, side, side, 3], [0, 1])
    return {"low": high / 4, "high": high}


def stage_of(network, **settings):
    keras.utils.set_random_seed(0)
    settings = {
        "epochs": 4,
        "steps": 2,
        "learning_rate": 1e-2,
        **GuidedConfig.defaults({"network": network}),
        **settings,
    }
    config = GuidedConfig(network=network, **settings)
    return GuidedStage(NETWORKS[network](TINY), config)


def names_of(stage, part):
    return {name.partition("/")[0] for name in (weights.name for weights in part)}


@pytest.mark.parametrize("network", NAMES[1:])
@pytest.mark.slow
def test_each_optimizer_follows_its_own_loss(network):
    stage = stage_of(network)
    stage.set_up(2)
    predictor, main = stage.grouped_optimizer.parts
    shared = {weights.ref() for weights in predictor} & {weights.ref() for weights in main}
    assert bool(shared) == (network == "guided-y-shared")
    union = {weights.ref() for weights in (*predictor, *main)}
    assert union == {weights.ref() for weights in stage.net.trainable_weights}
    assert len(stage.grouped_optimizer.all_weights) == len(union)
    with tf.GradientTape(persistent=True) as tape:
        terms = stage.losses(sample(), training=True)
        predicted, enhanced = stage.objectives(terms)
    assert float(predicted + enhanced) == pytest.approx(float(terms["loss"]))
    own = [weights for weights in main if weights.ref() not in shared]
    assert all(gradient is None for gradient in tape.gradient(predicted, own))
    of_predictor = [weights for weights in predictor if weights.ref() not in shared]
    assert all(gradient is None for gradient in tape.gradient(terms["absolute_error"], of_predictor))
    assert all(gradient is not None for gradient in tape.gradient(predicted, predictor))
    assert all(gradient is not None for gradient in tape.gradient(enhanced, main))


def datasets():
    many = tf.data.Dataset.from_tensors(sample()).repeat()
    one = tf.data.Dataset.from_tensors(sample(1))
    return Datasets(lambda *_: many, 2, one, list(one), lambda *_: ["x"], training_part=one)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One run of four epochs, and the same stopped after two and resumed."""
    folders = []
    for name, lengths in (("whole", [4]), ("halves", [2, 4])):
        path = tmp_path_factory.mktemp(name)
        for length in lengths:
            stage = stage_of("guided-y-shared", epochs=4, validate_epochs=2)
            if length < 4:
                fit = stage.fit
                stage.fit = lambda *given, fit=fit, **named: fit(*given, **{**named, "epochs": 2})
            folder = RunFolder(path)
            with folder.opened(describe("guided", stage.config), {"training": {}, "validation": {}}):
                train(lambda stage=stage: stage, datasets(), folder)
        folders.append((RunFolder(path), stage))
    return folders


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_same_bits(runs):
    (whole, first), (halves, second) = runs
    assert weights_digest(first.net) == weights_digest(second.net)
    assert whole.metrics_file.read_bytes() == halves.metrics_file.read_bytes()


@pytest.mark.slow
def test_scores_of_training_images_stand_beside_those_of_validation(runs):
    records = [json.loads(line) for line in runs[0][0].metrics_file.read_text().splitlines()]
    assert "train_psnr" not in records[0]
    scores = {name for name in records[1] if name.startswith("train_")}
    assert scores == {"train_psnr", "train_ssim", "train_psnr_constant", "train_ssim_constant"}
    assert records[1]["train_psnr"] == records[1]["val_psnr"]  # here they are the same image
    assert runs[0][0].curves_file.stat().st_size > 1000


def test_the_network_that_is_told_the_brightness_has_no_loss_of_it():
    stage = stage_of("guided")
    terms = stage.losses(sample(), training=True)
    assert float(terms["brightness"]) == 0.0
    plane = stage._enhanced(sample(), training=False)[1]
    luma = np.asarray(sample()["high"]) @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(plane[:, 0, 0, 0], luma.mean((1, 2)), rtol=1e-5)
    constant = stage_of("guided", conditioning="constant")._enhanced(sample(), training=False)[1]
    np.testing.assert_allclose(constant, 0.458971, rtol=1e-6)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UserError, match="--scale-factor expects one of 1, 0.5, 0.25, 0.125"):
        GuidedConfig(scale_factor=0.3)
    with pytest.raises(UserError, match="--radius expects at least 1"):
        GuidedConfig(radius=0)
    assert GuidedConfig.defaults({"network": "guided-y"}) == {"conditioning": "constant"}
    assert set(NAMES) <= set(_PACKED)
