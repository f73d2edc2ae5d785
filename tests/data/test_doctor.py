import os

import numpy as np
import pytest
from PIL import Image
from skimage import data

from kind.data.doctor import ERROR, KINDS, WARNING, examine
from kind.data.pair_checks import check_pair
from kind.data.pairs import Pair, find_pairs, split_pairs
from kind.data.samples import darken
from kind.errors import UserError
from kind.images.photo import read_photo

SIZE = (150, 200)


@pytest.fixture
def put(tmp_path):
    """(part, name, low, high) → two files below the test's folder; None leaves one out."""

    def put(name, low, high, part="."):
        for side, pixels in (("low", low), ("high", high)):
            (tmp_path / part / side).mkdir(parents=True, exist_ok=True)
            if pixels is not None:
                Image.fromarray(pixels).save(tmp_path / part / side / f"{name}.png")

    return put


def scene(photograph, down=0, right=0):
    """A view of one of scikit-image's photographs, as low and high."""
    high = getattr(data, photograph)()[down : down + SIZE[0], right : right + SIZE[1], :3]
    return darken(high, 0.05, np.random.default_rng(down + right)), high


SCENES = [scene("astronaut"), scene("chelsea", 60, 100), scene("coffee", 200, 300), scene("rocket", 150, 250)]


@pytest.fixture
def healthy(put, tmp_path):
    """Four sound pairs; a is validation, b to d are training."""
    for name, pair in zip("abcd", SCENES):
        put(name, *pair)
    return tmp_path


def found(folder):
    """kind → its findings, after checking that nothing else is there."""
    kinds = {}
    for finding in examine(folder).findings:
        kinds.setdefault(finding.kind, []).append(finding)
    return kinds


def test_healthy_pairs_have_no_findings(healthy):
    calls = []
    examination = examine(healthy, lambda done, total: calls.append((done, total)))
    assert examination.findings == []
    assert examination.parts == {"training": 3, "validation": 1}
    assert calls == [(number, 4) for number in range(1, 5)]
    for one in examination.measured:
        assert one.shift.pixels < 0.3 and one.means["low"] < one.means["high"]


def test_unreadable_files(healthy):
    path = healthy / "low/b.png"
    path.write_bytes(path.read_bytes()[:3000])
    (healthy / "high/c.png").write_bytes(b"")
    kinds = found(healthy)
    assert list(kinds) == ["unreadable"]
    assert [finding.files for finding in kinds["unreadable"]] == [(healthy / "high/c.png",), (path,)]
    assert "0 bytes" in kinds["unreadable"][0].detail


def test_files_without_partner_and_files_with_two(healthy):
    (healthy / "low/b.png").rename(healthy / "low/x.png")
    Image.fromarray(SCENES[2][0]).save(healthy / "low/c.bmp")
    (healthy / "high/list.txt").write_text("")
    (healthy / "high/.hidden").write_text("")
    kinds = found(healthy)
    assert {finding.files for finding in kinds["unmatched"]} == {
        (healthy / "high/b.png",),
        (healthy / "low/x.png",),
    }
    assert [finding.files for finding in kinds["same stem"]] == [
        (healthy / "low/c.bmp", healthy / "low/c.png")
    ]
    assert [finding.files for finding in kinds["passed over"]] == [(healthy / "high/list.txt",)]
    assert len(kinds) == 3


def test_sizes_that_differ(healthy, put):
    put("b", SCENES[1][0][:149], SCENES[1][1])
    kinds = found(healthy)
    assert list(kinds) == ["size"] and kinds["size"][0].detail == "200x149 in low, 200x150 in high"


@pytest.mark.parametrize(("down", "right", "words"), [(4, 0, "down"), (0, -3, "left")])
def test_pairs_that_are_shifted(healthy, put, down, right, words):
    low, high = scene("chelsea", 60, 100)[0], scene("chelsea", 60 - down, 100 - right)[1]
    put("b", low, high)
    kinds = found(healthy)
    (finding,) = kinds["shifted"]
    assert f"{abs(finding.values['down' if down else 'right']):.1f} {words}" in finding.detail
    assert (finding.values["down"], finding.values["right"]) == pytest.approx((down, right), abs=0.2)
    assert list(kinds) == ["shifted"]


def test_a_wrong_partner(healthy, put):
    put("b", SCENES[2][0], data.astronaut()[250:400, 250:450])
    (finding,) = found(healthy)["unrelated"]
    assert finding.files == (healthy / "low/b.png", healthy / "high/b.png")


def test_swapped_pairs(healthy, put):
    put("b", *SCENES[1][::-1])
    kinds = found(healthy)
    assert list(kinds) == ["brighter"]
    assert kinds["brighter"][0].values["low"] > kinds["brighter"][0].values["high"]


def test_constant_pictures_are_neither_dark_nor_duplicates(healthy, put):
    black = np.zeros((*SIZE, 3), np.uint8)
    for name in ("x", "y"):
        put(name, black, black)
    kinds = found(healthy)
    assert list(kinds) == ["constant"] and len(kinds["constant"]) == 4


def test_clipped_pictures(healthy, put):
    put("b", SCENES[1][0], np.clip(SCENES[1][1] * 2.5, 0, 255).astype(np.uint8))
    put("c", np.clip(SCENES[2][0].astype(int) - 40, 0, 255).astype(np.uint8), SCENES[2][1])
    clipped = found(healthy)["clipped"]
    assert [(finding.files[0].parent.name, *finding.values) for finding in clipped] == [
        ("high", "white"),
        ("low", "black"),
    ]
    black = read_photo(healthy / "low/c.png").pixels.max(axis=2) == 0
    assert clipped[1].values["black"] == pytest.approx(black.mean())


def test_duplicates_are_named_once_a_group(healthy, put):
    put("x", *SCENES[1])
    put("y", SCENES[2][0], SCENES[2][1] // 2 + 60)
    kinds = found(healthy)
    assert [[path.name for path in finding.files] for finding in kinds["duplicate"]] == [
        ["b.png", "x.png"],
        ["c.png", "y.png"],
    ]
    assert kinds["duplicate"][1].files[0].parent.name == "low"


def test_held_out_scenes_that_are_seen_in_training(healthy, put):
    put("x", *scene("astronaut", 6, 8))  # a, the validation pair, is the same scene
    kinds = found(healthy)
    assert list(kinds) == ["same scene"]
    (finding,) = kinds["same scene"]
    assert finding.files == (healthy / "high/a.png", healthy / "high/x.png")
    assert finding.detail.startswith("validation a is like training x")


def test_lol_s_test_set_is_compared_with_its_training_set(put, tmp_path):
    for name, pair in zip("abc", SCENES):
        put(name, *pair, part="our485")
    put("1", *scene("chelsea", 64, 104), part="eval15")
    put("2", *SCENES[3], part="eval15")
    examination = examine(tmp_path)
    assert examination.parts == {"training": 2, "test": 2, "validation": 1}
    assert [finding.detail[:28] for finding in examination.findings] == ["test 1 is like training b (0"]


def test_small_pictures_and_single_pairs_are_looked_at(put, tmp_path):
    put("a", SCENES[0][0][:1, :3], SCENES[0][1][:1, :3])
    examination = examine(tmp_path)
    assert examination.parts == {"training": 1} and examination.measured[0].shift is None


def test_errors_come_before_warnings_and_are_counted(healthy, put):
    put("b", *SCENES[1][::-1])
    (healthy / "low/c.png").unlink()
    examination = examine(healthy)
    assert [KINDS[finding.kind].severity for finding in examination.findings] == [ERROR, WARNING]
    assert (examination.count(ERROR), examination.count(WARNING)) == (1, 1)


@pytest.mark.parametrize("missing", ["low", "high", "."])
def test_a_folder_that_is_not_one_of_pairs(healthy, missing):
    (healthy / missing).rename(healthy.with_name(f"{healthy.name}-moved"))
    with pytest.raises(UserError, match=r"low/ and high/"):
        examine(healthy)


def test_an_empty_folder_is_not_a_sound_one(tmp_path):
    for side in ("low", "high"):
        (tmp_path / side).mkdir()
    with pytest.raises(UserError, match="hold no images"):
        examine(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="file names are text here")
def test_names_that_are_not_text(healthy):
    for side in ("low", "high"):
        os.rename(healthy / side / "b.png", os.fsencode(healthy / side) + b"/caf\xe9.png")
    assert found(healthy) == {}


def test_real_pairs_are_aligned_to_two_pixels(shared, tmp_path):
    for side in ("low", "high"):
        (tmp_path / side).mkdir()
        for path in sorted((shared / "data/lol_train" / side).iterdir())[20:26]:
            (tmp_path / side / path.name).symlink_to(path)
    examination = examine(tmp_path)
    assert all(one.shift.pixels < 2 and one.shift.agreement > 0.4 for one in examination.measured)
    assert examination.count(ERROR) == 0
    lows, highs = (sorted((tmp_path / side).iterdir()) for side in ("low", "high"))
    for low, high in zip(lows, highs[1:]):
        assert [finding.kind for finding in check_pair(Pair("wrong", low, high)).findings] == ["unrelated"]


def test_one_pair_is_too_few_to_train_on(put, tmp_path):
    put("a", *SCENES[0])
    (finding,) = examine(tmp_path).findings
    assert (finding.kind, KINDS["too few"].severity) == ("too few", ERROR)
    with pytest.raises(UserError, match="too few"):  # as training says
        split_pairs(find_pairs(tmp_path))


def test_pairs_that_are_too_small_to_be_compared_are_named(healthy, put):
    put("b", SCENES[1][0][:127], SCENES[2][1][:127])  # not even of one scene
    kinds = found(healthy)
    assert "unrelated" not in kinds
    (finding,) = kinds["not compared"]
    assert (
        finding.detail.startswith("200x127: neither shift nor kinship") and finding.files[0].name == "b.png"
    )
    assert KINDS["not compared"].severity == WARNING


def test_images_below_every_crop_are_errors(healthy, put):
    put("b", SCENES[1][0][:11], SCENES[1][1][:11])
    assert "too small" not in {finding.kind for finding in examine(healthy, smallest_patch=11).findings}
    findings = [one for one in examine(healthy, smallest_patch=12).findings if one.kind == "too small"]
    assert [one.detail for one in findings] == ["its shorter side has 11 pixels"]
