"""What the training command makes of its flags; the runs themselves are slow and in test_training."""

import argparse
import json

import numpy as np
import pytest
from tensorflow import keras

from kind.cli import train_detection
from kind.detection.command import detector_to_train
from kind.detection.config import DetectionConfig
from kind.detection.joint import parts_of
from kind.detection.model import build_detector
from kind.detection.reuse import with_classes
from kind.detection.sizes import Proportions
from kind.errors import UserError
from kind.images.photo import write_photo
from kind.nn.saving import SHIPPED_WEIGHTS, load_net, save_net, weights_digest

DECOM = SHIPPED_WEIGHTS / "decom.keras"
TINY = Proportions((8, 8, 16, 16), (1, 1, 1, 1), 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight photographs of three classes."""
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    (folder / "labels").mkdir()
    for number in range(8):
        write_photo(folder / "images" / f"{number}.png", generator.random((40, 48, 3), np.float32))
        (folder / "labels" / f"{number}.txt").write_text(f"{number % 3} .5 .5 .5 .5\n")
    (folder / "labels" / "classes.txt").write_text("cat\ndog\ntorch\n")
    save_net(build_detector(TINY, ["dog", "cat"]), folder / "old.keras")
    return folder


def prepare(folder, *words, **settings):
    """The run that a command line stands for."""
    parser = argparse.ArgumentParser()
    train_detection.add_arguments(parser)
    flags = parser.parse_args([*map(str, words)])
    flags.data = folder
    config = DetectionConfig(**{"image_size": 64, "batch": 2, "input": "raw", **settings})
    surroundings = {
        "data": folder,
        "quick": False,
        "cache": folder / "cache",
        "replicas": 1,
        "progress": None,
    }
    return train_detection.prepare(flags, config, **surroundings)


@pytest.mark.slow
def test_every_fourth_image_is_held_out_and_everything_is_recorded(folder):
    run = prepare(folder, "--detector", folder / "old.keras")
    recorded = run.given
    held_out = [name.split()[0] for name in run.data["validation"]]
    assert held_out == ["0.png", "4.png"] and len(run.data["training"]) == 6
    assert run.datasets.steps == 3 and len(list(run.datasets.validation)) == 2
    json.dumps(recorded)
    stage = run.make_stage()
    assert stage.detector.class_names == ("cat", "dog", "torch") == tuple(recorded["class_names"])
    assert recorded["detector"] == weights_digest(load_net(folder / "old.keras"))
    batch = next(iter(run.datasets.batches(0, 1, 0)))
    assert np.isfinite(stage.losses(batch, training=False)["loss"])


def test_a_size_is_a_detector_with_new_weights(folder):
    run = prepare(folder, "--detector", "tiny")
    assert run.make_stage().detector.class_channels >= 3
    # Of this length since YOLOX came: older runs, which recorded it, shall be resumed.
    assert run.given["detector"] == ((16, 32, 64, 128), (1, 1, 1, 1), 1, "yolov8", False, 640)


@pytest.mark.slow
def test_a_teacher_makes_it_a_student(folder):
    old = folder / "old.keras"
    run = prepare(folder, "--detector", old, "--teacher", old)
    stage, recorded = run.make_stage(), run.given
    assert {"features", "responses"} < set(stage.loss_names) and recorded["teacher"] == recorded["detector"]
    terms = stage.losses(next(iter(run.datasets.batches(0, 1, 0))), training=False)
    assert float(terms["responses"]) == pytest.approx(0, abs=1e-3)  # the student begins as the teacher
    assert float(terms["features"]) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    "words,message",
    [
        (
            [],
            "give --detector: a .keras file, a run folder, shipped for the one that ships, or one of tiny",
        ),
        (["--detector", "missing.keras"], "missing.keras"),
        (["--detector", DECOM], "decom.keras: holds the network 'decomposition'; expected a detector"),
        (["--detector", "tiny", "--classes", "a"], "unknown class"),
    ],
)
def test_mistakes_are_named(folder, words, message):
    with pytest.raises(UserError) as caught:
        prepare(folder, *words)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_joint_networks_are_copied_by_the_rule_of_the_joint_stage(folder, precision):
    """A saved network's layers say float32 each; under 16 bits the copies compute in 16 bits all the same."""
    words = ("--detector", "tiny", "--variant", "kind")
    run = prepare(folder, *words, input="reflectance", joint=True, precision=precision)
    parts = parts_of(run.make_stage().net)
    expected = {"float32": {"float32"}, "mixed_bfloat16": {"bfloat16"}}[precision]
    for name, given in (("decom", "decom"), ("restoration", "restoration")):
        layers = [layer for layer in parts[name].layers if isinstance(layer, keras.layers.Conv2D)]
        assert {layer.compute_dtype for layer in layers} == expected
        originals = load_net(SHIPPED_WEIGHTS / f"{given}.keras").get_weights()
        assert all(np.array_equal(ours, its) for ours, its in zip(parts[name].get_weights(), originals))


@pytest.mark.parametrize("labels", [{"9": "0 .5 .5 .5 .5"}, {"0": "0 .5 .5", "4": "0 .5 .5"}])
def test_training_on_nothing_is_refused_and_says_why(folder, tmp_path, labels):
    (tmp_path / "images").symlink_to(folder / "images")
    (tmp_path / "labels").mkdir()
    for name, text in labels.items():
        (tmp_path / "labels" / f"{name}.txt").write_text(text)
    with pytest.raises(UserError) as caught:
        prepare(tmp_path, "--detector", "tiny", "--repair")
    for words in ("no object that counts in the training images", "8 images in", f"{len(labels)} text files"):
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_validation_without_an_object_is_refused(folder, tmp_path):
    (tmp_path / "images").symlink_to(folder / "images")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/1.txt").write_text("0 .5 .5 .5 .5")
    with pytest.raises(UserError, match="no object that counts in the validation images: 2 images with 0"):
        prepare(tmp_path, "--detector", "tiny")


def test_the_classes_in_use_are_printed(folder, capsys):
    prepare(folder, "--detector", "tiny")
    assert f"classes: 3 classes ({folder}/labels/classes.txt): cat, dog, torch" in capsys.readouterr().err


def test_class_names_given_twice_are_refused_before_a_detector_is_made(folder):
    with pytest.raises(UserError, match="'face' is given twice, as class 0 and as class 1"):
        with_classes(None, ["face", "face"])
    with pytest.raises(UserError, match="'cat' is given twice"):
        prepare(folder, "--detector", "tiny", "--classes", "cat", "dog", "cat")


def test_a_training_may_start_from_the_detector_that_ships():
    shipped = load_net(SHIPPED_WEIGHTS / "detector.keras")
    assert weights_digest(detector_to_train("shipped")) == weights_digest(shipped)
