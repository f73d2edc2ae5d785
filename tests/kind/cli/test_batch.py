"""What the words of a command line stand for, and where results go; a stub takes the place of networks."""

import argparse
import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image

from kind.cli.batch import add_batch_arguments, carry_out
from kind.cli.inputs import find_inputs, listed_in
from kind.cli.jobs import work_through
from kind.cli.main import main
from kind.cli.pipelined import Worked
from kind.cli.planning import plan
from kind.cli.relighting import relight
from kind.cli.talk import Silent
from kind.errors import UserError
from kind.images.iso_media import suffixes
from kind.images.photo import decode_photo, encode_photo, read_photo, read_stored_photo, write_photo
from tests.kind.images.raw_files import write_dng


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder: night.jpg, and holiday/ with photographs at two depths and other things."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "night.jpg",
        "holiday/2.png",
        "holiday/10.png",
        "holiday/trip/2.png",
        "holiday/trip/day/3.bmp",
    ):
        write_photo(name, np.full((4, 5, 3), 0.25))
    for name in ("clip.mp4", "raw.xyz", "more.xyz", ".hidden.mp4"):
        Path("holiday", name).touch()
    return tmp_path


@pytest.fixture
def run(here):
    """(words) → the exit code of a command that brightens photographs."""

    def work(jobs):
        def brighten(job, photo):
            return Worked("", lambda: write_photo(job.target, photo.pixels * 2, like=photo))

        return work_through(jobs, brighten, "")

    def run(*words, also=()):
        parser = argparse.ArgumentParser()
        add_batch_arguments(parser, stdout=True)
        return carry_out(parser.parse_args(list(map(str, words))), work, also)

    return run


def files(folder="."):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


@pytest.fixture
def new(here):
    """The files that there were not at the beginning."""
    before = set(files())
    return lambda: sorted(set(files()) - before)


@pytest.mark.parametrize(
    "words, expected",
    [
        ("night.jpg", ["night-relit.jpg"]),
        ("night.jpg --suffix _x", ["night_x.jpg"]),
        ("--out lit night.jpg", ["lit/night.jpg"]),
        ("night.jpg --out lit --suffix _x", ["lit/night_x.jpg"]),
        ("night.jpg --out lit/one.png", ["lit/one.png"]),
        ("night.jpg --out lit.v2/", ["lit.v2/night.jpg"]),
        ("holiday", ["holiday-relit/10.png", "holiday-relit/2.png"]),
        ("holiday/. --suffix x", ["holiday-x/10.png", "holiday-x/2.png"]),
        (
            "holiday --recursive",
            [f"holiday-relit/{name}" for name in ("10.png", "2.png", "trip/2.png", "trip/day/3.bmp")],
        ),
        (
            "holiday night.jpg --recursive --out lit",
            [f"lit/{name}" for name in ("10.png", "2.png", "night.jpg", "trip/2.png", "trip/day/3.bmp")],
        ),
        ("holiday/*.png", ["holiday/10-relit.png", "holiday/2-relit.png"]),
        ("**/*2.* night.jpg --out lit --suffix _x", None),  # two files of one name
        ("*.jpg ho*day --out lit", ["lit/10.png", "lit/2.png", "lit/night.jpg"]),
    ],
)
def test_where_results_go(words, expected, run, new):
    assert run(*words.split()) == (0 if expected else 1)
    assert new() == (expected or ["lit/2_x.png", "lit/night_x.jpg"])


def test_a_folder_of_this_folder_has_its_name(run, here, monkeypatch):
    monkeypatch.chdir("holiday")
    assert run(".") == 0 and files("../holiday-relit") == ["10.png", "2.png"]


def test_what_is_passed_over_is_counted_and_named_in_one_line(here, capsys):
    find_inputs(["holiday"])
    told = capsys.readouterr().err
    assert told == (
        "kind: holiday: passed over 1 .mp4 (clip.mp4), 2 .xyz (more.xyz, raw.xyz), 1 folder (trip); "
        "--recursive goes into folders\n"
    )
    find_inputs(["holiday"], recursive=True)
    assert (
        capsys.readouterr().err
        == "kind: holiday: passed over 1 .mp4 (clip.mp4), 2 .xyz (more.xyz, raw.xyz)\n"
    )
    find_inputs(["holiday/*g"])
    assert capsys.readouterr().err == ""


def test_a_name_with_brackets_is_a_name_first(here):
    Path("night.jpg").rename("night[1].jpg")
    assert [entry.path.name for entry in find_inputs(["night[1].jpg"])] == ["night[1].jpg"]
    with pytest.raises(UserError, match=r"night\[2\].jpg: no photograph has a name like that"):
        find_inputs(["night[2].jpg"])


def test_results_of_earlier_runs_are_no_input(run, new, capsys):
    assert run("*.jpg") == 0 and run("*.jpg", "--skip-existing") == 0 and new() == ["night-relit.jpg"]
    assert "1 of 1 are there already and skipped" in capsys.readouterr().err
    assert run("holiday", "--recursive", "--out", "holiday/lit") == 0
    capsys.readouterr()
    assert run("holiday", "--recursive", "--out", "holiday/lit", "--skip-existing") == 0
    assert "4 of 4 are there already and skipped" in capsys.readouterr().err


def test_results_in_the_folder_of_the_inputs_are_no_input_either(run, new, capsys):
    assert run("holiday", "--out", "holiday", "--suffix=-lit") == 0
    Path("holiday/2-lit.png").unlink()
    capsys.readouterr()
    assert run("holiday", "--out", "holiday", "--suffix=-lit", "--skip-existing") == 0
    assert "1 of 2 are there already and skipped" in capsys.readouterr().err
    assert new() == ["holiday/10-lit.png", "holiday/2-lit.png"]


def test_a_photograph_is_not_its_own_result(run):
    for words in (["*.jpg"], ["holiday"], ["holiday", "--out", "holiday"]):
        with pytest.raises(UserError, match="would overwrite an input"):
            run(*words, "--suffix", "", "--overwrite")


def test_a_list_of_files(run, new):
    Path("list.txt").write_text("# chosen\n\nnight.jpg\n  holiday/2.png \nholiday/1*.png\n")
    assert run("--files-from", "list.txt", "--out", "lit") == 0
    assert new() == ["list.txt", "lit/10.png", "lit/2.png", "lit/night.jpg"]


@pytest.mark.parametrize(
    "text, reason", [("", "lists no photograph"), ("-", "line -"), ("night.jpg".encode("utf-16"), "no text")]
)
def test_a_list_that_is_none(text, reason, run):
    Path("list.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=f"list.txt: .*{reason}"):
        run("--files-from", "list.txt")


@pytest.mark.parametrize(
    "words, reason",
    [
        ("", "no photograph given"),
        (
            "night.jpg --out lit.heix",
            "lit.heix: .heix images cannot be written: expects .png .* or lit.heix/",
        ),
        ("holiday --out lit.v2", ".v2 images cannot be written"),
        ("night.jpg --suffix a/b", "--suffix expects the end of a name"),
        ("night.jpg --suffix .png", "--suffix expects the end of a name"),
        ("night.jpg --out a.png --suffix _x", "leave --suffix out"),
        ("holiday night.jpg --out -", "3 photographs do not fit in stdout"),
        ("night.jpg --out night.jpg/x", "cannot be made"),
        ("night.jpg --out new/deep --files-from none.txt", "none.txt: cannot be read"),
        ("holiday --out holiday", "would overwrite an input"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(words, reason, run, new, here):
    folders = set(here.rglob("*"))
    with pytest.raises(UserError, match=reason):
        run(*words.split())
    assert new() == [] and set(here.rglob("*")) == folders


def test_a_wrong_option_leaves_no_folder(here, capsys):
    assert main(["enhance", "night.jpg", "--out", "deep/lit", "--weights", "nowhere"]) == 2
    assert not Path("deep").exists()


def test_nothing_is_overwritten_unasked(run, monkeypatch):
    assert run("night.jpg", "holiday", "--out", "lit") == 0
    first = Path("lit/2.png").read_bytes()
    write_photo("holiday/2.png", np.full((4, 5, 3), 0.1))
    with pytest.raises(
        UserError, match=r"lit/night.jpg and 2 more are there already: give --overwrite, --skip"
    ):
        run("night.jpg", "holiday", "--out", "lit")
    assert run("night.jpg", "holiday", "--out", "lit", "--skip-existing") == 0
    assert Path("lit/2.png").read_bytes() == first
    for answer, written in (("n\n", False), ("\n", False), ("y\n", True)):
        monkeypatch.setattr(sys, "stdin", terminal(answer))
        monkeypatch.setattr(sys, "stderr", terminal())
        if written:
            assert run("holiday", "--out", "lit") == 0
        else:
            with pytest.raises(UserError, match="there already"):
                run("holiday", "--out", "lit")
        assert (Path("lit/2.png").read_bytes() != first) == written
    assert "2 more are" not in sys.stderr.getvalue() and "overwrite? [y/N]" in sys.stderr.getvalue()


def terminal(text=""):
    stream = io.StringIO(text)
    stream.isatty = lambda: True
    return stream


def test_overwriting_is_a_flag_and_a_missing_part_is_work_left(run, new):
    assert run("night.jpg") == 0 and run("night.jpg", "--overwrite") == 0
    with pytest.raises(UserError, match="night-relit.jpg is there already"):
        run("night.jpg", also=("sheet",))
    Path("night-relit.jpg").write_bytes(b"old")
    assert run("night.jpg", "--skip-existing", also=("sheet",)) == 0
    assert Path("night-relit.jpg").read_bytes() != b"old"


def test_a_dry_run_shows_and_writes_nothing(run, new, capsys):
    write_photo("lit/night.jpg", np.zeros((2, 2, 3)))
    assert run("night.jpg", "holiday/2.png", "--out", "lit", "--dry-run") == 0
    assert capsys.readouterr().out == (
        "night.jpg -> lit/night.jpg (is there already)\nholiday/2.png -> lit/2.png\n"
    )
    assert new() == ["lit/night.jpg"]


@pytest.mark.parametrize("format", ["jpg", "png", "webp", "tif"])
def test_stdin_to_stdout_keeps_the_format(format, run, new, monkeypatch, capsysbinary):
    data = encode_photo(np.full((4, 5, 3), 0.25), format)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: False))
    assert run("-") == 0
    out = capsysbinary.readouterr().out
    assert out[:4] == data[:4] and new() == []
    assert decode_photo(out, "stdout").pixels.mean() == pytest.approx(0.5, abs=0.01)


def test_stdin_is_told_by_its_content(monkeypatch, tmp_path):
    dng = write_dng(tmp_path / "a.dng", np.full((64, 64, 3), 0.5)).read_bytes()
    for data, target in ((dng, ".jpg"), (b"\0\0\0\x18ftypavif", ".avif"), (b"\0\0\0\x18ftypheic", ".heic")):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        if target in suffixes():
            (job,) = plan(["-"], tmp_path / "lit", None)
            assert job.target.suffix == target


def test_stdin_that_is_closed_is_one_line(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UserError, match="standard input: is closed"):
        run("-")
    assert run("night.jpg", "--out", "lit") == 0
    with pytest.raises(UserError, match="is there already"):
        run("night.jpg", "--out", "lit")


def test_quiet_is_quiet_beside_the_image(run, monkeypatch, capsysbinary):
    data = encode_photo(np.full((4, 5, 3), 0.25), "png")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: False))
    monkeypatch.setattr(sys, "stdout", Silent(sys.stdout))
    assert run("-") == 0
    assert decode_photo(capsysbinary.readouterr().out, "stdout").pixels.mean() == pytest.approx(0.5, abs=0.01)


def test_no_place_for_temporary_files_is_one_line(run, monkeypatch):
    def refuse(*_, **__):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.TemporaryDirectory", refuse)
    with pytest.raises(UserError, match="no place for temporary files .* set TMPDIR"):
        run("night.jpg", "--out", "-")


def test_parts_of_an_earlier_run_are_no_input(run, new):
    assert run("night*") == 0
    write_photo("night-relit_part.png", np.full((4, 5, 3), 0.25))
    assert run("night*", "--skip-existing", also=["part"]) == 0
    assert new() == ["night-relit.jpg", "night-relit_part.png"]


def test_what_becomes_of_targets_is_looked_at_for_collisions(here):
    def change(jobs):
        return [job._replace(target=job.target.with_name("one.png")) for job in jobs]

    first, second = plan(["holiday"], Path("out"), None, change=change)
    assert not first.refusal and "would both be written to out/one.png" in second.refusal


def test_a_folder_that_may_not_be_looked_into_is_none(here, monkeypatch):
    monkeypatch.setattr(Path, "is_dir", lambda path: (_ for _ in ()).throw(PermissionError(13, "denied")))
    assert len(find_inputs(["holiday/*.png"])) == 2


def test_stdin_is_named(run, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"hello"), isatty=lambda: False))
    assert run("-", "--out", "lit") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("kind: standard input: not an image of a known format: expects PNG, ")
    assert not Path("lit").exists()


def test_an_image_is_not_written_to_a_terminal(run, monkeypatch):
    monkeypatch.setattr(sys, "stdout", terminal())
    with pytest.raises(UserError, match="would write an image to the terminal"):
        run("night.jpg", "--out", "-")


def test_an_address_that_fails_does_not_stop_the_rest(run, monkeypatch, capsys):
    def fetch(address):
        if "gone" in address:
            raise UserError(f"{address}: the server answers 404 Not Found")
        return encode_photo(np.full((4, 5, 3), 0.25), "jpg")

    monkeypatch.setattr("kind.cli.inputs.fetch", fetch)
    addresses = [
        "https://a.example/b/dusk.jpg?size=2",
        "http://a.example/gone.png",
        "https://a.example/%2e%2e%2Fx",
    ]
    assert run(*addresses, "--out", "lit") == 1
    assert files("lit") == ["dusk.jpg", "x.png"]
    assert "kind: http://a.example/gone.png: the server answers 404 Not Found" in capsys.readouterr().err
    assert run(addresses[0]) == 0 and read_photo("dusk-relit.jpg").size == (4, 5)


def test_lists_of_detections_are_protected_too(here):
    parser = argparse.ArgumentParser()
    add_batch_arguments(parser, ending=None, out=Path("found"), skipping=False)
    Path("found").mkdir()
    Path("found/detections.json").touch()
    with pytest.raises(
        UserError, match="detections.json is there already: give --overwrite or another --out"
    ):
        carry_out(parser.parse_args(["night.jpg"]), None, lists=("detections.json",))


def test_a_tree_with_two_roots_is_refused_where_names_meet(here):
    write_photo("other/2.png", np.zeros((2, 2, 3)))
    jobs = plan(["holiday", "other"], Path("lit"), None)
    assert [bool(job.refusal) for job in jobs] == [False, False, True]


@pytest.mark.parametrize("target, deep", [("out.png", True), ("out.tif", True), ("out.jpg", False)])
def test_sixteen_bits_are_relit_in_sixteen_bits(here, target, deep):
    levels = np.arange(600, dtype=np.uint16).reshape(20, 30, 1).repeat(3, axis=2)
    tifffile.imwrite("deep.tif", levels, photometric="rgb", metadata=None)

    def enhancer(colours, alpha, fusion, *, levels, **_):
        relit = np.float32(2) * colours / 65535
        return SimpleNamespace(alpha=2.0, relit=np.rint(relit * 255).astype(np.uint8) if levels else relit)

    assert relight(plan(["deep.tif"], Path(target), None), enhancer) == 0
    found = read_stored_photo(target).levels
    assert (found.dtype == np.uint16) == deep
    if deep:
        assert np.array_equal(found, 2 * levels)


def test_metadata_stay_unless_stripped(run):
    tags = Image.Exif()
    tags[271] = "Camera"
    Image.new("RGB", (4, 5)).save("camera.jpg", exif=tags)
    os.utime("camera.jpg", (1_000_000_000, 1_000_000_000))
    assert run("camera.jpg") == 0 and run("camera.jpg", "--strip", "--suffix", "bare") == 0
    for name, is_kept in (("camera-relit.jpg", True), ("camera-bare.jpg", False)):
        assert (b"Camera" in Path(name).read_bytes()) == is_kept
        assert (os.stat(name).st_mtime == 1_000_000_000) == is_kept


@pytest.mark.parametrize("name", ["night\u2028\x85\x0b.jpg", os.fsdecode(b"night\xff\xfe.jpg")])
def test_a_list_holds_the_names_that_files_have(name, here):
    Path("list.txt").write_bytes(b"\xef\xbb\xbf" + os.fsencode(name) + b"\r\nnight.jpg")
    assert listed_in(Path("list.txt")) == [name, "night.jpg"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_full_standard_output_is_one_line(here):
    command = [sys.executable, "-m", "kind", "darken", "night.jpg", "--out", "-"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["kind: standard output: cannot be written (No space left on device)"]


def test_a_folder_that_is_gone_is_one_line(here):
    gone = Path("gone").resolve()
    gone.mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); from kind.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "darken", str(Path("night.jpg").resolve()), "--out", "lit"]
    done = subprocess.run(command, cwd=gone, capture_output=True, text=True)
    assert done.returncode == 2 and "the current folder is gone: change to another one" in done.stderr
    assert len(done.stderr.splitlines()) == 1
