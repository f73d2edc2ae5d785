"""Packing trained networks for shipping."""

import numpy as np

from kind.cli.main import main
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
