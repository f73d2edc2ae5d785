"""Losses and weights that the command line adds to a stage's objective."""

import argparse
from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.cli.setting_flags import add_flags, config_from_flags
from kind.decom.config import DecompositionConfig
from kind.decom.stage import DecompositionStage
from kind.errors import UserError
from kind.illumination.config import AdjustmentConfig
from kind.illumination.stage import AdjustmentStage
from kind.lite.config import LiteConfig
from kind.lite.stage import LiteStage
from kind.losses import catalogue
from kind.restoration.config import RestorationConfig
from kind.restoration.stage import RestorationStage
from kind.training.added_losses import IMAGE_INPUTS, added_losses, compared_images
from kind.training.config import TrainingConfig, option
from kind.training.objective import Added, parse_loss, parse_losses, parse_weights
from kind.training.run_changes import differences
from kind.training.run_folder import describe
from kind.training.stage import Stage


@dataclass(frozen=True)
class OpenConfig(TrainingConfig):
    patch: int = option(5, "")


def open_net():
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3), name="image")
    values = keras.layers.Conv2D(4, 1, name="encode")(image)
    return keras.Model(image, keras.layers.Conv2D(3, 1, name="decode")(values), name="open")


class OpenStage(Stage):
    """Low → high, which other losses may compare too."""

    loss_names = ("loss", "squared", "absolute")
    compared = {"bright": IMAGE_INPUTS | {catalogue.SOURCE}}

    @classmethod
    def term_weights(cls, config):
        return {"squared": 1.0, "absolute": 0.5}

    def built_in_losses(self, sample, training):
        output = self.net(sample["low"], training=training)
        error = output - sample["high"]
        terms = {"squared": tf.reduce_mean(error**2), "absolute": tf.reduce_mean(tf.abs(error))}
        total = terms["squared"] + 0.5 * terms["absolute"]
        return {"loss": total, **terms}, {"bright": compared_images(output, sample["high"], sample["low"])}


class FakeFeatures:
    """Stands for a network that is read from a file."""

    digest = "0123"

    def __call__(self, images):
        return [2.0 * images]


def load(file, layers):
    return FakeFeatures()


def stage_of(config):
    stage = OpenStage(open_net(), config)
    added = added_losses(OpenStage, config, load)
    if added:
        stage.add_losses(added)
    return stage, added


@pytest.fixture
def sample():
    low = tf.random.stateless_uniform([2, 5, 6, 3], [0, 1])
    return {"low": low / 2, "high": low}


def test_texts_are_read():
    assert parse_loss("charbonnier=0.1") == Added("charbonnier", 0.1)
    assert parse_loss("perceptual=0.05:vgg.h5:block3_conv3") == Added(
        "perceptual", 0.05, "vgg.h5", "block3_conv3"
    )
    assert parse_loss("perceptual=1:some/vgg.h5") == Added("perceptual", 1, None, None)._replace(
        file="some/vgg.h5"
    )
    assert parse_loss("perceptual=1::block3") == Added("perceptual", 1, None, "block3")
    assert parse_loss("texture=1:C:/vgg.h5").file == "C:/vgg.h5"
    assert parse_loss("ms-ssim=0.5").term == "ms_ssim_loss"
    assert parse_loss("perceptual=1:vgg.h5:block3").term == "perceptual_block3_loss"
    assert parse_weights(["mse=0", "gradient=2"]) == {"mse": 0, "gradient": 2}
    for wrong in ("charbonnier", "charbonnier=", "=1", "l1=-1", "l1=nan", "l1=much"):
        with pytest.raises(UserError, match="--loss expects NAME=WEIGHT"):
            parse_loss(wrong)
        with pytest.raises(UserError, match="--loss-weight expects NAME=WEIGHT"):
            parse_weights([wrong])
    with pytest.raises(UserError, match="l1: given more than once"):
        parse_losses(["l1=1", "l1=2"])
    with pytest.raises(UserError, match="mse: given more than once"):
        parse_weights(["mse=1", "mse=2"])


def test_flags_may_be_given_several_times():
    parser = argparse.ArgumentParser()
    add_flags(parser, OpenConfig)
    flags = parser.parse_args(["--loss", "l1=1", "--loss", "ssim=2", "huber=3", "--loss-weight", "squared=0"])
    config = config_from_flags(OpenConfig, flags)
    assert config.loss == ("l1=1", "ssim=2", "huber=3") and config.loss_weight == ("squared=0",)
    assert config_from_flags(OpenConfig, parser.parse_args([])).loss == ()


def test_added_terms_are_weighed_and_named(sample):
    texts = ("charbonnier=0.1", "perceptual=0.25:vgg.h5:block3", "spatial-consistency=2", "l2-weights=0.5")
    stage, added = stage_of(OpenConfig(loss=texts))
    output = stage.net(sample["low"], training=False).numpy()
    error = output - sample["high"].numpy()
    terms = {name: float(term) for name, term in stage.losses(sample, training=False).items()}
    names = ["charbonnier_loss", "perceptual_block3_loss", "spatial_consistency_loss", "l2_weights_loss"]
    assert list(terms) == ["loss", "squared", "absolute", *names] and added.names == tuple(names)
    assert terms["charbonnier_loss"] == pytest.approx(np.sqrt(error**2 + 1e-6).mean(), rel=1e-5)
    assert terms["perceptual_block3_loss"] == pytest.approx(4 * (error**2).mean(), rel=1e-5)
    kernels = [layer.kernel.numpy() for layer in stage.net.layers if hasattr(layer, "kernel")]
    assert terms["l2_weights_loss"] == pytest.approx(sum((k**2).sum() for k in kernels) / 2, rel=1e-5)
    weights = dict(zip(terms, (0, 1, 0.5, 0.1, 0.25, 2, 0.5)))
    assert terms["loss"] == pytest.approx(sum(weights[name] * terms[name] for name in terms), rel=1e-5)
    assert added.digests == {"perceptual_block3_loss": "0123"}


def test_a_step_of_training_logs_them(sample):
    stage, _ = stage_of(OpenConfig(loss=("l1=1",), loss_weight=("squared=0",)))
    stage.set_up(1)
    logs = stage.train_step(sample)
    assert list(logs) == ["loss", "squared", "absolute", "l1_loss"]
    assert float(logs["loss"]) == pytest.approx(1.5 * float(logs["absolute"]), rel=1e-5)


def test_a_term_of_weight_0_has_no_part_in_the_total(sample):
    plain, added = stage_of(OpenConfig())
    assert added is None
    terms = plain.losses(sample, training=False)
    stage, _ = stage_of(OpenConfig(loss_weight=("absolute=0",)))
    off = stage.losses(sample, training=False)
    assert float(off["loss"]) == pytest.approx(float(terms["squared"]), rel=1e-6)
    assert float(off["absolute"]) == pytest.approx(float(terms["absolute"]), rel=1e-6)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"loss": ("l3=1",)}, "--loss l3: no such loss; `kind losses` lists them"),
        ({"loss": ("ms-ssim=1",)}, "--loss ms-ssim expects --patch of at least 176, received 5"),
        ({"loss": ("hinge-generator=1",)}, "takes scores of generated images; OpenStage offers"),
        ({"loss": ("l1=1:vgg.h5",)}, "compares no features of a network; give l1=WEIGHT"),
        (
            {"loss_weight": ("mse=0",)},
            "--loss-weight mse: no built-in term of OpenStage; it has squared, absolute",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(settings, message):
    with pytest.raises(UserError) as caught:
        added_losses(OpenStage, OpenConfig(**settings), load)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "stage, config, wrong",
    [
        (RestorationStage, RestorationConfig(loss=("ssim=1",)), "ssim_loss is a built-in term"),
        (AdjustmentStage, AdjustmentConfig(loss=("region=1",)), "expects RGB images"),
        (DecompositionStage, DecompositionConfig(loss=("lovasz-hinge=1",)), "DecompositionStage offers"),
        (LiteStage, LiteConfig(loss_weight=("mse=1",)), "it has absolute_error, log_error"),
    ],
)
def test_stages_refuse_what_they_cannot_compare(stage, config, wrong):
    with pytest.raises(UserError, match=wrong):
        added_losses(stage, config, load)


def test_the_decomposition_compares_both_products_and_the_reflectances():
    config = DecompositionConfig(loss=("charbonnier=1", "illumination-tv=1", "self-consistency=1"))
    names = added_losses(DecompositionStage, config, load).names
    assert names[:3] == ("charbonnier_loss_low", "charbonnier_loss_high", "charbonnier_loss_reflectance")
    assert names[3:5] == ("illumination_tv_loss_low", "illumination_tv_loss_high")
    assert names[5:] == ("self_consistency_loss_low", "self_consistency_loss_high")


def test_the_light_network_refuses_weights_that_would_do_nothing():
    with pytest.raises(UserError, match="give no --loss"):
        LiteConfig(only_exposure=True, loss=("l1=1",))
    with pytest.raises(UserError, match="give --feature-weight"):
        LiteConfig(loss_weight=("features=1",))


def test_run_folders_record_them_and_refuse_a_change_by_name():
    plain, changed = describe("decom", OpenConfig()), describe("decom", OpenConfig(loss=("l1=1",)))
    assert "loss" not in plain and "loss_weight" not in plain  # as in run folders that are older
    assert changed["loss"] == ["l1=1"]
    assert differences(plain, changed) == ["loss was None, now ['l1=1']"]
    assert differences(changed, plain) == ["loss was ['l1=1'], now None"]
