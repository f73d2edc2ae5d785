"""`python -m kind doctor`: what it prints, writes and returns."""

import argparse
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from kind.cli import doctor
from kind.data.samples import darken
from kind.errors import UserError
from kind.images.photo import photo_size, read_photo

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def run(tmp_path, capsys):
    """(words) → exit code and stdout; the report goes to the test's folder."""

    def run(*words):
        parser = argparse.ArgumentParser()
        doctor.add_arguments(parser)
        code = doctor.run(parser.parse_args([*map(str, words), "--out", str(tmp_path / "out")]))
        return code, capsys.readouterr().out

    return run


@pytest.fixture
def pairs(tmp_path):
    """Three sound pairs."""
    for name, photograph in (("a", data.chelsea()), ("b", data.coffee()), ("c", data.rocket())):
        high = photograph[100:250, 200:400]
        for side, pixels in (("low", darken(high, 0.05, np.random.default_rng(0))), ("high", high)):
            path = tmp_path / "pairs" / side / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return tmp_path / "pairs"


def test_importing_needs_no_tensorflow():
    script = (
        "import sys, argparse, kind.cli.doctor as doctor; doctor.add_arguments(argparse.ArgumentParser()); "
        "assert not {'tensorflow', 'scipy', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=REPOSITORY)


def test_sound_pairs(run, pairs, tmp_path):
    code, printed = run(pairs)
    assert code == 0
    assert printed.splitlines()[0] == f"{pairs}: pairs: 2 training, 1 validation; 0 errors, 0 warnings"
    report = json.loads((tmp_path / "out/doctor.json").read_text())
    assert report["findings"] == [] and report["pairs"] == {"training": 2, "validation": 1}
    assert {(one["low"], one["high"]) for one in report["measured"]} == {
        (f"low/{name}.png", f"high/{name}.png") for name in "abc"
    }
    assert all(one["shift"]["pixels"] < 0.3 for one in report["measured"])
    assert not (tmp_path / "out/suspects.jpg").exists()


def test_warnings(run, pairs, tmp_path):
    for side, other in (("low", "high"), ("high", "low")):
        (pairs / side / "b.png").rename(pairs / f"{other}.png")
    for side in ("low", "high"):
        (pairs / f"{side}.png").rename(pairs / side / "b.png")
    code, printed = run(pairs)
    assert code == 1
    assert "warning: brighter, 1: low and high may be swapped\n  low/b.png high/b.png  mean 0." in printed
    (finding,) = json.loads((tmp_path / "out/doctor.json").read_text())["findings"]
    assert (finding["severity"], finding["kind"]) == ("warning", "brighter")
    assert finding["files"] == ["low/b.png", "high/b.png"]
    sheet = read_photo(tmp_path / "out/suspects.jpg").pixels
    low = read_photo(pairs / "low/b.png").pixels  # the bright one, and as small as the sheet's pictures
    assert np.abs(sheet[8:158, :200].mean() - low.mean()) < 0.1


def test_errors_outweigh_warnings(run, pairs):
    (pairs / "low/b.png").write_bytes((pairs / "low/b.png").read_bytes()[:2000])
    (pairs / "low/note.txt").write_text("")
    code, printed = run(pairs)
    assert code == 3
    assert "1 error, 1 warning\n" in printed
    assert printed.index("error: unreadable") < printed.index("warning: passed over")


def test_a_long_list_is_cut_on_the_screen_only(run, pairs, tmp_path):
    for number in range(70):
        Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(pairs / "high" / f"n{number:02d}.png")
    code, printed = run(pairs)
    assert code == 3 and "  … and 60 more in doctor.json" in printed
    assert len(json.loads((tmp_path / "out/doctor.json").read_text())["findings"]) == 70
    assert "suspects.jpg (60 of 70)" in printed
    height, width = photo_size(tmp_path / "out/suspects.jpg")
    assert height % 20 == 0 and width % 3 == 0  # 20 rows of 3


def test_a_mended_set_has_no_old_sheet(run, pairs, tmp_path):
    (pairs / "low/note.txt").write_text("")
    assert run(pairs)[0] == 1 and (tmp_path / "out/suspects.jpg").exists()
    (pairs / "low/note.txt").unlink()
    assert run(pairs)[0] == 0 and not (tmp_path / "out/suspects.jpg").exists()


def test_a_missing_folder_and_an_unwritable_place_are_one_line(run, pairs, tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        run(tmp_path / "none")
    (tmp_path / "out").write_text("")
    with pytest.raises(UserError, match="doctor.json: cannot be written") as raised:
        run(pairs)
    assert "\n" not in str(raised.value)


def test_the_largest_patch_is_named_where_a_stage_takes_more_by_default(run, pairs):
    _, printed = run(pairs)
    (line,) = [line for line in printed.splitlines() if "--patch" in line]
    assert line.startswith("the smallest image allows --patch 150 at most") and "restoration (384)" in line
    assert "decom" not in line


def test_a_folder_in_the_sheets_place_is_named(run, pairs, tmp_path):
    (tmp_path / "out/suspects.jpg").mkdir(parents=True)
    with pytest.raises(UserError, match=r"suspects.jpg: cannot be removed \(it is a folder\)"):
        run(pairs)
    (pairs / "low/note.txt").touch()
    with pytest.raises(UserError, match=r"suspects.jpg: cannot be written \(it is a folder\)"):
        run(pairs)


def test_a_picture_of_which_a_part_is_missing_is_named(run, pairs):
    whole = io.BytesIO()
    Image.open(pairs / "low/a.png").save(whole, "JPEG")
    (pairs / "low/a.png").unlink()
    (pairs / "low/a.jpg").write_bytes(whole.getvalue()[:-2000] + b"\xff\xd9")
    code, printed = run(pairs)
    assert code == 1 and "low/a.jpg  its data end before its last row" in printed


def test_a_broken_link_is_named(run, pairs):
    (pairs / "low/a.png").unlink()
    (pairs / "low/a.png").symlink_to("nowhere.png")
    code, printed = run(pairs)
    assert code == 3 and "low/a.png  is a link to a file that is not there" in printed


def test_annotated_images_and_photographs_are_examined_too(run, tmp_path):
    for number in (0, 1):
        path = tmp_path / "set" / "images" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(data.chelsea()[50 * number :][:150, :200]).save(path)
    code, printed = run(tmp_path / "set")
    assert code == 0 and printed.startswith(f"{tmp_path / 'set'}: 2 photographs; 0 errors, 0 warnings")
    (tmp_path / "set" / "labels").mkdir()
    (tmp_path / "set" / "labels" / "0.txt").write_text("0 0.5 0.5 0.2\n")
    code, printed = run(tmp_path / "set")
    assert code == 3 and "error: annotation, 1: mend the line" in printed and "0.txt, line 1" in printed
    report = json.loads((tmp_path / "out/doctor.json").read_text())
    assert report["images"] == 2 and report["findings"][0]["files"] == []


def test_a_list_of_pairs_is_examined(run, pairs):
    rows = [f"low/{name}.png,high/{name}.png\n" for name in "abc"]
    (pairs / "pairs.csv").write_text("".join(rows))
    code, printed = run(pairs / "pairs.csv")
    assert code == 0 and "pairs: 2 training, 1 validation; 0 errors" in printed
