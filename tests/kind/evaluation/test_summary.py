import math

import numpy as np
import pytest

from kind.evaluation.run import Failure, Row
from kind.evaluation.summary import Evaluation, summarise
from kind.evaluation.tables import markdown_report, means_table, statistics_lines, summary_table
from kind.reports.bootstrap import bootstrap_interval
from kind.reports.table import latex_table, text_table


def rows(values, method="m", protocol="raw", column="psnr"):
    return [Row(str(number), method, protocol, {column: value}, "") for number, value in enumerate(values)]


def evaluation(given, columns, failures=()):
    return Evaluation(
        [("Data", "d|x"), ("N", "<1>")], ["mind this"], columns, summarise(given, columns), given, failures
    )


def test_statistics_are_those_of_the_images():
    values = [20.0, 22.0, 27.0, 21.0] * 3
    (row,) = summarise(rows(values), ["psnr"])
    figure = row.figures["psnr"]
    assert (row.images, figure.images, figure.mean, figure.median) == (12, 12, 22.5, 21.5)
    assert figure.interval == bootstrap_interval(values)


@pytest.mark.parametrize("images", [1, 9])
def test_fewer_than_ten_images_have_no_interval_and_it_says_why(images):
    given = rows([20.0] * images)
    (row,) = summarise(given, ["psnr"])
    assert row.figures["psnr"] == (images, 20.0, 20.0, None)
    text = text_table(summary_table([row]))
    assert "95 %" not in text and "nan" not in text
    assert evaluation(given, ["psnr"]).intervals.startswith(f"no 95 % intervals: {images} images, and fewer")
    assert evaluation(rows([20.0] * 10), ["psnr"]).intervals.startswith("95 %: bootstrap interval")


def test_csv_and_latex_hold_one_line_for_each_method():
    summary = summarise(rows([20.0, 22.0] * 5, method="a_b & c") + rows([1.0], protocol="GT-mean"), ["psnr"])
    head, lines = statistics_lines(summary)
    assert head == ["method", "protocol", "images", "psnr", "psnr_median", "psnr_low", "psnr_high"]
    low, high = summary[0].figures["psnr"].interval
    assert lines == [["a_b & c", "raw", 10, 21.0, 21.0, low, high], ["m", "GT-mean", 1, 1.0, 1.0, None, None]]
    latex = latex_table(means_table(summary)).splitlines()
    assert latex[0] == r"\begin{tabular}{llrr}" and latex[-1] == r"\end{tabular}"
    assert latex[2] == r"method & protocol & images & PSNR $\uparrow$ \\"
    assert latex[4] == r"a\_b \& c & raw & 10 & 21.00 \\"


def test_a_figure_that_no_image_has_is_a_dash():
    (row,) = summarise(rows([None, None], column="niqe"), ["niqe"])
    assert row.figures["niqe"] == (0, None, None, None)
    assert text_table(summary_table([row])).splitlines()[2].split() == ["m", "raw", "2", "mean", "–"]


def test_infinite_figures_stay_infinite():
    (row,) = summarise(rows([math.inf, 20.0, 21.0]), ["psnr"])
    assert row.figures["psnr"].mean == math.inf and row.figures["psnr"].median == 21


def test_the_text_table_is_aligned_and_complete():
    given = rows([20.123, 22.0]) + rows([30.0, 31.0], method="a longer name", protocol="GT-mean")
    lines = text_table(summary_table(summarise(given, ["psnr"]))).splitlines()
    assert len(lines) == 2 + 2 * 2
    assert lines[0].split() == ["method", "protocol", "images", "PSNR", "↑"]
    assert lines[2].split() == ["m", "raw", "2", "mean", "21.06"]
    assert lines[4].split() == ["a", "longer", "name", "GT-mean", "2", "mean", "30.50"]
    ends = {len(line) for line in lines}
    assert len(ends) == 1


def test_what_is_missing_is_said():
    given = rows([5.0, None, 6.0], column="niqe")
    failures = [Failure("7", "", "cannot be read"), Failure("1", "m", "NaN"), Failure("2", "m", "NaN")]
    notes = evaluation(given, ["niqe"], failures).all_notes
    assert notes[0] == "mind this"
    assert notes[1].startswith("NIQE: over 2 of 3 images")
    assert notes[2] == "left out, because they could not be scored: 7"
    assert "left out of m, whose figures do not compare" in notes[3] and notes[3].endswith(": 1, 2")


def test_what_is_missing_in_some_rows_names_them():
    given = rows([5.0, None], column="niqe") + rows([5.0, 4.0], method="other", column="niqe")
    (note,) = evaluation(given, ["niqe"]).all_notes[1:]
    assert note.startswith("NIQE of m, raw: over 1 of 2 images")


def test_markdown_holds_facts_notes_and_one_line_for_each_row():
    given = rows([20.0, 22.0] * 5, method="a|b") + rows([1.0], protocol="GT-mean")
    lines = markdown_report(evaluation(given, ["psnr"])).splitlines()
    assert lines[0] == "- Data: d\\|x" and lines[1] == "- N: &lt;1&gt;" and lines[2] == "- Note: mind this"
    assert "| a\\|b | raw | 10 | 21.00 (21.00) [20.40–21.60] |" in lines
    assert "| m | GT-mean | 1 | 1.00 (1.00) |" in lines


def test_the_interval_holds_the_mean():
    values = np.random.default_rng(0).normal(20, 3, 15).tolist()
    figure = summarise(rows(values), ["psnr"])[0].figures["psnr"]
    assert figure.interval[0] < figure.mean < figure.interval[1]
