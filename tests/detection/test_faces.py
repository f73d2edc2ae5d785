"""Bright faces in WIDER FACE's form, to train on, and dark ones in DARK FACE's, to measure on."""

import json

import numpy as np
import pytest

from kind.cli.main import main
from kind.images.photo import write_photo


@pytest.mark.slow
def test_from_bright_faces_to_a_score_on_dark_ones(tmp_path):
    noise = np.random.default_rng(0)
    lines = []
    for number in range(8):
        write_photo(tmp_path / f"bright/images/0--Parade/{number}.png", noise.random((64, 72, 3)))
        lines += [f"0--Parade/{number}.png", "2", "4 5 20 30 0 0 0 0 0 0", "30 8 16 20 2 0 0 1 2 0"]
    (tmp_path / "bright/faces.txt").write_text("\n".join(lines))
    for number in range(2):
        write_photo(tmp_path / f"dark/image/{number}.png", noise.random((64, 72, 3)) / 8)
        (tmp_path / "dark/label").mkdir(exist_ok=True)
        (tmp_path / f"dark/label/{number}.txt").write_text("1\n4 5 24 35\n")
    run, cache = ["--run", str(tmp_path / "run")], ["--cache", str(tmp_path / "cache")]
    short = "--epochs 1 --batch 2 --image-size 64 --twins 1 --input stretched --mosaic 0 --detector tiny"
    data = ["--data", str(tmp_path / "bright"), "--wider-face", str(tmp_path / "bright/faces.txt")]
    assert main(["train", "detection", *data, *run, *cache, *short.split()]) == 0
    words = ["--data", str(tmp_path / "dark"), "--dark-face", "--detector", str(tmp_path / "run")]
    words += ["--inputs", "stretched", "--flip", "--max-detections", "500"]
    assert main(["evaluate", "detect", *words, "--out", str(tmp_path / "out")]) == 0
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["images"] == 2 and list(summary["table"][0]["by_class"]) == ["face"]
    assert 0 <= summary["table"][0]["figures"]["map"] <= 1
