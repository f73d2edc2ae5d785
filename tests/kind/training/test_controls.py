"""Controls of a run: patience, layers that thaw, scaled rates, warnings, and the record of its processes."""

import json

import numpy as np
import pytest
import tensorflow as tf

from kind.detection.config import DetectionConfig
from kind.errors import UserError
from kind.training.callbacks import flat_pictures
from kind.training.config import TrainingConfig
from kind.training.loop import train, what_is_trained
from kind.training.optimizers import EpochSchedule, GroupedOptimizer
from kind.training.patience import decays, since_best
from kind.training.run_folder import RunFolder, describe, read_sessions

NAN = float("nan")


@pytest.fixture(autouse=True)
def without_curves(monkeypatch):
    monkeypatch.setattr("kind.training.callbacks.draw_curves", lambda records, path: None)


def run(tiny, path, remark="", **settings):
    stages = []

    def make_stage():
        stages.append(tiny.stage(tiny.net(), tiny.config(**settings)))
        return stages[-1]

    folder = RunFolder(path)
    train(make_stage, tiny.datasets(), folder, command="kind train tiny", remark=remark)
    return folder, stages[-1]


def test_validations_since_the_best_one():
    assert since_best([], True) == 0
    assert since_best([1, 2, 2, 1], True) == 2  # as good is no better
    assert since_best([3, 2, 5, NAN], False) == 2
    assert since_best([NAN, NAN, 4], True) == 0


def test_each_plateau_counts_once():
    values = [5, 4, 4, 4, 4, 4, 3, 3]
    assert [decays(values[:n], False, 2) for n in range(9)] == [0, 0, 0, 0, 1, 1, 2, 2, 2]
    assert decays([1, 2, 3], True, 1) == 0 and decays([3, 2, 1], True, 1) == 2


def test_a_plateau_lowers_the_rate_of_every_group():
    config = TrainingConfig(learning_rate=0.1, schedule="plateau", warmup_epochs=1)
    optimizer = GroupedOptimizer(config, 2, {1.0: [tf.Variable(1.0)], 0.5: [tf.Variable(1.0)]})
    for schedule in optimizer.schedules:
        schedule.decay.assign(0.25)
    rates = [float(schedule(tf.constant(5, tf.int64))) for schedule in optimizer.schedules]
    assert rates == pytest.approx([0.025, 0.0125])


def test_a_run_that_gets_no_better_is_slowed_and_stopped_and_stays_so(tiny, tmp_path, capsys):
    # At a rate of almost 0, with the statistics frozen, nothing changes: the first validation is the best.
    settings = {"learning_rate": 1e-30, "freeze": ("norm",), "validate_epochs": 1, "epochs": 9}
    controls = {"schedule": "plateau", "plateau": 1, "step_factor": 0.5, "early_stop": 3}
    folder, stage = run(tiny, tmp_path, **settings, **controls)
    assert len(folder.read_metrics()) == 4
    assert float(stage.grouped_optimizer.schedules[0].decay) == 0.125
    printed = capsys.readouterr().err
    assert "epoch 4: stopped early, 3 validations brought no better val_loss" in printed
    assert "tiny: 31 weights are trained, 16 are frozen" in printed
    before = tiny.contents(tmp_path)
    run(tiny, tmp_path, **settings, **controls)
    assert tiny.contents(tmp_path) == before


def test_layers_are_frozen_for_as_long_as_they_should(tiny, tmp_path):
    start = {layer.name: layer.get_weights() for layer in tiny.net().layers}
    settings = {"freeze": ("encode", "norm"), "freeze_epochs": 2}

    def changed(epochs):
        _, stage = run(tiny, tmp_path / str(epochs), epochs=epochs, **settings)
        return {
            name
            for name, weights in start.items()
            if any((a != b).any() for a, b in zip(weights, stage.net.get_layer(name).get_weights()))
        }

    assert changed(2) == {"decode"}
    assert changed(3) == {"encode", "norm", "decode"}


def test_the_rate_of_layers_that_thaw_is_that_of_the_epoch():
    config = TrainingConfig(learning_rate=0.1, schedule="cosine", epochs=10, freeze=("x",), freeze_epochs=4)
    early, late = EpochSchedule(config, 3), EpochSchedule(config, 3, 1.0, earlier=12)
    assert float(late(tf.constant(2))) == pytest.approx(float(early(tf.constant(14))))


def test_the_rate_grows_with_the_root_of_the_batch(tiny):
    config = TrainingConfig(learning_rate=0.1, batch=40, scale_from_batch=10)
    assert float(EpochSchedule(config, 3)(tf.constant(0))) == pytest.approx(0.2)
    assert TrainingConfig(learning_rate=0.1, batch=40).scaled_learning_rate == 0.1
    stage = tiny.stage(tiny.net(), tiny.config(batch=8, scale_from_batch=2))
    stage.set_up(3)
    assert what_is_trained(stage).endswith("learning rate 0.05 × √(8 / 2) = 0.1")


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"freeze_epochs": 2}, "--freeze-epochs expects --freeze LAYERS"),
        ({"early_stop": -1}, "--early-stop expects 0 or more"),
        ({"plateau": 0}, "--plateau expects at least 1"),
        ({"schedule": "plateau", "step_factor": 2}, "--step-factor between 0 and 1"),
        ({"scale_from_batch": -4}, "--scale-from-batch expects 0 or more"),
    ],
)
def test_controls_that_do_nothing_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        TrainingConfig(**settings)


def test_older_run_folders_do_not_know_them():
    recorded = describe("x", TrainingConfig())
    assert not {"early_stop", "plateau", "scale_from_batch", "freeze_epochs"} & recorded.keys()
    assert describe("x", TrainingConfig(early_stop=3))["early_stop"] == 3
    assert describe("detection", DetectionConfig(freeze_epochs=2))["freeze_epochs"] == 2
    assert describe("detection", DetectionConfig())["freeze_epochs"] == 0


def test_flat_pictures_are_named():
    noise = np.random.default_rng(0).random((1, 4, 5, 3)).astype(np.float32)
    black, white, grey = np.zeros_like(noise), np.ones_like(noise), np.full_like(noise, 0.4)
    shown = [[noise, black, white, grey, noise], [noise, black, white, 2 * grey, black]]
    assert flat_pictures(shown, ("dark image", "illumination", "restored image")) == [
        "illumination is black in all previews",
        "restored image is white in all previews",
        "picture 4 of samples/ is one constant value in each preview",
    ]


def test_a_network_that_went_black_is_told(tiny, tmp_path, capsys):
    class Black(tiny.stage):
        shown = ("dark image", "bright image")

        def visualisations(self, sample):
            return [sample["low"], 0.0 * sample["high"]]

    folder = RunFolder(tmp_path)
    train(lambda: Black(tiny.net(), tiny.config(epochs=1)), tiny.datasets(), folder)
    assert "epoch 1: WARNING: bright image is black in all previews" in capsys.readouterr().err


def test_every_process_of_a_run_is_recorded(tiny, tmp_path):
    run(tiny, tmp_path, epochs=1, remark="first try")
    folder, _ = run(tiny, tmp_path, epochs=1)  # nothing left to do
    (session,) = read_sessions(folder)
    assert session["command"] == "kind train tiny" and session["remark"] == "first try"
    assert session["epochs"] == 1 and session["seconds"] > 0 and session["packages"]["tensorflow"] == "2.15.1"
    assert {"started", "device", "python"} < session.keys()
    folder.sessions_file.write_text(json.dumps({"sessions": 3}))
    assert read_sessions(folder) == []
