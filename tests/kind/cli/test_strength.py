import numpy as np
import pytest

from kind.cli.main import main
from kind.images.photo import read_photo, write_photo


@pytest.fixture
def photograph(tmp_path):
    write_photo(tmp_path / "night.png", np.random.default_rng(0).random((24, 32, 3)).astype(np.float32) * 0.2)
    return tmp_path / "night.png"


def test_strength_0_gives_the_photograph_back(photograph, tmp_path):
    out = tmp_path / "same.png"
    assert main(["enhance", str(photograph), "--out", str(out), "--strength", "0"]) == 0
    np.testing.assert_array_equal(read_photo(out).pixels, read_photo(photograph).pixels)


def test_other_strengths_are_one_line(photograph, tmp_path, capsys):
    assert main(["enhance", str(photograph), "--out", str(tmp_path / "o"), "--strength", "1.5"]) == 2
    assert capsys.readouterr().err == "kind: --strength expects a number from 0 to 1, received 1.5\n"
