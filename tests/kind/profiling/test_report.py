"""A profile as a table, JSON and a roofline plot, without measuring anything."""

import json

import pytest
from PIL import Image

from kind.profiling.device import Machine, gpu_peak, this_machine
from kind.profiling.layers import Layer
from kind.profiling.measuring import Row
from kind.profiling.report import as_json, markdown, notes, text_table
from kind.profiling.roofline import draw_roofline
from kind.profiling.roofs import Roofs

MACHINE = Machine("CPU Some Processor, 2 cores", "TensorFlow 2.15.1 with oneDNN")
ROOFS = Roofs({"float32": 1e11, "bfloat16": 4e11, "int8": 8e11}, 1e10)


def row(network="lite", precision="float32", size=(400, 600), gpu=None, layers=()):
    costs = {"parameters": 1000, "flops": 4_000_000_000, "bytes": 500_000_000, "intensity": 8.0}
    times = {"peak_mib": None, "seconds": 0.1, "frames_per_second": 10.0, "speed_up": None}
    return Row(*size, network, "kind", precision, **costs, **times, gpu_mib=gpu, layers=layers)


def test_traffic_is_shown_and_columns_that_would_be_empty_are_not():
    lines = text_table([row()]).splitlines()
    assert lines[0].split()[6:9] == ["GFLOP", "GB", "FLOP/byte"] and "GPU MiB" not in lines[0]
    assert lines[2].split()[5:8] == ["4", "0.5", "8"]
    assert len(lines) == 3
    assert "GPU MiB" in text_table([row(gpu=123.4)]).splitlines()[0]
    assert text_table([row(gpu=123.4), row()]).splitlines()[2].split()[-1] == "123"


def test_layers_have_a_table_of_their_own():
    rows = [row(layers=(Layer("net/conv", "FusedConv2D", 0.02, 0.25, 4_000_000_000),))]
    last = text_table(rows).splitlines()[-1].split()
    assert last == ["400x600", "lite", "float32", "net/conv", "FusedConv2D", "0.0200", "25.0%", "200"]
    said = notes(rows, 3, MACHINE, roofs=ROOFS)
    assert said[0] == "device: CPU Some Processor, 2 cores; engine: TensorFlow 2.15.1 with oneDNN"
    assert any("float32 100 GFLOP/s, bfloat16 400" in note and "memory 10 GB/s" in note for note in said)
    assert any("profiler" in note for note in said)
    assert markdown(rows, said).count("\n| ---") == 2
    assert not any("roofs" in note or "layers" in note for note in notes([row()], 3, MACHINE))


def test_json_has_everything():
    content = json.loads(as_json([row()], ["a note"], MACHINE, ROOFS))
    assert content["device"] == MACHINE.device and content["engine"] == MACHINE.engine
    assert content["roofs"] == {"arithmetic": ROOFS.arithmetic, "bandwidth": 1e10}
    assert content["rows"][0]["bytes"] == 500_000_000 and content["rows"][0]["intensity"] == 8
    assert json.loads(as_json([row()], [], MACHINE))["roofs"] is None


def test_the_lower_roof_holds():
    assert ROOFS.at(1.0, "float32") == 1e10
    assert ROOFS.at(1000.0, "float32") == 1e11


@pytest.mark.slow
def test_a_roofline_is_drawn(tmp_path):
    rows = [row(), row("whole", "bfloat16"), row("whole", size=(16, 24))]
    public = row("decom")._replace(flops=None, bytes=None, intensity=None)
    draw_roofline([*rows, public], ROOFS, MACHINE, tmp_path / "roof.png")
    with Image.open(tmp_path / "roof.png") as drawn:
        assert min(drawn.size) > 300


def test_this_machine_says_what_it_is():
    machine = this_machine()
    assert machine.device and machine.engine.startswith("TensorFlow 2.")
    if gpu_peak(lambda: None) is None:
        assert machine.engine.endswith("oneDNN")
    else:
        pytest.skip("a GPU computes here, which oneDNN is not for")
