"""Scoring of change detection: counts, intervals, differences, report; and windows over large photographs."""

import csv
import json

import numpy as np
import pytest
from tensorflow import keras

from kind.detection.change import predictor, windows
from kind.detection.change.evaluation.report import Report, markdown_report, text_report, write_all
from kind.detection.change.evaluation.scoring import Method, Set, score
from kind.detection.change.evaluation.summary import figures_lines, summarise
from kind.detection.change.predictor import ChangePredictor, input_of
from kind.errors import UserError
from kind.metrics.binary_masks import count_pixels, figures_of
from kind.training.run_folder import training_record


def difference(before, after):
    return np.abs(before - after).max(axis=-1)


def nothing(before, after):
    return np.zeros(before.shape[:2], np.float32)


@pytest.fixture(scope="module")
def sets():
    random = np.random.default_rng(0)

    class Tensor(np.ndarray):
        def numpy(self):
            return np.asarray(self)

    def sample(noise):
        before = random.random((1, 8, 9, 3))
        label = (random.random((1, 8, 9, 1)) < 0.2).astype(float)
        after = before + label + noise * random.random(before.shape)
        values = {"before": before, "after": after, "label": label}
        return {name: value.astype(np.float32).view(Tensor) for name, value in values.items()}

    return [
        Set(light, [f"{n} pair" for n in range(12)], [sample(noise) for _ in range(12)])
        for light, noise in (("bright", 0.0), ("dark", 0.7))
    ]


@pytest.fixture(scope="module")
def lines(sets):
    methods = [Method("mine", "raw", difference), Method("none", "reflectance", nothing)]
    done = []
    scored = score(sets, methods, 0.5, lambda *progress: done.append(progress))
    assert done[-1] == (24, 24)
    return summarise(scored)


def test_figures_are_those_of_all_pixels(sets, lines):
    assert [(line.scored.lighting, line.scored.method.name) for line in lines] == [
        ("bright", "mine"), ("bright", "none"), ("dark", "mine"), ("dark", "none"),
    ]  # fmt: skip
    assert lines[0].figures == (1, 1, 1, 1, 1, 1) and lines[0].intervals["f1"] == (1, 1)
    pairs = [{name: np.asarray(value[0]) for name, value in one.items()} for one in sets[1].pairs]
    found = np.stack([difference(one["before"], one["after"]) > 0.5 for one in pairs])
    expected = figures_of(count_pixels(found, np.stack([one["label"][..., 0] > 0 for one in pairs])))
    assert lines[2].figures == pytest.approx(expected)
    low, high = lines[2].intervals["f1"]
    assert low < lines[2].figures.f1 < high
    assert lines[0].difference is None and lines[3].difference == pytest.approx(-lines[2].figures.f1)
    assert lines[1].figures.f1 == 0 and lines[1].difference_interval == (-1, -1)


def test_the_report_tells_them(sets, lines, tmp_path):
    report = Report([("Data", "12 <pairs>")], lines, 0.5)
    files = write_all(tmp_path, report, sets)
    page, table, summary = (path.read_text(encoding="utf-8") for path in files)
    assert "12 &lt;pairs&gt;" in page and "missed ones red" in page and page.count("<figure") == 4 * 3 * 3
    rows = list(csv.DictReader(table.splitlines()))
    assert len(rows) == 48 and rows[0]["light"] == "bright" and float(rows[0]["f1"]) == 1
    assert json.loads(summary)["table"][1]["figures"]["precision"] == "nan"
    assert len(list((tmp_path / "pictures").glob("case-*.jpg"))) == 36
    text = text_report(report)
    assert "Better than mine by" in text and "1.000–1.000" in text and "-1.000 to -1.000" in text
    assert "| bright | none | reflectance | 0.000 |" in markdown_report(report)
    head, values = figures_lines(lines)
    assert len(head) == len(values[0]) == 13


@pytest.mark.parametrize("size", [(20, 50), (9, 16)])
def test_windows_give_what_the_whole_gives(size, monkeypatch):
    monkeypatch.setattr(predictor, "detector_input", lambda enhancer, images, kind: images)
    dates = [keras.Input((None, None, 3)) for _ in range(2)]
    last = keras.layers.Conv2D(1, 1, kernel_initializer="ones")
    net = keras.Model(dates, last(keras.layers.Subtract()(dates)))
    before, after = np.random.default_rng(0).random((2, *size, 3), dtype=np.float32)
    found = ChangePredictor(net, "raw", window=16)(before, after)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-(before - after).sum(axis=-1))), atol=1e-5)
    with pytest.raises(ValueError, match="one shape"):
        ChangePredictor(net, "raw")(before, after[:4])


def test_windows_cover_everything_and_overlap():
    for length in (5, 16, 17, 40, 100):
        starts = windows.starts(length, 16).numpy().tolist()
        assert starts[0] == 0 and max(starts[-1] + 16, length) - 16 == max(length - 16, 0)
        assert all(0 < later - earlier <= 12 for earlier, later in zip(starts, starts[1:]))


def test_a_run_folder_and_a_folder_of_weights_say_what_a_network_compares(tmp_path):
    assert input_of(None) == input_of(tmp_path / "change.keras") == "reflectance"
    (tmp_path / "config.json").write_text('{"input": "raw"}')
    assert input_of(tmp_path) == input_of(tmp_path / "best.keras") == "raw"
    packed = tmp_path / "packed"
    packed.mkdir()
    (packed / "training.json").write_text(json.dumps({"change": training_record(tmp_path)}))
    assert input_of(packed / "change.keras") == "raw"
    (packed / "training.json").write_text('{"change": {"input": ["raw"]}}')
    with pytest.raises(UserError, match="names the input"):
        input_of(packed / "change.keras")
