"""`kind profile`: the table, its files, and what it refuses."""

import json

import pytest

from kind.cli.main import main


def profile(*arguments):
    return main(["profile", "--sizes", "16x24", "--rounds", "1", *map(str, arguments)])


@pytest.mark.slow
def test_the_table_has_a_line_for_everything(untrained_weights, tmp_path, capsys):
    document, figures = tmp_path / "speed.md", tmp_path / "speed.json"
    document.write_text("# Speed\n\n<!-- profile begin -->\n<!-- profile end -->\n")
    precisions = ["--precision", "float32", "--precision", "bfloat16"]
    weights = ["--weights", untrained_weights, "--variant", "kind", "--no-memory", *precisions]
    assert profile(*weights, "--json-file", figures, "--markdown", document) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["size", "network"] and "public" not in lines[0]
    table = [line.split() for line in lines[2:10]]
    assert [line[1] for line in table] == 2 * ["decom", "restoration", "illumination", "whole"]
    assert any("multiply-add counts 2" in line for line in lines[10:])
    assert document.read_text().count("| whole |") == 2
    rows = json.loads(figures.read_text())["rows"]
    assert {row["parameters"] for row in rows if row["network"] == "whole"} == {8_016_008}
    for row in rows:
        assert row["peak_mib"] is None and row["frames_per_second"] == pytest.approx(1 / row["seconds"])
        assert row["speed_up"] is None and row["implementation"] == "kind"
    parts = [row["flops"] for row in rows if row["precision"] == "bfloat16"]
    stretch_plane_product_choice = 16 * 24 * (3 + 3 + 3 + 3 + 1 + 3 + 3 + 1) + 2 * (24 * 3 + 3)
    assert parts[3] == pytest.approx(sum(parts[:3]) + stretch_plane_product_choice, abs=8)


@pytest.mark.parametrize(("variant", "parameters"), [("lite", 398_021), ("kind", 8_016_008)])
def test_8_bits_have_a_line(variant, parameters, tmp_path, monkeypatch):
    pytest.importorskip("openvino", reason="needs the extra `fast`")
    monkeypatch.chdir(tmp_path)
    arguments = ["--variant", variant, "--precision", "int8", "--no-memory", "--by-layer"]
    assert profile(*arguments, "--json-file", "figures.json") == 0
    (row,) = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert row["precision"] == "int8" and row["network"] == ("whole" if variant == "kind" else variant)
    assert row["parameters"] == parameters and row["flops"] is None and row["seconds"] > 0
    assert {layer["name"] for layer in row["layers"]} <= {"all layers", "all others"}
    assert any(layer["type"] == "Convolution i8" for layer in row["layers"])
    assert sum(layer["share"] for layer in row["layers"]) == pytest.approx(1)


def test_8_bits_of_a_variant_without_are_one_line(capsys):
    assert profile("--precision", "int8", "--variant", "guided") == 2
    assert "int8 is for the variants" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--rounds", "0"], "--rounds expects 1 or more"),
        (["--markdown", "missing.md"], "missing.md"),
        (["--roofline", "missing/roof.png"], "missing/roof.png: there is no such folder"),
        (
            ["--reference", "a checkout"],
            "--reference has moved: python -m benchmarks.profile --reference 'a checkout'",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
    arguments, reason, untrained_weights, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert profile("--no-memory", "--weights", untrained_weights, *arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert reason in output.err.splitlines()[-1] and output.err.startswith("kind: ")


def test_leaving_the_public_graph_out_is_no_longer_asked_for(bright_networks, capsys):
    assert profile("--no-memory", "--no-public", "--weights", bright_networks) == 0
    output = capsys.readouterr()
    assert "--no-public is deprecated: only python -m benchmarks.profile" in output.err.splitlines()[0]
    assert len(output.out.splitlines()) >= 2 + 4 + 3


@pytest.mark.parametrize("sizes", ["400", "0x4", "4x5,", "100000x2", "axb"])
def test_sizes_that_are_none_are_usage_errors(sizes, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["profile", "--sizes", sizes])
    assert stop.value.code == 2
    assert "expects sizes such as 400x600" in capsys.readouterr().err


def test_memory_is_that_of_a_process_of_its_own(untrained_weights):
    """One process only: each imports TensorFlow."""
    from kind.profiling.memory import peak_of, resident

    arguments = ["--network=illumination", "--variant=kind", "--precision=float32", "--height=16"]
    peak = peak_of("kind.profiling.peak", [*arguments, "--width=16", f"--weights={untrained_weights}"])
    assert 100 < peak < 1500
    assert 0 < resident("VmRSS") <= resident("VmHWM")
