"""`edges`, in-process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from kind.cli.edges import _INVARIANTS, _LARGEST_SCALE, red_and_blue
from kind.cli.main import main
from kind.images.photo import read_photo, write_photo

REPOSITORY = Path(__file__).resolve().parents[3]


def test_help_needs_no_tensorflow():
    script = "import sys; import kind.cli.edges; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=REPOSITORY)


def test_its_lists_are_those_of_the_layer():
    from kind.ops.colour_invariants import INVARIANTS, LARGEST_SCALE

    assert tuple(_INVARIANTS) == INVARIANTS and _LARGEST_SCALE == LARGEST_SCALE


def test_the_scale_is_symmetric_red_above_and_blue_below():
    drawn = red_and_blue(np.array([[-9.0, -3.0, -1.0, 0.0, 1.0, 3.0, 9.0]]), 3.0)[0]
    red, blue = drawn[:, 0], drawn[:, 2]
    np.testing.assert_array_equal(drawn[3], 1)
    assert (red[4:] > blue[4:]).all() and (blue[:3] > red[:3]).all()
    np.testing.assert_array_equal(drawn[[0, -1]], drawn[[1, -2]])
    assert (np.diff(drawn.sum(-1)[:4]) >= 0).all() and (np.diff(drawn.sum(-1)[3:]) <= 0).all()


def test_photographs_become_maps(tmp_path, capsys):
    write_photo(tmp_path / "in" / "cat.png", skimage.data.chelsea()[100:150, 100:160] / np.float32(255))
    write_photo(tmp_path / "in" / "flat.png", np.full((20, 30, 3), 0.3, np.float32))
    (tmp_path / "in" / "bad.png").write_bytes(b"nonsense")
    assert main(["edges", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--scale", "0.5"]) == 1
    printed = capsys.readouterr()
    assert "bad.png: not an image of a known format" in printed.err and "edges" in printed.out
    cat = read_photo(tmp_path / "out" / "cat.png").pixels
    assert cat.shape == (50, 60, 3) and (cat[..., 0] > cat[..., 2] + 0.1).any()
    assert (cat[..., 2] > cat[..., 0] + 0.1).any()
    np.testing.assert_allclose(read_photo(tmp_path / "out" / "flat.png").pixels, 1, atol=0.01)


@pytest.mark.parametrize(("flag", "value"), [("--scale", "3"), ("--limit", "0"), ("--limit", "nan")])
def test_wrong_numbers_are_named(flag, value, tmp_path, capsys):
    assert main(["edges", "x.png", "--out", str(tmp_path), flag, value]) == 2
    assert f"{flag} expects a number" in capsys.readouterr().err
