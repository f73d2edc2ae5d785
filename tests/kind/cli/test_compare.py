"""`kind compare`: which lines there are, resuming, and the tables."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from tensorflow import keras

from kind.cli.compare import _entries
from kind.cli.main import main
from kind.cli.named_path import NamedPath
from kind.enhancing.variants import shipped_variants
from kind.guided.model import Design, guided_net
from kind.nn.saving import save_net
from kind.profiling import subjects
from kind.reports import comparison as reports
from kind.reports.comparison import Comparison, Cost, Line, Score


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    keras.utils.set_random_seed(0)
    (folder / "weights").mkdir()
    save_net(guided_net(Design(widths=(4, 6, 8, 8))), folder / "weights" / "guided.keras")
    for number in range(2):
        high = np.random.default_rng(number).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        for side, image in (("low", high // 5), ("high", high), ("theirs", high // 2)):
            (folder / side).mkdir(exist_ok=True)
            Image.fromarray(image).save(folder / side / f"{number}.png")
    return folder


def words(work, *more):
    return [
        *("compare", "--data", str(work), "--photos", str(work / "low"), "--variants", "guided"),
        *("--weights", f"mine={work / 'weights'}", "--pred", str(work / "theirs"), "--no-memory"),
        *("--sizes", "32x48", "--rounds", "1", "--out", str(work / "out"), *more),
    ]


@pytest.mark.slow
def test_one_table_of_networks_and_of_other_programs_results(work, monkeypatch, capsys):
    assert main(words(work)) == 0
    printed = capsys.readouterr().out
    assert "mine" in printed and "theirs" in printed and "PSNR ↑ GT-ratio" in printed
    out = work / "out"
    content = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    mine, theirs = content["lines"]
    assert (mine["name"], theirs["name"]) == ("mine", "theirs")
    cost = mine["costs"]["32x48"]
    assert mine["parameters"] > 1000 and cost["flops"] > 1e6
    assert cost["frames_per_second"] == pytest.approx(1 / cost["seconds"])
    assert theirs["parameters"] is None and theirs["costs"] == {}
    found = {(one["images"], one["protocol"], one["figure"]): one for one in mine["scores"]}
    assert found["pairs", "raw", "psnr"]["count"] == 2 and ("photographs", "raw", "loe") in found
    with (out / "comparison.csv").open(encoding="utf-8") as file:
        head, *lines = csv.reader(file)
    assert "pairs GT-mean psnr low" in head and [line[0] for line in lines] == ["mine", "theirs"]
    shown = dict(zip(head, lines[0]))
    assert float(shown["frames_per_second 32x48"]) == cost["frames_per_second"]
    assert shown["device"] == content["device"] and dict(zip(head, lines[1]))["device"] == ""
    assert (out / "pairs.png").stat().st_size > 1000 and (out / "comparison.md").is_file()
    facts = content["facts"]
    assert "- Device: " in (out / "comparison.md").read_text(encoding="utf-8")
    assert "PSNR" in facts["Figures (pairs)"] and "LOE" not in facts["Figures (pairs)"]
    assert "LOE" in facts["Figures (photographs)"] and "NIQE model (pairs)" not in facts

    def never(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr(subjects, "counted", never)
    kept = (out / "results.jsonl").read_bytes(), (out / "costs.jsonl").read_bytes()
    assert main(words(work)) == 0  # everything is kept
    assert kept == ((out / "results.jsonl").read_bytes(), (out / "costs.jsonl").read_bytes())


def test_which_lines_there_are(work):
    folder = [NamedPath("mine", work / "weights")]
    names = [entry.name for entry in _entries(None, folder)]
    assert names == [*shipped_variants(), "mine"]
    assert [entry.name for entry in _entries(["lite"], folder)] == ["lite"]
    assert [entry.name for entry in _entries(["kind", "guided"], folder)][-1] == "mine"


def test_mistakes_are_one_line(work, tmp_path, capsys):
    out = ["--out", str(tmp_path / "out")]
    for more, message in (
        (["--pred", str(work)], "--pred expects --data"),
        (["--rounds", "0"], "--rounds expects 1 or more"),
        (["--weights", str(work / "low")], "holds no networks of"),
        (["--variants", "guided-y"], "train them with"),
    ):
        assert main(["compare", *out, *more]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line


def test_lines_without_figures_have_dashes_and_are_not_drawn(tmp_path):
    key = ("pairs", "raw", "psnr")
    lines = [
        Line("a", 1234, {"1x1": Cost(2e9, 0.5, 10.0)}, {key: Score(20.0, (19.0, 21.0), 3)}),
        Line("b", None, {}, {key: Score(None, None, 0)}),
    ]
    comparison = Comparison("a CPU", [], [], ["1x1"], lines)
    head, (first, second) = reports.as_csv(comparison)
    assert head[2:7] == ["device", "flops 1x1", "seconds 1x1", "peak_mib 1x1", "frames_per_second 1x1"]
    assert first[2:7] == ["a CPU", 2e9, 0.5, 10.0, 2.0] and second[2:7] == [None] * 5
    record = reports.as_records(comparison)
    assert record["device"] == "a CPU" and record["lines"][0]["costs"]["1x1"]["frames_per_second"] == 2.0
    assert reports.cost_table(comparison).lines == [
        ["a", "1,234", "2", "10", "0.500", "2.0"],
        ["b", *["–"] * 5],
    ]
    assert reports.score_table(comparison).lines == [["a", "20.00 [19.00–21.00]"], ["b", "–"]]
    assert reports.draw_scatter(comparison, "1x1", key, tmp_path / "a.png")
    assert not reports.draw_scatter(comparison, "2x2", key, tmp_path / "b.png")
    assert not (tmp_path / "b.png").exists()


@pytest.mark.slow
def test_the_detector_and_the_chain_are_further_lines(work, tmp_path):
    more = ["--detect", "--out", str(tmp_path)]
    assert main(words(work, *more)) == 0
    lines = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))["lines"]
    assert [line["name"] for line in lines] == ["mine", "theirs", "detector", "mine + detector"]
    mine, _, detector, chain = lines
    assert chain["parameters"] == mine["parameters"] + detector["parameters"]
    flops = [line["costs"]["32x48"]["flops"] for line in (mine, detector, chain)]
    assert flops[2] == flops[0] + flops[1]
