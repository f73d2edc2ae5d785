"""Whole runs of the training: the command, joint training, and a run that is killed and goes on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kind.data.annotations.layouts import read_yolo_folder, split_images
from kind.data.generated_scenes import write_scenes
from kind.decom.model import decomposition_net
from kind.detection.command import Parts, prepared
from kind.detection.config import DetectionConfig
from kind.detection.joint import parts_of
from kind.detection.model import Detector
from kind.detection.sizes import Proportions
from kind.detection.stage import DetectionStage
from kind.enhancing.three_networks import KindEnhancer
from kind.illumination.model import adjustment_net
from kind.nn.saving import load_net
from kind.restoration.unet import unet
from kind.training.loop import train
from kind.training.run_folder import RunFolder

ROOT = Path(__file__).resolve().parents[2]
TINY = Proportions((8, 8, 16, 16), (1, 1, 1, 1), 1)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, 16, size=64)
    return folder


def run(folder, scenes, enhancer=None, **changes):
    settings = {
        "image_size": 64,
        "batch": 4,
        "epochs": 3,
        "validate_epochs": 1,
        "warmup_epochs": 0,
        "input": "raw",
    }
    config = DetectionConfig(**{**settings, "average_decay": 0.9, "plain_epochs": 1, **changes})
    annotations = read_yolo_folder(scenes)
    parts = Parts(annotations.class_names, TINY, enhancer=enhancer)
    tf.keras.utils.set_random_seed(config.seed)
    ready = prepared(parts, config, *split_images(annotations.images), folder / "cache")
    train(ready.make_stage, ready.datasets, RunFolder(folder))
    return RunFolder(folder)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights(scenes, tmp_path, monkeypatch):
    whole = run(tmp_path / "whole", scenes, freeze_epochs=1)
    shown = DetectionStage.visualisations
    calls = []

    def killed(stage, sample):
        calls.append(1)
        if len(calls) > 4:  # in the second epoch, before its backup
            raise KeyboardInterrupt
        return shown(stage, sample)

    monkeypatch.setattr(DetectionStage, "visualisations", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", scenes, freeze_epochs=1)
    monkeypatch.setattr(DetectionStage, "visualisations", shown)
    resumed = run(tmp_path / "killed", scenes, freeze_epochs=1)
    assert resumed.metrics_file.read_text() == whole.metrics_file.read_text()
    for one, other in zip(load_net(resumed.last_file).weights, load_net(whole.last_file).weights):
        assert np.array_equal(one, other)
    assert all("val_map_50" in record for record in whole.read_metrics())


@pytest.mark.slow
def test_joint_training_moves_all_networks_and_writes_each(scenes, tmp_path):
    enhancer = KindEnhancer(decomposition_net(), unet(), adjustment_net())
    folder = run(tmp_path, scenes, enhancer, input="reflectance", joint=True, epochs=1, optimizer="adamw")
    parts = {name: load_net(tmp_path / f"{name}.keras") for name in ("decom", "restoration", "detector")}
    assert isinstance(parts["detector"], Detector)
    for name in ("decom", "restoration"):
        before = getattr(enhancer, name).get_weights()
        assert any(not np.array_equal(one, other) for one, other in zip(before, parts[name].get_weights()))
    inner = parts_of(load_net(folder.best_file))
    for name, part in parts.items():
        assert all(np.array_equal(*pair) for pair in zip(part.get_weights(), inner[name].get_weights()))


@pytest.mark.slow
def test_the_command_trains_and_its_detector_is_used(tmp_path):
    command = [sys.executable, "train_stage.py", "detection", "--quick", "--run", str(tmp_path / "run")]
    command += ["--cache", str(tmp_path / "cache"), "--epochs", "2", "--validate-epochs", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert records[-1]["loss"] < records[0]["loss"] and "val_map_50_95" in records[-1]
    assert isinstance(load_net(tmp_path / "run" / "best.keras"), Detector)
    assert (tmp_path / "run" / "samples" / "epoch_00002.png").is_file()
