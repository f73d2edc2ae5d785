import csv
import json
from html.parser import HTMLParser

import numpy as np
import pytest

from kind.evaluation.cases import draw_cases, draw_together, error_map, rank
from kind.evaluation.report import write_all
from kind.evaluation.run import Failure, Row, evaluate, kept_figures
from kind.evaluation.scoring import Metrics
from kind.evaluation.summary import Evaluation, summarise
from kind.images.photo import read_photo
from kind.reports.cases import choose_cases


def row(image, **figures):
    return Row(image, "m", "raw", figures, image)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0, 1.0, 2.0, 5.0, 4.0], [("worst", "1"), ("median", "2"), ("best", "3")]),
        ([3.0, 1.0], [("worst", "1"), ("best", "0")]),
        ([3.0], [("worst", "0")]),
        ([], []),
    ],
)
def test_worst_median_and_best_are_chosen_by_psnr(values, expected):
    # Image 2 has 2.0: the median of 1, 2, 3, 4, 5 is 3.0, image 0.
    expected = [(label, "0" if label == "median" else name) for label, name in expected]
    column, ranked = rank([row(str(number), psnr=value) for number, value in enumerate(values)])
    assert [(label, entry.image) for label, entry in choose_cases(ranked)] == expected
    assert column == ("psnr" if values else "")


def test_without_targets_low_niqe_is_good():
    column, ranked = rank(
        [row("a", niqe=5.0, loe=1.0), row("b", niqe=3.0, loe=2.0), row("c", niqe=None, loe=3.0)]
    )
    assert column == "niqe"
    assert [(label, entry.image) for label, entry in choose_cases(ranked)] == [("worst", "a"), ("best", "b")]


def test_the_error_map_runs_from_black_to_white():
    target = np.zeros((1, 3, 3))
    output = np.array([[[0.0] * 3, [0.125] * 3, [0.9] * 3]])
    colours = error_map(output, target)
    np.testing.assert_allclose(colours[0, [0, 2]], [[0, 0, 0], [1, 1, 1]])
    np.testing.assert_allclose(
        colours[0, 1], [0.5, 0, 0.3]
    )  # a quarter of the range: the ramp's second colour


class Page(HTMLParser):
    """Tags that were left open, tables cell by cell, images, and the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.cells, self.images, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.images.append(dict(attributes))
        elif tag != "meta":
            self.open.append(tag)
        if tag == "tr":
            self.cells.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1].append(data)


@pytest.fixture
def written(make_samples, multiplied, tmp_path):
    """The folder of a report on four images, and what it tells; a method's name tries to break the page."""
    samples = make_samples(4)
    methods = [multiplied(3.3, "<b>&m", ratio=2.2)]
    columns = ["psnr", "ssim"]
    rows, _ = evaluate(samples, methods, Metrics(), kept_figures(tmp_path / "out/results.jsonl"))
    failures = [Failure("caf\udce9.png", "", "damaged <i>")]
    evaluation = Evaluation(
        [("Data", 'a "set"')], ["a note"], columns, summarise(rows, columns), rows, failures
    )
    write_all(tmp_path / "out", evaluation, methods, samples)
    return tmp_path / "out", evaluation, methods, samples


def test_the_page_is_well_formed_and_holds_the_table(written):
    folder, evaluation, *_ = written
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert page.open == []
    assert page.cells[0] == ["method", "protocol", "images", "PSNR ↑", "SSIM ↑"]
    first = evaluation.summary[0]
    assert page.cells[1] == [
        "<b>&m", "raw", "4", "mean", f"{first.figures['psnr'].mean:.2f}", f"{first.figures['ssim'].mean:.4f}"
    ]  # fmt: skip
    for text in ('a "set"', "a note", "damaged <i>", "caf\\udce9.png", "worst by PSNR", "median by PSNR"):
        assert text in page.text
    assert len(page.cells) == 1 + 3 * 2 + 1 + 12  # head, two lines a protocol; head, one line an image


def test_the_pictures_are_input_output_target_and_error(written):
    folder, evaluation, _, samples = written
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert len(page.images) == 3 * 3 * 4
    worst = min(
        (row for row in evaluation.rows if row.protocol == "raw"), key=lambda row: row.figures["psnr"]
    )
    assert [image["alt"] for image in page.images[:4]] == [
        f"{name} of {worst.image}" for name in ("input", "output", "target", "error")
    ]
    shown = [read_photo(folder / image["src"]).pixels for image in page.images[:4]]
    expected = [
        read_photo(path).pixels for path in (samples[int(worst.image)].low, samples[int(worst.image)].high)
    ]
    assert np.abs(shown[0] - expected[0]).mean() < 0.03  # JPEG on noise
    assert np.abs(shown[2] - expected[1]).mean() < 0.1
    assert len(list((folder / "pictures").iterdir())) == len({image["src"] for image in page.images})


def test_pictures_of_an_older_report_are_removed_and_equal_ones_kept(written):
    folder, evaluation, methods, samples = written
    old = folder / "pictures" / "case-old.jpg"
    old.write_text("")
    times = {path: path.stat().st_mtime_ns for path in (folder / "pictures").iterdir() if path != old}
    methods[0].asked.clear()
    write_all(folder, evaluation, methods, samples)
    assert {path: path.stat().st_mtime_ns for path in (folder / "pictures").iterdir()} == times
    assert methods[0].asked == []


def test_json_and_csv_hold_every_figure(written):
    folder, evaluation, *_ = written
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["facts"] == {"Data": 'a "set"'}
    for line, entry in zip(summary["table"], evaluation.summary):
        assert (line["method"], line["protocol"], line["images"]) == ("<b>&m", entry.protocol, 4)
        assert line["figures"]["psnr"]["mean"] == entry.figures["psnr"].mean
        assert line["figures"]["psnr"]["interval"] is None  # of four images
    with (folder / "per_image.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 12
    for line, entry in zip(lines, evaluation.rows):
        assert (line["image"], line["method"], line["protocol"]) == entry[:3]
        assert float(line["psnr"]) == entry.figures["psnr"]
        assert line["alpha"] == ("2.2" if entry.protocol == "GT-ratio" else "")


def test_methods_are_shown_side_by_side(make_samples, multiplied, tmp_path):
    samples, methods = make_samples(1), [multiplied(3.3, "a"), multiplied(2.0, "b")]
    rows, _ = evaluate(samples, methods, Metrics(), kept_figures(tmp_path / "results.jsonl"))
    cases = draw_cases(rows, methods, samples, tmp_path / "pictures")
    ((title, pictures),) = draw_together(cases, rows, methods, samples, tmp_path / "pictures")
    assert title == "0, raw: worst by PSNR of a"
    assert [(alternative, caption) for alternative, caption, _ in pictures] == [
        (f"{name} of 0", name) for name in ("input", "a", "b", "target")
    ]
    assert len({path for *_, path in pictures}) == 4 and all(path.is_file() for *_, path in pictures)
    assert draw_together(cases, rows, methods[:1], samples, tmp_path / "pictures") == []
