import json
import re

import numpy as np
import pytest
import tensorflow as tf

from kind.errors import UserError
from kind.nn.saving import load_net
from kind.training.checkpoint import TrainingCheckpoint
from kind.training.loop import train
from kind.training.precision import precision
from kind.training.run_changes import with_recorded_cycle
from kind.training.run_folder import RunFolder, describe
from kind.training.stage import AVERAGED_STATISTICS

RECIPES = {
    "adam": {},
    "adamw": {
        "optimizer": "adamw",
        "weight_decay": 0.1,
        "average_decay": 0.9,
        "learning_rate_multipliers": ("decode=0.5",),
    },
    "lookahead": {"optimizer": "radam", "lookahead": True, "weight_decay": 0.1, "freeze": ("norm",)},
    "plateau": {"schedule": "plateau", "plateau": 1, "learning_rate": 1.0, "validate_epochs": 1},
    "thawed": {"freeze": ("encode", "norm"), "freeze_epochs": 3, "average_decay": 0.5},
    "clipped": {"clip_norm": 0.01, "schedule": "cosine", "warmup_epochs": 1, "average_decay": 0.5},
}


@pytest.fixture(autouse=True)
def without_curves(request, monkeypatch):
    """Most of a tiny run's time would go into drawing; one test looks at the picture."""
    if request.node.name != "test_the_folder_holds_all_that_is_watched":
        monkeypatch.setattr("kind.training.callbacks.draw_curves", lambda records, path: None)


class Killed(BaseException):
    """Stands for a process that ends without a word."""


def run(tiny, path, datasets=None, **settings):
    config = tiny.config(**settings)

    def make_stage():
        with precision(config.precision):
            return tiny.stage(tiny.net(), config)

    folder = RunFolder(path)
    train(make_stage, datasets or tiny.datasets(), folder)
    return folder


@pytest.mark.parametrize("spec", RECIPES)
def test_a_run_that_was_killed_ends_like_one_that_was_not(tiny, tmp_path, monkeypatch, spec):
    run(tiny, tmp_path / "whole", **RECIPES[spec])
    save = TrainingCheckpoint.save

    def save_and_die(self, epoch):
        save(self, epoch)
        if epoch == 2:
            raise Killed

    monkeypatch.setattr(TrainingCheckpoint, "save", save_and_die)
    with pytest.raises(Killed):
        run(tiny, tmp_path / "killed", **RECIPES[spec])
    monkeypatch.setattr(TrainingCheckpoint, "save", save)
    with open(tmp_path / "killed" / "metrics.jsonl", "a") as file:
        file.write(
            '{"epoch": 3, "loss": 1.0}\n{"epoch": 4, "lo'
        )  # as after a kill between metrics and backup
    run(tiny, tmp_path / "killed", **RECIPES[spec])
    whole, killed = (tiny.contents(tmp_path / name) for name in ("whole", "killed"))
    assert {name for name in whole if whole[name] != killed[name]} == set()
    assert whole.keys() == killed.keys() and len(whole) > 10


def test_a_finished_run_is_left_alone(tiny, tmp_path):
    run(tiny, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.keras")}
    run(tiny, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.keras")} == before


def test_the_folder_holds_all_that_is_watched(tiny, tmp_path, capsys):
    run(tiny, tmp_path)
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2, 3, 4]
    assert {"loss", "squared", "absolute"} < set(records[0])
    assert [record["epoch"] for record in records if "val_squared" in record] == [2, 4]
    assert all(abs(r["loss"] - r["squared"] - r["absolute"]) < 1e-6 for r in records)
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == [
        "epoch_00002.png",
        "epoch_00004.png",
    ]
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("epoch ")]
    assert len(lines) == 4
    assert "epoch 2/4" in lines[1] and "squared" in lines[1] and "images/s" in lines[1] and "left" in lines[1]
    tags = board_tags(tmp_path)
    assert {"epoch_loss", "epoch_absolute"} <= tags["train"]
    assert {"epoch_loss", "samples"} <= tags["validation"]


def board_tags(folder):
    from tensorflow.python.summary.summary_iterator import summary_iterator

    return {
        part: {
            value.tag
            for file in (folder / part).iterdir()
            for event in summary_iterator(str(file))
            for value in event.summary.value
        }
        for part in ("train", "validation")
    }


def test_recorded_losses_are_those_that_numpy_computes_for_adam(tiny, tmp_path):
    """The first epoch, step by step: forward pass by Keras, Adam by its published formula."""
    settings = {"epochs": 1, "freeze": ("norm",), "clip_norm": 0.01}
    run(tiny, tmp_path, **settings)
    record = json.loads((tmp_path / "metrics.jsonl").read_text())
    stage = tiny.stage(tiny.net(), tiny.config(**settings))
    stage.net.get_layer("norm").trainable = False
    variables = stage.net.trainable_variables
    first, second, losses = [0.0] * len(variables), [0.0] * len(variables), []
    for step, sample in enumerate(tiny.stream().take(tiny.steps), start=1):
        with tf.GradientTape() as tape:
            loss = stage.losses(sample, training=True)["loss"]
        losses.append(float(loss))
        gradients = [gradient.numpy().astype(np.float64) for gradient in tape.gradient(loss, variables)]
        norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
        assert norm > 0.01
        for index, (variable, gradient) in enumerate(zip(variables, gradients)):
            gradient = gradient * 0.01 / norm
            first[index] = 0.9 * first[index] + 0.1 * gradient
            second[index] = 0.999 * second[index] + 0.001 * gradient**2
            rate = 0.05 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            variable.assign_sub((rate * first[index] / (np.sqrt(second[index]) + 1e-7)).astype(np.float32))
    assert record["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    for ours, expected in zip(load_net(tmp_path / "last.keras").get_weights(), stage.net.get_weights()):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_the_average_is_what_is_validated_and_kept(tiny, tmp_path):
    run(tiny, tmp_path / "plain", epochs=2)
    run(tiny, tmp_path / "averaged", epochs=2, average_decay=0.99)
    plain, averaged = (load_net(tmp_path / name / "last.keras") for name in ("plain", "averaged"))
    newest = tf.train.load_checkpoint(str(tmp_path / "averaged" / "backup"))
    live = newest.get_tensor("net/layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE")
    assert np.array_equal(live, plain.get_layer("encode").kernel)  # averaging does not disturb training
    stage = tiny.stage(averaged, tiny.config())
    values = [float(stage.losses(sample, training=False)["loss"]) for sample in tiny.datasets().validation]
    recorded = json.loads((tmp_path / "averaged" / "metrics.jsonl").read_text().splitlines()[-1])
    assert recorded["val_loss"] == pytest.approx(np.mean(values), rel=1e-5)
    assert not np.array_equal(live, averaged.get_layer("encode").kernel)


def test_weights_and_statistics_are_averaged_alike(tiny):
    """Every variable of the network that is kept against NumPy, step by step."""
    stage = tiny.stage(tiny.net(), tiny.config(average_decay=0.6))
    stage.set_up(tiny.steps)
    expected = stage.net.get_weights()
    for step, sample in enumerate(tiny.stream().take(8), start=1):
        stage.train_step(sample)
        decay = min(0.6, (1 + step) / (10 + step))
        now = stage.net.get_weights()
        expected = [decay * then + (1 - decay) * value for then, value in zip(expected, now)]
    with stage.kept_weights():
        kept = stage.net.get_weights()
    names = [variable.name for variable in stage.net.weights]
    assert any("moving_mean" in name for name in names)
    for name, ours, its, live in zip(names, kept, expected, now):
        np.testing.assert_allclose(ours, its, rtol=1e-5, atol=1e-7, err_msg=name)
        assert not np.array_equal(ours, live), name
    assert all(map(np.array_equal, stage.net.get_weights(), now))


def test_a_run_of_before_statistics_were_averaged_goes_on(tiny, tmp_path, monkeypatch):
    class Earlier(tiny.stage):
        def state(self):
            return {name: part for name, part in super().state().items() if name != AVERAGED_STATISTICS}

    with monkeypatch.context() as context:
        context.setattr(tiny, "stage", Earlier)
        run(tiny, tmp_path, epochs=2, average_decay=0.9)
    stage = tiny.stage(tiny.net(seed=1), tiny.config(average_decay=0.9))
    stage.set_up(tiny.steps)
    restored = TrainingCheckpoint(RunFolder(tmp_path), stage).restore()
    assert restored.epoch == 2 and not restored.passed_over
    norm = stage.net.get_layer("norm")
    mean, gamma = norm.moving_mean.numpy(), norm.gamma.numpy()
    with stage.kept_weights():
        assert np.array_equal(norm.moving_mean, mean) and not np.array_equal(norm.gamma, gamma)
    run(tiny, tmp_path, epochs=4, average_decay=0.9)
    names = {name for name, _ in tf.train.list_variables(str(tmp_path / "backup" / "ckpt-4"))}
    assert any(name.startswith(AVERAGED_STATISTICS) for name in names)


def test_16_bit_training_leaves_a_float32_network(tiny, tmp_path):
    run(tiny, tmp_path / "half", precision="mixed_bfloat16", learning_rate=1e-3)
    run(tiny, tmp_path / "full", learning_rate=1e-3)
    half, full = (load_net(tmp_path / name / "best.keras") for name in ("half", "full"))
    assert {layer.compute_dtype for layer in half.layers} == {"float32"}
    assert {weights.dtype.name for weights in half.weights} == {"float32"}
    assert [layer.name for layer in half.layers] == [layer.name for layer in full.layers]
    losses = [RunFolder(tmp_path / name).best("val_loss", False)[1] for name in ("half", "full")]
    assert losses[0] != losses[1] and losses[0] == pytest.approx(losses[1], rel=0.05)


def bad_feed(tiny, at, change):
    """The tiny stage's stream with one batch spoilt."""

    def stream(epoch, processes, process):
        numbered = tiny.stream(epoch).enumerate(epoch * tiny.steps)
        return numbered.map(lambda n, s: {**s, "high": tf.where(n == at, change(s["high"]), s["high"])})

    return tiny.datasets(batches=stream)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_loss_that_is_not_finite_stops_the_run_and_names_term_step_and_images(tiny, tmp_path, average):
    settings = {"validate_epochs": 1, "average_decay": average}
    run(tiny, tmp_path / "good", epochs=2, **settings)
    with pytest.raises(UserError) as caught:
        run(
            tiny, tmp_path / "bad", bad_feed(tiny, 2 * tiny.steps + 1, lambda high: high * np.nan), **settings
        )
    message = str(caught.value)
    assert "\n" not in message
    everything = "(loss NaN, squared NaN, absolute NaN)"
    assert message.startswith(f"stopped at epoch 3, step 2: loss term squared is NaN {everything}; the batch")
    assert "epoch2_step1.png" in message
    good, bad = (tiny.contents(tmp_path / name) for name in ("good", "bad"))
    assert {name for name in good if good[name] != bad[name]} == set()


def test_the_guilty_term_is_named_and_all_are_printed(tiny, tmp_path):
    class Infinite(tiny.stage):
        def losses(self, sample, training):
            terms = super().losses(sample, training)
            absolute = terms["absolute"] / 0.0
            return {"loss": terms["squared"] + absolute, "squared": terms["squared"], "absolute": absolute}

    with pytest.raises(UserError) as caught:
        train(lambda: Infinite(tiny.net(), tiny.config()), tiny.datasets(), RunFolder(tmp_path))
    found = re.search(
        r"step 1: loss term absolute is Inf \(loss Inf, squared (\S+), absolute Inf\)", str(caught.value)
    )
    assert 0 < float(found[1]) < 1


def test_a_gradient_that_is_not_finite_stops_the_run_before_any_weight_changes(tiny, tmp_path):
    class Rooted(tiny.stage):
        def losses(self, sample, training):
            terms, kernel = super().losses(sample, training), self.net.weights[0]  # |x|₂ has no slope at 0
            return {**terms, "loss": terms["loss"] + tf.norm(kernel - tf.stop_gradient(kernel))}

    stages = []

    def make_stage():
        stages.append(Rooted(tiny.net(), tiny.config()))
        return stages[-1]

    with pytest.raises(UserError, match="epoch 1, step 1: gradient of the loss is NaN"):
        train(make_stage, tiny.datasets(), RunFolder(tmp_path))
    trainable = zip(stages[0].net.trainable_variables, tiny.net().trainable_variables)
    assert all(np.array_equal(ours, before) for ours, before in trainable)


def test_a_full_disk_is_one_line_and_what_was_saved_stays(tiny, tmp_path, monkeypatch):
    resource = pytest.importorskip("resource", reason="limits on file sizes are POSIX's")
    run(tiny, tmp_path, epochs=2)
    before = tiny.contents(tmp_path)
    monkeypatch.setattr("kind.training.callbacks.save_net", lambda *arguments: None)
    save, limits = TrainingCheckpoint.save, resource.getrlimit(resource.RLIMIT_FSIZE)

    def save_on_a_full_disk(self, epoch):
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))  # writing more fails, like a full disk
        try:
            save(self, epoch)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    monkeypatch.setattr(TrainingCheckpoint, "save", save_on_a_full_disk)
    with pytest.raises(UserError, match="cannot be written: .* What was saved before is intact") as caught:
        run(tiny, tmp_path, epochs=4)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)
    monkeypatch.undo()
    after = tiny.contents(tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"metrics"}
    run(tiny, tmp_path, epochs=4)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 4


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_more_epochs_end_like_a_run_that_was_always_so_long(tiny, tmp_path, schedule):
    def recorded(path, epochs, **settings):
        config = with_recorded_cycle(tiny.config(epochs=epochs, schedule=schedule, **settings), begun(path))
        with RunFolder(path).opened(describe("tiny", config), {"training": {}}):
            run(tiny, path, epochs=epochs, schedule=schedule, schedule_epochs=config.schedule_epochs)

    def begun(path):
        file = RunFolder(path).config_file
        return json.loads(file.read_text()) if file.is_file() else {}

    recorded(tmp_path / "whole", 4, **({"schedule_epochs": 2} if schedule == "cosine" else {}))
    for epochs in (2, 4, 4):
        recorded(tmp_path / "grown", epochs)
    assert begun(tmp_path / "grown") == begun(tmp_path / "whole")
    whole, grown = (tiny.contents(tmp_path / name) for name in ("whole", "grown"))
    assert {name for name in whole if whole[name] != grown[name]} == set()
