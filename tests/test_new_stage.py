"""A new stage and a new variant: what a room brings and one line in each table are all that they need."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.cli import stages
from kind.cli.main import main, make_parser
from kind.decom.model import decomposition_net
from kind.enhancing import variants
from kind.enhancing.enhancer import Enhanced, Enhancer
from kind.enhancing.tiling.plan import TilePlan
from kind.errors import UserError
from kind.images.photo import read_photo, write_photo
from kind.nn.saving import load_net, save_net
from kind.nn.weights_folder import find_weights
from kind.training.config import TrainingConfig
from kind.training.stage import Stage
from kind.training.stage_spec import StageSpec

NAME = "third"


def third_net():
    image = keras.Input((None, None, 3), name="image")
    bright = keras.layers.Conv2D(3, 1, activation="sigmoid", name="bright")(image)
    return keras.Model([image], [bright], name=NAME)


class ThirdStage(Stage):
    loss_names = ("loss", "error")

    @classmethod
    def term_weights(cls, config):
        return {"error": 1.0}

    def built_in_losses(self, sample, training):
        error = tf.reduce_mean(tf.abs(self.net(sample["low"], training=training) - sample["high"]))
        return {"loss": error, "error": error}, {}

    def visualisations(self, sample):
        return [sample["low"], self.net(sample["low"], training=False)]


SPEC = StageSpec(ThirdStage, lambda config: third_net(), needs_decom=False, networks={NAME: third_net})


class ThirdEnhancer(Enhancer):
    variant = NAME

    @classmethod
    def from_files(cls, weights, precision):
        return cls({NAME: load_net(find_weights((NAME,), weights)[NAME], NAME)}, precision)

    def tile_plan(self):
        return TilePlan(0, 1, 10, False)

    def make(self, tile, alpha, seen, origin):
        bright = self.networks[NAME](tile, training=False)
        plain = tf.ones_like(tile[..., :1])
        return Enhanced(tile, tile, plain, bright, plain, alpha=alpha)

    def collect_statistics(self, images):
        return ()

    def collect_statistics_of(self, images):
        return ()

    def chosen_alpha(self, alpha, seen):
        return tf.where(tf.math.is_nan(alpha), 2.0, alpha)


@pytest.fixture
def tables(monkeypatch):
    """The two lines."""
    entry = stages.PairStage(TrainingConfig, {"epochs": 1, "batch": 2}, f"{__name__}:SPEC", packed=NAME)
    monkeypatch.setitem(stages.STAGES, NAME, entry)
    line = variants.Variant(f"{__name__}:ThirdEnhancer", (NAME,), "2", "a third one")
    monkeypatch.setitem(variants.VARIANTS, NAME, line)


def test_a_new_stage_trains_and_a_new_variant_enhances(tables, tmp_path):
    assert main(["train", NAME, "--quick", "--run", str(tmp_path / NAME)]) == 0
    photo = np.random.default_rng(0).random((9, 7, 3), np.float32)
    write_photo(tmp_path / "night.png", photo)
    command = ["enhance", str(tmp_path / "night.png"), "--out", str(tmp_path / "lit.png")]
    assert main([*command, "--weights", str(tmp_path), "--variant", NAME]) == 0
    net = stages.STAGES[NAME].read(tmp_path / NAME)
    expected = net(read_photo(tmp_path / "night.png").pixels[np.newaxis], training=False)[0]
    np.testing.assert_allclose(read_photo(tmp_path / "lit.png").pixels, expected, atol=0.51 / 255)
    for other in (["detect", "x"], ["export"]):
        assert make_parser().parse_args([*other, "--out", "y", "--variant", NAME]).variant == NAME


def test_another_network_in_a_new_stages_place_is_named(tables, tmp_path):
    save_net(decomposition_net(), tmp_path / "third.keras")
    with pytest.raises(UserError, match="third.keras: holds 'decomposition'; expected 'third'"):
        stages.STAGES[NAME].read(tmp_path / "third.keras")
