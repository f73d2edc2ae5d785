"""`enhance` and `demo` as a user meets them: what comes out, and what a bad input says."""

import io
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from kind.cli.main import main
from kind.images.photo import read_photo


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder with one photograph of each common kind."""
    folder = tmp_path_factory.mktemp("photographs")
    levels = np.random.default_rng(5).integers(0, 60, (20, 31, 3), dtype=np.uint8)
    picture = Image.fromarray(levels)
    picture.save(folder / "a.png")
    picture.save(folder / "b.jpg")
    picture.convert("L").save(folder / "c.bmp")
    frames = [picture.convert("P"), picture.rotate(180).convert("P")]
    frames[0].save(folder / "d.gif", save_all=True, append_images=frames[1:])
    return folder


def lines(text):
    return text.strip().splitlines()


def test_a_folder_in_gives_a_folder_out(photographs, untrained_weights, tmp_path, capsys):
    out = tmp_path / "deep" / "out"
    weights = ["--weights", str(untrained_weights), "--precision", "float32", "--variant", "kind"]
    assert main(["enhance", str(photographs), "--out", str(out), *weights]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "b.jpg", "c.bmp", "d.gif"]
    for path in out.iterdir():
        assert read_photo(path).pixels.shape == (20, 31, 3)
    assert np.ptp(read_photo(out / "c.bmp").pixels, axis=2).max() == 0
    output = capsys.readouterr()
    assert lines(output.out)[0].split() == ["photograph", "size", "α", "seconds", "written", "to"]
    assert lines(output.out)[1].split()[:3] == ["a.png", "31x20", "5"]
    assert lines(output.out)[4].split() == ["video", "size", "frames", "α", "frames/s", "written", "to"]
    assert lines(output.out)[5].split()[:4] == ["d.gif", "31x20", "2", "5"]
    assert lines(output.err) == []


def test_the_file_equals_the_pipelines_result(photographs, untrained_weights, tmp_path):
    from kind.enhancing.enhancer import Enhancer

    target = tmp_path / "relit.png"
    arguments = ["--out", str(target), "--weights", str(untrained_weights), "--alpha", "2", "--save-parts"]
    assert main(["enhance", str(photographs / "a.png"), *arguments, "--precision", "float32"]) == 0
    enhanced = Enhancer.load(untrained_weights)(read_photo(photographs / "a.png").pixels, alpha=2.0)
    assert np.abs(read_photo(target).pixels - enhanced.relit).max() <= 0.5001 / 255
    for part in ("reflectance", "illumination", "restored", "adjusted"):
        written = read_photo(tmp_path / f"relit_{part}.png").pixels
        assert np.abs(written - getattr(enhanced, part)).max() <= 0.5001 / 255


def test_the_format_is_that_of_flag_or_suffix(photographs, untrained_weights, tmp_path):
    weights = ["--weights", str(untrained_weights)]
    assert (
        main(["enhance", str(photographs / "b.jpg"), "--out", str(tmp_path), "--format", "webp", *weights])
        == 0
    )
    assert (tmp_path / "b.webp").read_bytes()[8:12] == b"WEBP"
    assert main(["enhance", str(photographs / "b.jpg"), "--out", str(tmp_path / "x.tif"), *weights]) == 0
    assert (tmp_path / "x.tif").read_bytes()[:4] == b"II*\0"


@pytest.mark.parametrize("workers", ["0", "1", "3"])
def test_a_bad_file_does_not_stop_the_rest(workers, photographs, untrained_weights, tmp_path, capsys):
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "1 text.png").write_text("hello")
    (folder / "2 cut.png").write_bytes((photographs / "a.png").read_bytes()[:-40])
    (folder / "3 good.png").write_bytes((photographs / "a.png").read_bytes())
    out = tmp_path / "out"
    arguments = ["enhance", str(folder), "--out", str(out), "--weights", str(untrained_weights)]
    arguments += ["--precision", "float32", "--workers", workers]
    assert main(arguments) == 1
    assert [path.name for path in out.iterdir()] == ["3 good.png"]
    errors = lines(capsys.readouterr().err)
    assert len(errors) == 3
    assert "1 text.png: not an image of a known format" in errors[0]
    assert "2 cut.png: damaged or incomplete" in errors[1]
    assert errors[2] == "kind: 2 of 3 photographs failed"
    (folder / "3 good.png").unlink()
    assert main(arguments) == 2


def nothing_there(photographs, tmp_path):
    return [str(tmp_path / "missing.png"), "--out", str(tmp_path / "out")], "no such file or folder"


def empty_folder(photographs, tmp_path):
    (tmp_path / "empty").mkdir()
    return [str(tmp_path / "empty"), "--out", str(tmp_path / "out")], "no photograph in this folder"


def output_is_input(photographs, tmp_path):
    return [str(photographs), "--out", str(photographs)], "would overwrite an input"


def output_is_input_by_another_name(photographs, tmp_path):
    (tmp_path / "link").symlink_to(photographs)
    return [str(photographs / "a.png"), "--out", str(tmp_path / "link")], "would overwrite an input"


def output_below_a_file(photographs, tmp_path):
    (tmp_path / "file").touch()
    return [str(photographs), "--out", str(tmp_path / "file" / "out")], "cannot be made"


def output_is_a_file(photographs, tmp_path):
    (tmp_path / "file").touch()
    return [str(photographs), "--out", str(tmp_path / "file")], "cannot be made"


def two_of_one_name(photographs, tmp_path):
    shutil.copy(photographs / "a.png", tmp_path)
    inputs = [str(photographs / "a.png"), str(tmp_path / "a.png")]
    return [*inputs, "--out", str(tmp_path / "out")], "would both be written"


def many_into_one_file(photographs, tmp_path):
    return [str(photographs), "--out", str(tmp_path / "one.png")], "4 photographs do not fit in one file"


def suffix_against_format(photographs, tmp_path):
    arguments = [str(photographs / "a.png"), "--out", str(tmp_path / "x.png"), "--format", "webp"]
    return arguments, "disagree"


def no_weights(photographs, tmp_path):
    return [
        str(photographs),
        "--out",
        str(tmp_path / "out"),
        "--weights",
        str(tmp_path / "none"),
    ], "no such folder"


def bad_alpha(photographs, tmp_path):
    return [str(photographs), "--out", str(tmp_path / "out"), "--alpha", "nan"], "--alpha expects"


def bad_workers(photographs, tmp_path):
    return [str(photographs), "--out", str(tmp_path / "out"), "--workers", "-1"], "--workers expects"


def bad_quality(photographs, tmp_path):
    return [str(photographs), "--out", str(tmp_path / "out"), "--quality", "0"], "--quality expects"


@pytest.mark.parametrize(
    "case",
    [
        nothing_there,
        empty_folder,
        output_is_input,
        output_is_input_by_another_name,
        output_below_a_file,
        output_is_a_file,
        two_of_one_name,
        many_into_one_file,
        suffix_against_format,
        no_weights,
        bad_alpha,
        bad_quality,
        bad_workers,
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(case, photographs, tmp_path, capsys):
    before = {path: path.read_bytes() for path in photographs.iterdir()}
    arguments, reason = case(photographs, tmp_path)
    assert main(["enhance", *arguments]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert len(lines(output.err)) == 1 and lines(output.err)[0].startswith("kind: ")
    assert reason in output.err
    assert {path: path.read_bytes() for path in photographs.iterdir()} == before


def test_auto_says_what_it_computes_in(photographs, untrained_weights, tmp_path, capsys, monkeypatch):
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr("kind.enhancing.precision._CPU_INFO", info)
    arguments = ["enhance", str(photographs / "a.png"), "--weights", str(untrained_weights)]
    said = {}
    for flags in ("avx512f", "avx512f avx512_bf16"):
        info.write_text(f"flags : {flags}\n")
        assert main([*arguments, "--out", str(tmp_path / f"{len(flags)}.png")]) == 0
        said[flags] = lines(capsys.readouterr().err)
    assert said["avx512f"] == ["kind: computing in float32"]
    assert len(said["avx512f avx512_bf16"]) == 1 and "bfloat16" in said["avx512f avx512_bf16"][0]
    pictures = [read_photo(tmp_path / f"{len(flags)}.png").pixels for flags in said]
    assert np.abs(pictures[0] - pictures[1]).max() < 0.02
    assert main([*arguments, "--out", str(tmp_path / "quiet.png"), "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_an_interruption_keeps_what_is_done(photographs, untrained_weights, tmp_path, capsys, monkeypatch):
    from kind.enhancing.enhancer import Enhancer

    enhance, seen = Enhancer.__call__, []

    def interrupted(*arguments, **options):
        seen.append(1)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return enhance(*arguments, **options)

    monkeypatch.setattr(Enhancer, "__call__", interrupted)
    arguments = ["enhance", str(photographs), "--out", str(tmp_path), "--weights", str(untrained_weights)]
    assert main(arguments) == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.jpg"]
    output = capsys.readouterr()
    assert [line.split()[0] for line in lines(output.out)[1:]] == ["a.png", "b.jpg"]
    assert lines(output.err)[-1] == "kind: interrupted; what was written is complete"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_large_image_shows_its_progress_on_a_terminal_only(monkeypatch):
    from kind.cli import tile_progress

    for stream, after in ((Terminal(), "_FIRST_AFTER"), (io.StringIO(), "_LINE_EVERY")):
        monkeypatch.setattr(sys, "stderr", stream)
        with tile_progress.TileProgress("quick.png") as progress:
            progress(1, 3)
        assert stream.getvalue() == ""
        with monkeypatch.context() as patch, tile_progress.TileProgress("night.png") as progress:
            patch.setattr(tile_progress, after, 0.0)
            progress(1, 3)
            progress(2, 3)
            progress(3, 3)
        shown = stream.getvalue()
        assert (
            "night.png" in shown
            and "1 of 3 tiles" in shown
            and "2 of 3 tiles" in shown
            and "3 of 3" not in shown
        )
        assert ("\n" in shown) != stream.isatty() and shown.endswith("\r" if stream.isatty() else "\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unwritable for root")
def test_an_unwritable_folder_is_named(photographs, tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert main(["enhance", str(photographs), "--out", str(tmp_path)]) == 2
    assert "cannot be written to" in capsys.readouterr().err


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("size", [(1, 1), (4000, 1)])
def test_black_and_white_and_extreme_sizes_work(value, size, untrained_weights, tmp_path):
    Image.new("RGB", size, (value,) * 3).save(tmp_path / "in.png")
    arguments = [str(tmp_path / "in.png"), "--out", str(tmp_path / "out.png")]
    assert main(["enhance", *arguments, "--weights", str(untrained_weights)]) == 0
    assert read_photo(tmp_path / "out.png").pixels.shape == (size[1], size[0], 3)


def test_demo_lays_out_the_steps_of_every_photograph(photographs, untrained_weights, tmp_path, capsys):
    out = tmp_path / "a folder"
    assert main(["demo", str(photographs), "--out", str(out), "--weights", str(untrained_weights)]) == 0
    names = sorted(path.name for path in out.iterdir())
    sheets = [f"{stem}_sheet.png" for stem in "abcd"]
    assert names == sorted(["a.png", "b.jpg", "c.bmp", "d.png", "index.html", "steps", *sheets])
    page = (out / "index.html").read_text(encoding="utf-8")
    steps = [
        f"steps/{stem}_sheet-{step}.jpg" for stem in "abcd" for step in ("input", "reflectance", "relit")
    ]
    assert all(f'src="{step}"' in page and (out / step).is_file() for step in steps)
    sheet = read_photo(out / "a_sheet.png").pixels
    assert sheet.shape[1] > 5 * 31 and sheet.shape[0] > 20


@pytest.mark.slow
def test_demo_brings_its_own_photographs_and_finds_objects_and_changes_in_them(
    untrained_weights, tmp_path, capsys
):
    assert main(["demo", "--out", str(tmp_path), "--weights", str(untrained_weights)]) == 0
    assert len(list(tmp_path.glob("*_sheet.png"))) == 5
    found = tmp_path / "found"
    assert len(list(found.glob("*_sheet.png"))) == 5 and (found / "detections.json").is_file()
    assert len(list((tmp_path / "inputs").iterdir())) == 5
    output = capsys.readouterr().out
    assert "objects that the detector finds" in output and output.count("512x512") == 2
    assert "changes between two photographs" in output and (tmp_path / "changes.jpg").is_file()
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    pictures = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(pictures) == 5 * 11 + 5 * 5 + 7 and all((tmp_path / picture).is_file() for picture in pictures)


def test_demo_needs_a_folder(photographs, tmp_path, capsys):
    for inputs in ([], [str(photographs / "a.png")]):
        assert main(["demo", *inputs, "--out", str(tmp_path / "x.png")]) == 2
        assert "x.png: --out expects a folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_help_needs_no_tensorflow():
    program = "import sys, kind.cli.main as m\ntry: m.main(['--help'])\nexcept SystemExit: pass\n"
    program += "sys.exit(any(name in sys.modules for name in ('tensorflow', 'skimage', 'matplotlib')))"
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_an_unknown_command_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["brighten"])
    assert stop.value.code == 2
    assert "brighten" in capsys.readouterr().err
