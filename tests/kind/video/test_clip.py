"""What a video file holds, and what is said of one that is damaged or none."""

import contextlib
import struct

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs the extra `video`")

from kind.images.photo import ImageError  # noqa: E402
from kind.video import clip as clip_module  # noqa: E402
from kind.video.clip import frames_of, open_clip  # noqa: E402
from tests.kind.video.clips import scene, write_clip  # noqa: E402

TIMES = [0, 512, 1000, 1100, 3000, 3001, 4000, 9000]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """40 frames of which each is brighter than the one before, with key frames and frames between others."""
    frames = np.stack([np.full((48, 64, 3), 4 * number, np.uint8) for number in range(40)])
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    options = {"crf": "1", "g": "8", "bf": "2", "sc_threshold": "0"}
    return write_clip(path, frames, options=options)


def test_frame_times_and_labels(tmp_path):
    clip = open_clip(write_clip(tmp_path / "a.mp4", len(TIMES), times=TIMES, matrix=9, range=2))
    assert clip.times == tuple(TIMES) and clip.count == 8 and clip.size == (48, 64) and clip.turns == 0
    assert clip.colours[:2] == (9, 2) and clip.aspect == 1 and clip.notes == ()
    assert clip.seconds(4) == pytest.approx(3000 / 12800) and clip.end > 9000
    assert float(clip.rate) == pytest.approx(8 * 12800 / clip.end)
    assert np.abs(next(frames_of(clip))[1] - scene()).mean() < 6


def test_decoding_begins_anywhere(film):
    clip = open_clip(film)
    whole = list(frames_of(clip))
    assert [number for number, _ in whole] == list(range(40)) and len(clip.keys) == 5
    for start in (1, 7, 8, 9, 23, 39):
        late = list(frames_of(clip, start))
        assert [number for number, _ in late] == list(range(start, 40))
        assert all((pixels == whole[number][1]).all() for number, pixels in late)


def turned(data, matrix):
    """The same MP4 with another display matrix."""
    place = data.index(b"tkhd") + 4 + 40
    values = [
        *(value << 16 for value in matrix[:2]),
        0,
        *(value << 16 for value in matrix[2:]),
        0,
        0,
        0,
        1 << 30,
    ]
    return data[:place] + struct.pack(">9i", *values) + data[place + 36 :]


@pytest.mark.parametrize(
    "matrix, turns", [((1, 0, 0, 1), 0), ((0, 1, -1, 0), 3), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)]
)
def test_frames_are_upright(matrix, turns, tmp_path):
    path = write_clip(tmp_path / "a.mp4", 2)
    stored = next(frames_of(open_clip(path)))[1]
    path.write_bytes(turned(path.read_bytes(), matrix))
    clip = open_clip(path)
    assert clip.turns == turns and clip.size == ((64, 48) if turns % 2 else (48, 64))
    assert (next(frames_of(clip))[1] == np.rot90(stored, turns)).all()


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "the file is empty"),
        (b"#EXTM3U\nhttp://127.0.0.1/x.ts\n", "not a video of a known format: expects MP4"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "not a video of a known format"),
        (b"\0\0\0\x18ftypmp42" + bytes(64), "damaged or incomplete"),
        (b"\x1a\x45\xdf\xa3" + bytes(64), "damaged or incomplete"),
    ],
)
def test_what_is_no_video_is_named_in_one_line(content, message, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=message) as caught:
        open_clip(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix, codec", [("mp4", "libx264"), ("webm", "libvpx-vp9"), ("mkv", "libx264")])
def test_a_cut_file_is_found_out_before_the_work(suffix, codec, tmp_path):
    path = write_clip(tmp_path / f"a.{suffix}", 30, codec=codec)
    if suffix == "mp4":
        with (
            av.open(str(path)) as source,
            av.open(str(tmp_path / "index_first.mp4"), "w", options={"movflags": "faststart"}) as target,
        ):
            copy = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = copy
                    target.mux(packet)
        path = tmp_path / "index_first.mp4"
    data = path.read_bytes()
    for share in (0.3, 0.5, 0.95 if suffix == "mp4" else 0.3):
        (tmp_path / f"cut.{suffix}").write_bytes(data[: int(len(data) * share)])
        with pytest.raises(ImageError, match="damaged or incomplete"):
            open_clip(tmp_path / f"cut.{suffix}")


def test_codecs_and_sizes_are_looked_at_before_decoding(film, monkeypatch, tmp_path):
    monkeypatch.setattr(clip_module, "PIXEL_LIMIT", 1000)
    with pytest.raises(ImageError, match="64x48 is 0 megapixels, the limit is 0"):
        open_clip(film)
    with pytest.raises(ImageError, match="its video is coded by ffv1: expects h264"):
        open_clip(write_clip(tmp_path / "a.mkv", 2, codec="ffv1", options={"level": "3"}))


def test_an_unknown_codec_is_named(film, tmp_path):
    (tmp_path / "a.mp4").write_bytes(film.read_bytes().replace(b"avc1", b"zzz1"))
    with pytest.raises(ImageError, match="coded by something unknown: expects h264"):
        open_clip(tmp_path / "a.mp4")


def test_damage_anywhere_is_an_image_error_or_none(film, tmp_path):
    data, path = film.read_bytes(), tmp_path / "a.mp4"
    random = np.random.default_rng(0)
    for _ in range(20):
        damaged = bytearray(data)
        for place in random.integers(0, len(data), 8):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(ImageError):
            assert all(pixels.shape == (48, 64, 3) for _, pixels in frames_of(open_clip(path)))


def test_what_is_missing_is_named(film, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ImageError, match=r"reading videos needs av: install with pip install 'kind\[video\]'"
    ):
        open_clip(film)
