"""`--variant lite`, everywhere a variant can be named."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import evaluate
from kind.cli.main import main
from kind.detection import predictor
from kind.enhancing.enhancer import Enhancer
from kind.images.photo import read_photo


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for name, seed in (("a.png", 0), ("b.png", 1)):
        levels = np.random.default_rng(seed).integers(0, 60, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(levels).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def lite(untrained_weights):
    return ["--variant", "lite", "--precision", "float32", "--weights", str(untrained_weights)]


def rows(capsys):
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_enhance_takes_the_alpha_that_the_network_suggests(
    photographs, lite, untrained_weights, tmp_path, capsys
):
    assert main(["enhance", str(photographs), "--out", str(tmp_path), "--save-parts", *lite]) == 0
    table = rows(capsys)
    enhancer = Enhancer.load(untrained_weights, variant="lite")
    for row, name in zip(table[1:], ("a.png", "b.png")):
        expected = enhancer(read_photo(photographs / name).pixels)
        assert row[0] == name and float(row[2]) == pytest.approx(float(expected.alpha), rel=0.01)
        assert np.abs(read_photo(tmp_path / name).pixels - expected.relit).max() <= 0.5001 / 255
    parts = [tmp_path / f"a_{part}.png" for part in ("restored", "adjusted")]
    product = np.prod([read_photo(part).pixels for part in parts], axis=0)
    assert np.abs(product - read_photo(tmp_path / "a.png").pixels).max() < 3 / 255
    assert (
        main(["enhance", str(photographs), "--out", str(tmp_path), "--overwrite", "--alpha", "2", *lite]) == 0
    )
    assert [row[2] for row in rows(capsys)[1:]] == ["2", "2"]


def test_demo_names_each_photographs_alpha(photographs, lite, tmp_path, capsys):
    assert main(["demo", str(photographs), "--out", str(tmp_path), *lite]) == 0
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    for row in rows(capsys)[1:3]:
        assert f"α = {row[2]}" in page


@pytest.mark.slow
def test_detect_sees_the_reflectance_of_the_light_network(
    photographs, lite, untrained_weights, painted_detector, tmp_path, monkeypatch
):
    seen = []

    class Predictor:
        def __init__(self, net, thresholds):
            pass

        def __call__(self, image):
            seen.append(image)
            nothing = np.zeros(0)
            return predictor.Predictions(np.zeros((0, 4)), nothing, nothing.astype(int))

    monkeypatch.setattr(predictor, "load_detector", lambda path: painted_detector)
    monkeypatch.setattr(predictor, "Predictor", Predictor)
    assert main(["detect", str(photographs / "a.png"), "--out", str(tmp_path), *lite]) == 0
    enhancer = Enhancer.load(untrained_weights, variant="lite")
    expected = enhancer(read_photo(photographs / "a.png").pixels).restored
    np.testing.assert_allclose(seen[0], expected, atol=1e-6)


@pytest.mark.slow
def test_both_variants_are_scored_side_by_side(photographs, untrained_weights, tmp_path, capsys):
    weights = f"mine={untrained_weights}"
    flags = ["--weights", weights, "--variant", "kind", "--variant", "lite"]
    for side in ("low", "high"):
        (tmp_path / "pairs" / side).mkdir(parents=True)
        for path in photographs.iterdir():
            Image.open(path).save(tmp_path / "pairs" / side / path.name)
    out = tmp_path / "out"
    assert evaluate.main(["enhance", "--data", str(tmp_path / "pairs"), "--out", str(out), *flags]) == 0
    printed = capsys.readouterr().out
    assert "α = suggested by the network (raw, GT-mean)" in printed
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert {line["method"] for line in summary["table"]} == {"mine, kind", "mine, lite"}
    protocols = {line["protocol"] for line in summary["table"] if line["method"] == "mine, lite"}
    assert protocols == {"raw", "GT-mean"}  # it has no decomposition of the target


@pytest.mark.slow
def test_a_saved_model_chooses_alpha_too(photographs, lite, untrained_weights, tmp_path, capsys):
    out = tmp_path / "served"
    assert main(["export", "--out", str(out), "--no-detector", *lite]) == 0
    assert "serving_default  alpha" in " ".join(capsys.readouterr().out.split()).replace("alpha", " alpha")
    signatures = tf.saved_model.load(str(next(path for path in out.iterdir() if path.is_dir()))).signatures
    served = signatures["serving_default"](image_bytes=tf.constant([(photographs / "a.png").read_bytes()]))
    expected = Enhancer.load(untrained_weights, variant="lite")(read_photo(photographs / "a.png").pixels)
    assert float(served["alpha"][0]) == pytest.approx(float(expected.alpha), rel=1e-3)


@pytest.mark.slow
def test_the_light_network_costs_less_than_a_twentieth(untrained_weights, tmp_path):
    words = ["--variant", "kind", "--variant", "lite", "--precision", "float32", "--weights"]
    file = tmp_path / "profile.json"
    settings = ["--sizes", "400x600", "--rounds", "1", "--no-memory", "--no-public", "--json-file", str(file)]
    assert main(["profile", *settings, *words, str(untrained_weights)]) == 0
    lines = {row["network"]: row for row in json.loads(file.read_text(encoding="utf-8"))["rows"]}
    assert list(lines) == ["decom", "restoration", "illumination", "whole", "lite"]
    assert lines["lite"]["parameters"] == 398_021
    assert lines["lite"]["flops"] <= lines["whole"]["flops"] / 20
