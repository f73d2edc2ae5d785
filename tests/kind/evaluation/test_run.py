import json

import pytest

from kind.errors import UserError
from kind.evaluation.run import evaluate, kept_figures
from kind.evaluation.scoring import Metrics
from kind.reports.results import json_ready, result_key


@pytest.fixture
def file(tmp_path):
    return tmp_path / "out" / "results.jsonl"


def test_rows_come_by_method_then_protocol_then_image(make_samples, multiplied, file):
    methods = [multiplied(3.0, "b", ratio=2.0), multiplied(2.0, "a")]
    rows, failures = evaluate(make_samples(2), methods, Metrics(), kept_figures(file))
    assert [row[:3] for row in rows] == [
        (image, method, protocol)
        for method, protocols in (("b", ("raw", "GT-mean", "GT-ratio")), ("a", ("raw", "GT-mean")))
        for protocol in protocols
        for image in "01"
    ]
    assert failures == []


def test_a_second_run_computes_nothing_and_gives_the_same(make_samples, multiplied, file, capsys):
    samples, method = make_samples(3), multiplied(3.0)
    first = evaluate(samples, [method], Metrics(), kept_figures(file))
    again = multiplied(3.0)
    assert evaluate(samples, [again], Metrics(), kept_figures(file)) == first
    assert again.asked == [] and len(method.asked) == 3
    assert "3 of 3 images, 3 kept from before" in capsys.readouterr().err


def test_a_file_that_was_cut_short_costs_only_its_last_image(make_samples, multiplied, file):
    samples = make_samples(3)
    first = evaluate(samples, [multiplied(3.0)], Metrics(), kept_figures(file))
    file.write_bytes(file.read_bytes()[:-40])
    again = multiplied(3.0)
    assert evaluate(samples, [again], Metrics(), kept_figures(file)) == first
    assert again.asked == ["2"]
    assert len(kept_figures(file)) == 3


def test_an_interrupted_run_goes_on(make_samples, multiplied, file, monkeypatch):
    samples, broken = make_samples(3), multiplied(3.0)
    expected = evaluate(samples, [multiplied(3.0)], Metrics(), kept_figures(file.with_name("other.jsonl")))

    def interrupt(sample, dark):
        if sample.name == "2":
            raise KeyboardInterrupt
        return multiplied(3.0).enhance(sample, dark)

    monkeypatch.setattr(broken, "enhance", interrupt)
    with pytest.raises(KeyboardInterrupt):
        evaluate(samples, [broken], Metrics(), kept_figures(file))
    again = multiplied(3.0)
    assert evaluate(samples, [again], Metrics(), kept_figures(file)) == expected
    assert again.asked == ["2"]


def test_other_weights_or_other_images_are_scored_anew(make_samples, multiplied, file, write):
    samples = make_samples(2)
    evaluate(samples, [multiplied(3.0)], Metrics(), kept_figures(file))
    other = multiplied(2.0)
    rows, _ = evaluate(samples, [other], Metrics(), kept_figures(file))
    fresh, _ = evaluate(samples, [multiplied(2.0)], Metrics(), kept_figures(file.with_name("fresh.jsonl")))
    assert len(other.asked) == 2 and rows == fresh
    samples[0].high.write_bytes(samples[1].high.read_bytes())
    again = multiplied(2.0)
    evaluate(samples, [again], Metrics(), kept_figures(file))
    assert again.asked == ["0"]


def test_an_unreadable_image_is_recorded_and_the_rest_goes_on(make_samples, multiplied, file):
    samples = make_samples(3)
    samples[1].low.write_bytes(samples[1].low.read_bytes()[:60])
    rows, failures = evaluate(samples, [multiplied(3.0)], Metrics(), kept_figures(file))
    assert {row.image for row in rows} == {"0", "2"}
    assert [(failure.image, failure.method) for failure in failures] == [("1", "")]
    assert str(samples[1].low) in failures[0].reason and "\n" not in failures[0].reason


def test_one_method_may_fail_where_another_does_not(make_samples, multiplied, file):
    methods = [multiplied(float("nan"), "broken"), multiplied(3.0, "sound")]
    rows, failures = evaluate(make_samples(1), methods, Metrics(), kept_figures(file))
    assert {row.method for row in rows} == {"sound"}
    assert [failure.method for failure in failures] == ["broken"]


def test_fresh_forgets(make_samples, multiplied, file):
    samples = make_samples(1)
    evaluate(samples, [multiplied(3.0)], Metrics(), kept_figures(file))
    assert len(kept_figures(file, fresh=True)) == 0 and len(kept_figures(file)) == 0


def test_infinite_figures_survive_the_file(file):
    figures = {"raw": {"psnr": float("inf"), "niqe": None, "mae": 0.0}}
    kept_figures(file).add(result_key("a"), "1", "m", figures)
    assert kept_figures(file).get(result_key("a")) == figures
    assert json.loads(file.read_text())["figures"]["raw"]["psnr"] == "inf"
    assert json_ready([float("nan"), (1.5,)]) == ["nan", [1.5]]


@pytest.mark.parametrize("line", ["[]", "{}", "null", '{"key": "a", "figures": {"raw": 3}}', "\x00"])
def test_damaged_lines_are_passed_over(file, line):
    kept_figures(file).add("good", "1", "m", {"raw": {"psnr": 1.0}})
    with file.open("a") as lines:
        lines.write(line + "\n")
    assert len(kept_figures(file)) == 1


def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="results.jsonl: cannot be written to") as raised:
        kept_figures(tmp_path / "file" / "results.jsonl")
    assert "\n" not in str(raised.value)
