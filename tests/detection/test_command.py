"""What the training command makes of its flags; the runs themselves are slow and in test_training."""

import argparse
import json

import numpy as np
import pytest

from kind.detection import command
from kind.detection.config import DetectionConfig
from kind.detection.model import Proportions, build_detector
from kind.errors import UserError
from kind.images.photo import write_photo
from kind.nn.saving import load_net, save_net, weights_digest

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
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    flags = parser.parse_args([*map(str, words)])
    flags.data, flags.quick = folder, False
    config = DetectionConfig(**{"patch": 64, "batch": 2, "input": "raw", **settings})
    return command.prepare(flags, config, folder / "cache", 1, None)


def test_every_fourth_image_is_held_out_and_everything_is_recorded(folder):
    run, recorded = prepare(folder, "--detector", folder / "old.keras")
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
    run, recorded = prepare(folder, "--detector", "tiny")
    assert run.make_stage().detector.class_channels >= 3
    assert recorded["detector"] == Proportions((16, 32, 64, 128), (1, 1, 1, 1), 1)


def test_a_teacher_makes_it_a_student(folder):
    old = folder / "old.keras"
    run, recorded = prepare(folder, "--detector", old, "--teacher", old)
    stage = run.make_stage()
    assert {"features", "responses"} < set(stage.loss_names) and recorded["teacher"] == recorded["detector"]
    terms = stage.losses(next(iter(run.datasets.batches(0, 1, 0))), training=False)
    assert float(terms["responses"]) == pytest.approx(0, abs=1e-3)  # the student begins as the teacher
    assert float(terms["features"]) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    "words,message",
    [
        ([], "give --detector: a .keras file, a run folder, or one of tiny, n, s, m, l, x"),
        (["--detector", "missing.keras"], "missing.keras"),
        (["--detector", "tiny", "--classes", "a"], "unknown class"),
    ],
)
def test_mistakes_are_named(folder, words, message):
    with pytest.raises(UserError) as caught:
        prepare(folder, *words)
    assert message in str(caught.value) and "\n" not in str(caught.value)
