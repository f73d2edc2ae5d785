"""A video out of a video: what stays, and what an interruption leaves."""

import subprocess
import sys
import time

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs the extra `video`")

from kind.errors import UserError  # noqa: E402
from kind.video import making  # noqa: E402
from kind.video.clip import frames_of, open_clip  # noqa: E402
from kind.video.making import make_video  # noqa: E402
from tests.kind.video.clips import packets, write_clip  # noqa: E402

TIMES = [0, 512, 1000, 1100, 3000, 3001, 4000, 9000, 9600, 10000, 10512, 11024]


class Inverted:
    """Frames upside down in brightness; raises before a frame."""

    at_once = 1
    own_statistics = ()

    def __init__(self, stop=None):
        self.stop, self.seen = stop, []

    def statistics(self, frame):
        return (np.float32([frame.mean()]),)

    def __call__(self, frame, statistics):
        if len(self.seen) == self.stop:
            raise KeyboardInterrupt
        self.seen.append(float(statistics[0][0]))
        return 255 - frame, round(self.seen[-1], 4)


@pytest.fixture
def short_parts(monkeypatch):
    monkeypatch.setattr(making, "SECONDS", 0.2)


@pytest.mark.parametrize("suffix, codec", [("mp4", "libx264"), ("mov", "libx264"), ("webm", "libvpx-vp9")])
def test_sound_times_and_colours_stay(suffix, codec, short_parts, tmp_path):
    path = write_clip(tmp_path / f"a.{suffix}", len(TIMES), times=TIMES, audio=True, codec=codec, range=2)
    source, target = open_clip(path), tmp_path / f"b.{suffix}"
    made = make_video(source, target, Inverted(), {})
    result = open_clip(target)
    assert (result.times, result.end, result.time_base) == (source.times, source.end, source.time_base)
    assert result.colours == source.colours and result.size == source.size
    assert packets(target, "audio") == packets(path, "audio")
    for (number, before), (_, after) in zip(frames_of(source), frames_of(result)):
        assert np.abs(255.0 - before - after).mean() < 6, number
    assert made.numbers == list(range(source.count)) and len(made.records) == source.count
    assert made.notes == () and not made.resumed
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{suffix}", f"b.{suffix}"]
    assert target.stat().st_mtime_ns == path.stat().st_mtime_ns


def test_frames_come_in_their_order_and_errors_in_their_place():
    class Late:
        at_once = 3

        def __call__(self, frame, statistics):
            time.sleep(0.03 / (1 + frame))  # the first takes longest
            if frame == 5:
                raise ValueError("five")
            return frame, -frame

    made = making.worked(((number, number, ()) for number in range(9)), Late())
    assert [next(made) for _ in range(5)] == [(number, number, -number) for number in range(5)]
    with pytest.raises(ValueError, match="five"):
        next(made)


def test_odd_sizes_stay(tmp_path):
    write_clip(tmp_path / "a.webm", 3, size=(47, 63), codec="libvpx-vp9")
    make_video(open_clip(tmp_path / "a.webm"), tmp_path / "b.mp4", Inverted(), {})
    assert open_clip(tmp_path / "b.mp4").size == (47, 63)


def test_an_interrupted_run_goes_on_and_gives_the_same(short_parts, tmp_path):
    source = open_clip(write_clip(tmp_path / "a.mp4", 23, audio=True))
    make_video(source, tmp_path / "whole.mp4", Inverted(), {"α": 2})
    target = tmp_path / "b.mp4"
    with pytest.raises(KeyboardInterrupt):
        make_video(source, target, Inverted(stop=13), {"α": 2})
    assert not target.exists() and len(list((tmp_path / ".b.mp4.parts").glob("*.nut"))) == 2
    counted, rest = [], Inverted()
    made = make_video(source, target, rest, {"α": 2}, progress=lambda *count: counted.append(count))
    assert made.resumed == 10 and counted[0] == (10, 23) and counted[-1] == (23, 23) and len(rest.seen) == 13
    assert target.read_bytes() == (tmp_path / "whole.mp4").read_bytes() and len(made.records) == 23
    assert not (tmp_path / ".b.mp4.parts").exists()


def test_a_video_is_made_by_one_process_at_a_time(short_parts, tmp_path):
    source, target = open_clip(write_clip(tmp_path / "a.mp4", 20)), tmp_path / "b.mp4"
    code = (
        "import sys; from pathlib import Path; from kind.video.parts import Parts\n"
        "parts = Parts(Path(sys.argv[1]), {}); print('mine', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(target)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"mine\n"
        with pytest.raises(UserError, match="b.mp4: another process is making it"):
            make_video(source, target, Inverted(), {})
        other.kill()
    assert not make_video(source, target, Inverted(), {}).resumed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_other_settings_and_another_source_begin_anew(short_parts, tmp_path):
    path = write_clip(tmp_path / "a.mp4", 12)
    for settings, change in (({"α": 2}, None), ({"α": 3}, None), ({"α": 3}, path)):
        if change:
            write_clip(path, 12, size=(48, 80))
        with pytest.raises(KeyboardInterrupt):
            make_video(open_clip(path), tmp_path / "b.mp4", Inverted(stop=7), settings)
    work = Inverted()
    make_video(open_clip(path), tmp_path / "b.mp4", work, {"α": 3})
    assert len(work.seen) == 7 and open_clip(tmp_path / "b.mp4").size == (48, 80)


def test_a_format_that_cannot_hold_the_sound_is_refused(tmp_path):
    source, work = open_clip(write_clip(tmp_path / "a.mp4", 2, audio=True)), Inverted()
    with pytest.raises(UserError, match=r"b.webm: .*(cannot hold aac sound: keep .mp4|cannot be written)"):
        make_video(source, tmp_path / "b.webm", work, {})
    assert work.seen == [] and [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    source = open_clip(write_clip(tmp_path / "a.mp4", 2))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        make_video(source, tmp_path / "file" / "b.mp4", Inverted(), {})
