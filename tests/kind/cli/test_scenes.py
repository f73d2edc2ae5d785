"""`scenes` as a user meets it."""

import subprocess
import sys

import numpy as np
import pytest
import skimage.data

from kind.cli import scenes
from kind.cli.main import main
from kind.data.annotations.layouts import read_yolo_folder
from kind.images.photo import read_photo, write_photo


def run(*words):
    return main(["scenes", *map(str, words)])


def test_they_are_dark_and_read_as_a_data_set(tmp_path, capsys):
    assert run("--out", tmp_path / "dark", "--count", 3, "--seed", 2, "--image-size", 96) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        run("--out", tmp_path / "bright", "--count", 3, "--seed", 2, "--image-size", 96, "--preset", "none")
        == 0
    )
    dark, bright = (read_yolo_folder(tmp_path / name) for name in ("dark", "bright"))
    for one, other in zip(dark.images, bright.images):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        assert read_photo(one.path).pixels.mean() < 0.6 * read_photo(other.path).pixels.mean()
    objects = sum(len(image.boxes) for image in dark.images)
    assert lines[0] == f"{tmp_path / 'dark'}: 3 scenes, {objects} objects"
    assert sum(int(line.split()[1]) for line in lines[1:]) == objects and len(lines) == 7


def test_scenes_are_darkened_as_photographs_are(tmp_path):
    run("--out", tmp_path / "dark", "--count", 2, "--image-size", 64, "--seed", 9)
    run("--out", tmp_path / "bright", "--count", 2, "--image-size", 64, "--seed", 9, "--preset", "none")
    main(["darken", str(tmp_path / "bright/images"), "--out", str(tmp_path / "twins"), "--seed", "9"])
    for path in (tmp_path / "twins").iterdir():
        twin, scene = read_photo(path).pixels, read_photo(tmp_path / "dark/images" / path.name).pixels
        assert np.abs(twin - scene).max() <= 1.001 / 255  # one compiled, one not


def test_backgrounds_can_be_ones_own(tmp_path):
    write_photo(tmp_path / "cat.png", skimage.data.chelsea()[:100, :100] * np.float32([0, 0, 1 / 255]))
    run(tmp_path / "cat.png", "--out", tmp_path / "out", "--count", 4, "--image-size", 64, "--preset", "none")
    images = [read_photo(path).pixels for path in (tmp_path / "out/images").iterdir()]
    assert np.mean([(image[..., :2] < 0.02).all(axis=-1).mean() for image in images]) > 0.3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--count", "0"], "--count expects a number from 1 to 1000000, received 0"),
        (["--seed", "-1"], "--seed expects"),
        (["--image-size", "32"], "--image-size expects a number from 64"),
        (["none.png"], "none.png: no such file or folder"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(words, message, tmp_path, capsys):
    assert run(*words, "--out", tmp_path / "out") == 2
    output = capsys.readouterr()
    assert output.out == "" and len(output.err.splitlines()) == 1 and message in output.err
    assert not (tmp_path / "out").exists()


def test_the_presets_are_those_of_the_data():
    from kind.data.darkening import PRESETS

    assert set(scenes._PRESETS) == {*PRESETS, "none"}
    script = "import sys; import kind.cli.scenes, kind.cli.detect; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
