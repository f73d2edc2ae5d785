"""`darken`, in-process."""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from kind.cli import darken
from kind.errors import UserError
from kind.images.photo import read_photo, write_photo

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def run():
    """(arguments as words) → the command's exit code."""

    def run(*words):
        parser = argparse.ArgumentParser()
        darken.add_arguments(parser)
        return darken.run(parser.parse_args([*map(str, words), "--overwrite"]))

    return run


@pytest.fixture
def bright(tmp_path):
    for name, image in (("cat", skimage.data.chelsea()), ("cup", skimage.data.coffee())):
        write_photo(tmp_path / "bright" / f"{name}.png", image[100:160, 100:180] / np.float32(255))
    return tmp_path / "bright"


def test_help_needs_no_tensorflow():
    script = "import sys; import kind.cli.darken; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=REPOSITORY)


def test_a_folder_becomes_dark(run, bright, tmp_path, capsys):
    out = tmp_path / "dark"
    assert run(bright, "--out", out) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert printed.err == "" and lines[0].split() == "photograph light shot noise γ written to".split()
    assert [line.split()[0] for line in lines[1:]] == ["cat.png", "cup.png"]
    for name in ("cat.png", "cup.png"):
        assert read_photo(out / name).pixels.shape == (60, 80, 3)
        assert read_photo(out / name).pixels.mean() < 0.5 * read_photo(bright / name).pixels.mean()


def test_preset_and_seed_decide(run, bright, tmp_path):
    def twin(name, *flags):
        run(bright / "cat.png", "--out", tmp_path / name, *flags)
        return read_photo(tmp_path / name).pixels

    assert np.array_equal(twin("a.png"), twin("b.png", "--seed", "0", "--preset", "moderate"))
    assert not np.array_equal(twin("a.png"), twin("c.png", "--seed", "1"))
    assert twin("d.png", "--preset", "dusk").mean() > twin("a.png").mean()


def test_what_is_left_is_made_as_in_an_undisturbed_run(bright, tmp_path):
    def run(*words):
        parser = argparse.ArgumentParser()
        darken.add_arguments(parser)
        assert darken.run(parser.parse_args([str(bright), "--out", str(tmp_path / "dark"), *words])) == 0
        return read_photo(tmp_path / "dark" / "cup.png").pixels

    for preset in ("moderate", "dusk"):
        whole = run("--preset", preset, "--overwrite")
        (tmp_path / "dark" / "cup.png").unlink()
        assert np.array_equal(run("--preset", preset, "--skip-existing"), whole)


def test_one_bad_file_is_named_and_the_rest_is_done(run, bright, tmp_path, capsys):
    for preset in ("moderate", "backlit"):
        out = tmp_path / preset
        (bright / "bad.png").write_bytes(b"nonsense")
        assert run(bright, "--out", out, "--preset", preset) == 1
        assert {path.name for path in out.iterdir()} == {"cat.png", "cup.png"}
        assert "bad.png: not an image of a known format" in capsys.readouterr().err
    assert run(bright / "bad.png", "--out", tmp_path / "none") == 2


def test_mistakes_are_named(run, bright, tmp_path):
    with pytest.raises(UserError, match="no such file"):
        run(tmp_path / "none.png", "--out", tmp_path / "dark")
    with pytest.raises(UserError, match="would overwrite an input"):
        run(bright, "--out", bright)
    with pytest.raises(UserError, match="--seed expects a number from 0"):
        run(bright, "--out", tmp_path / "dark", "--seed", "-1")
    with pytest.raises(SystemExit):
        run(bright, "--out", tmp_path / "dark", "--preset", "pitch-black")


def test_the_presets_are_those_of_the_data():
    from kind.data.dark_twins import PRESETS as TWIN_PRESETS
    from kind.data.darkening import DEFAULT_PRESET, PRESETS

    parser = argparse.ArgumentParser()
    darken.add_arguments(parser)
    action = next(action for action in parser._actions if action.dest == "preset")
    assert set(action.choices) == {*PRESETS, *TWIN_PRESETS} and action.default == DEFAULT_PRESET


def test_underexposed_twins(run, bright, tmp_path, capsys):
    for seed in (3, 3, 4):
        assert run(bright, "--preset", "backlit", "--seed", seed, "--out", tmp_path / "out") == 0
    assert "of its twin" in capsys.readouterr().out
    dark, photograph = (read_photo(folder / "cat.png").pixels for folder in (tmp_path / "out", bright))
    assert dark.shape == photograph.shape and dark.mean() < photograph.mean()
