"""Videos on the command line: which are taken, where they go, what is said of them; without networks."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kind.cli.main import main
from kind.cli.planning import plan
from kind.errors import UserError
from kind.images.photo import read_photo, write_photo

av = pytest.importorskip("av", reason="needs the extra `video`")

from kind.video.clip import frames_of, open_clip  # noqa: E402
from tests.kind.video.clips import write_clip  # noqa: E402


class Brighter:
    """Stands for `kind.enhancing.frames.FrameEnhancer`."""

    at_once = 1
    own_statistics = ()

    def __init__(self, enhancer, alpha=None, **settings):
        self.alpha = alpha or 4.0

    def statistics(self, frame):
        return (np.float32([self.alpha]),)

    def __call__(self, frame, statistics):
        alpha = float(statistics[0][0])
        return np.clip(frame * alpha, 0, 255).astype(np.uint8), alpha


class Networks:
    precision = "float32"

    def digests(self):
        return {"stub": "0"}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, without networks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kind.cli.enhance.load_enhancer", lambda arguments, **_: Networks())
    monkeypatch.setattr("kind.enhancing.frames.FrameEnhancer", Brighter)
    return tmp_path


def animation(path, count=3):
    images = [Image.fromarray(np.full((24, 32, 3), 10 + number, np.uint8)) for number in range(count)]
    images[0].save(path, save_all=True, append_images=images[1:], duration=[100] * count)
    return path


def test_videos_get_names_like_photographs(here):
    for name in ("a.mp4", "b.MOV", "c.webm"):
        (here / name).touch()
    animation(here / "d.gif")
    animation(here / "still.gif", 1)

    def targets(*arguments, **options):
        return [(job.target.name, job.moves) for job in plan(*arguments, videos=True, **options)]

    assert targets(["a.mp4", "b.MOV", "c.webm", "d.gif", "still.gif"], None, None) == [
        *(("a-relit.mp4", True), ("b-relit.MOV", True), ("c-relit.webm", True)),
        *(("d-relit.gif", True), ("still-relit.png", False)),
    ]
    assert targets(["a.mp4", "still.gif"], Path("out"), "jpg") == [("a.mp4", True), ("still.jpg", False)]
    assert targets(["a.mp4"], Path("x.mkv"), None) == [("x.mkv", True)]
    with pytest.raises(UserError, match=r"x.png: a.mp4 cannot be written as this: expects .mp4"):
        targets(["a.mp4"], Path("x.png"), None)
    with pytest.raises(UserError, match=r"x.mp4: still.gif is no video: expects .png"):
        targets(["still.gif"], Path("x.mp4"), None)


def test_a_folder_of_everything(here, capsys):
    (here / "in").mkdir()
    write_clip(here / "in" / "a.mp4", 4)
    animation(here / "in" / "b.gif")
    (here / "in" / "broken.mp4").write_bytes((here / "in" / "a.mp4").read_bytes()[:900])
    assert main(["enhance", "in", "--json"]) == 1
    output = capsys.readouterr()
    records = {record["file"]: record for record in map(json.loads, output.out.splitlines())}
    first, broken, last = (records[f"in/{name}"] for name in ("a.mp4", "broken.mp4", "b.gif"))
    assert (first["frames"], first["width"], first["alpha"], first["error"]) == (4, 64, 4, None)
    assert broken["frames"] is None and "damaged or incomplete" in broken["error"] and last["frames"] == 3
    assert "kind: 1 of 3 videos failed" in output.err
    assert sorted(path.name for path in (here / "in-relit").iterdir()) == ["a.mp4", "b.gif"]
    before, after = (
        np.mean([pixels for _, pixels in frames_of(open_clip(here / folder / "a.mp4"))])
        for folder in ("in", "in-relit")
    )
    assert after > 3 * before
    assert main(["enhance", "in"]) == 2 and "there already: give --overwrite" in capsys.readouterr().err


def test_without_the_extra_they_are_passed_over_with_a_hint(here, monkeypatch, capsys):
    (here / "in").mkdir()
    write_photo(here / "in" / "a.png", np.zeros((4, 4, 3)))
    (here / "in" / "b.mp4").touch()
    monkeypatch.setattr("kind.cli.inputs.can_read_clips", lambda: False)
    assert main(["enhance", "in", "--dry-run"]) == 0
    output = capsys.readouterr()
    assert "passed over 1 .mp4 (b.mp4); videos need pip install 'kind[video]'" in output.err
    assert output.out.splitlines() == ["in/a.png -> in-relit/a.png"]


def test_a_preview_is_a_picture_of_frames(here, capsys):
    write_clip(here / "a.mp4", 9)
    assert main(["enhance", "a.mp4", "--preview", "3"]) == 0
    sheet = read_photo(here / "a-relit_preview.png").pixels
    assert sheet[40:80].mean() < sheet[90:130].mean()
    assert sheet.shape[1] > 3 * 64 and not (here / "a-relit.mp4").exists()
    assert "3 of 9 frames" in capsys.readouterr().out
    write_photo(here / "a.png", np.zeros((4, 4, 3)))
    assert main(["enhance", "a.png", "--preview", "3"]) == 2
    assert "--preview: is for videos" in capsys.readouterr().err
    assert main(["enhance", "a.png", "--preview", "3", "--out", "-"]) == 2
    assert "--preview: --out - takes a photograph" in capsys.readouterr().err
    assert main(["enhance", "a.mp4", "--preview", "2", "--overwrite", "--json"]) == 0
    (record,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert record["output"] == "a-relit_preview.png" and record["frames"] == 2


def test_commands_for_photographs_say_so(here, capsys):
    write_clip(here / "a.mp4", 2)
    assert main(["edges", "a.mp4", "--out", "out"]) == 2
    assert "a.mp4: a video, not a photograph: kind enhance and kind detect take" in capsys.readouterr().err


def test_parts_are_for_photographs(here, capsys):
    write_clip(here / "a.mp4", 2)
    assert main(["enhance", "a.mp4", "--save-parts"]) == 2
    assert "leave --save-parts out" in capsys.readouterr().err


def test_boxes_are_drawn_and_written_frame_by_frame(here, painted_detector, monkeypatch, capsys):
    monkeypatch.setattr("kind.detection.predictor.load_detector", lambda path: painted_detector)
    monkeypatch.setattr("kind.nn.saving.weights_digest", lambda net: "0")
    frames = np.full((4, 64, 64, 3), 40, np.uint8)
    frames[2:, 16:24, 16:24] = 230
    write_clip(here / "a.mp4", frames)
    assert main(["detect", "a.mp4", "--input", "raw", "--image-size", "64"]) == 0
    lines = [json.loads(line) for line in (here / "found" / "a.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == [0, 1, 2, 3] and lines[1]["time"] == 0.04
    assert [len(line["objects"]) for line in lines] == [0, 0, 1, 1]
    assert lines[2]["objects"][0]["class"] == "spot" and lines[2]["objects"][0]["score"] > 0.8
    left, top, right, bottom = lines[2]["objects"][0]["box"]
    assert left < 20 < right and top < 20 < bottom
    shown = [pixels for _, pixels in frames_of(open_clip(here / "found" / "a.mp4"))]
    assert np.abs(shown[3].astype(int) - frames[3]).max() > 100 > np.abs(shown[0].astype(int) - 40).max()
