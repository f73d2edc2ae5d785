"""Packing trained networks for shipping."""

import json

import numpy as np

from kind.cli.main import main
from kind.evaluation.held_out import RecordedSplit, recorded_split
from kind.nn.saving import load_net


def test_packed_networks_are_half_the_size_and_the_same_within_half_precision(
    untrained_weights, tmp_path, capsys
):
    run = tmp_path / "run"
    run.mkdir()
    (run / "best.keras").write_bytes((untrained_weights / "illumination.keras").read_bytes())
    arguments = ["--decom", str(untrained_weights / "decom.keras"), "--illumination", str(run)]
    assert main(["pack", *arguments, "--out", str(tmp_path / "small")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        "235,876 parameters" in lines[0]
        and "19,393 parameters" in lines[1]
        and lines[2].endswith("MB in all")
    )
    for stage in ("decom", "illumination"):
        small, whole = (folder / f"{stage}.keras" for folder in (tmp_path / "small", untrained_weights))
        assert small.stat().st_size < 0.7 * whole.stat().st_size
        for packed, original in zip(load_net(small).weights, load_net(whole).weights):
            np.testing.assert_allclose(packed, original, rtol=2**-11, atol=1e-7)


def test_what_cannot_be_packed_is_named(tmp_path, capsys):
    assert main(["pack", "--out", str(tmp_path)]) == 2
    assert main(["pack", "--decom", str(tmp_path / "none"), "--out", str(tmp_path)]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert (
        "at least one of --decom" in errors[0] and "none: expected a .keras file or a run folder" in errors[1]
    )


def test_a_network_in_anothers_place_is_not_packed(untrained_weights, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "best.keras").write_bytes((untrained_weights / "restoration.keras").read_bytes())
    assert main(["pack", "--decom", str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == 2
    assert main(["pack", "--detector", str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert errors[0].endswith(
        "best.keras: holds 'restoration_unet' (3+1 → 3 channels); expected decom (3 → 3+1 channels)"
    )
    assert errors[1].endswith("best.keras: holds the network 'restoration_unet'; expected a detector")
    assert not (tmp_path / "out").exists()


def test_packed_weights_record_the_split_of_their_runs(untrained_weights, tmp_path):
    for name, every in (("decom", 7), ("illumination", 7), ("lite", None)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "best.keras").write_bytes((untrained_weights / f"{name}.keras").read_bytes())
        if every:
            (tmp_path / name / "config.json").write_text(json.dumps({"validation_every": every}))
            (tmp_path / name / "data.json").write_text(json.dumps({"training": {name: "1"}}))
    out = ["--out", str(tmp_path / "packed")]
    assert main(["pack", "--decom", str(tmp_path / "decom"), *out]) == 0
    assert (
        main(["pack", *sum(([f"--{n}", str(tmp_path / n)] for n in ("illumination", "lite")), []), *out]) == 0
    )
    packed = json.loads((tmp_path / "packed" / "training.json").read_text())
    assert {name: record.get("validation_every") for name, record in packed.items()} == {
        "decom": 7,
        "illumination": 7,
        "lite": None,
    }
    assert packed["decom"]["data"] != packed["illumination"]["data"]
    assert recorded_split(tmp_path / "packed" / "decom.keras") == RecordedSplit(7)
    assert recorded_split(tmp_path / "packed" / "lite.keras") is None
    # What is packed again keeps what is known of it.
    assert (
        main(["pack", "--decom", str(tmp_path / "packed" / "decom.keras"), "--out", str(tmp_path / "b")]) == 0
    )
    assert json.loads((tmp_path / "b" / "training.json").read_text()) == {"decom": packed["decom"]}
