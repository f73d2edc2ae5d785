"""The speed of videos is measured; small and with the light network."""

import pytest

pytest.importorskip("av")

from benchmarks.video import main


def test_the_speed_of_each_part_is_printed(capsys):
    assert main(["speed", "--frames", "4", "--size", "64x48"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "frames/s" in line]
    names = ["networks alone", "decoding alone", "decoding and encoding", "kind enhance"]
    assert [line[:24].strip() for line in lines] == names
