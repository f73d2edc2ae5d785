"""Raw files, developed; the one that is written here knows what light it was exposed to."""

import io

import numpy as np
import pytest

pytest.importorskip("rawpy", reason="needs the extra `raw`")

from kind.images import photo as photo_module  # noqa: E402
from kind.images import raw  # noqa: E402
from kind.images.finding import photos_in  # noqa: E402
from kind.images.photo import (  # noqa: E402
    ImageError,
    decode_photo,
    encode_photo,
    photo_size,
    read_photo,
    read_stored_photo,
    write_photo,
)
from tests.kind.images.raw_files import write_dng  # noqa: E402


def patches():
    """Gray, red and blue in linear light."""
    light = np.full((64, 96, 3), 0.18)
    light[:32, 48:], light[32:, 48:] = (0.3, 0.05, 0.02), (0.004, 0.02, 0.06)
    return light


def linear(pixels):
    return np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)


def test_light_comes_back_as_it_was(tmp_path):
    stored = read_stored_photo(write_dng(tmp_path / "a.dng", patches()))
    assert stored.is_raw and stored.levels.dtype == np.uint16 and stored.bits == 16 and stored.notes == ()
    light = linear(stored.in_floats().pixels)
    for row, column in ((32, 20), (16, 72), (48, 72)):
        assert light[row, column] == pytest.approx(patches()[row, column], rel=0.02, abs=2e-4)
    assert photos_in(tmp_path).photos == [tmp_path / "a.dng"] and photo_size(tmp_path / "a.dng") == (64, 96)


def test_a_dark_one_stays_dark(tmp_path):
    photo = read_photo(write_dng(tmp_path / "a.dng", patches() / 64))
    assert linear(photo.pixels)[32, 20] == pytest.approx(0.18 / 64, rel=0.03)


@pytest.mark.parametrize("orientation, turns", [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_it_is_upright(orientation, turns, tmp_path):
    upright = np.rot90(read_photo(write_dng(tmp_path / "a.dng", patches())).pixels, turns)
    path = write_dng(tmp_path / "b.dng", patches(), orientation)
    assert photo_size(path) == upright.shape[:2] == read_photo(path).size
    assert np.abs(read_photo(path).pixels - upright)[2:-2, 2:-2].max() < 1e-3


def test_what_the_file_says_goes_into_the_result(tmp_path):
    photo = read_photo(write_dng(tmp_path / "a.dng", patches(), 6))
    assert b"Camera" in photo.metadata.exif and b"Somebody" in photo.metadata.exif
    again = decode_photo(encode_photo(photo.pixels, "jpg", photo), "x")
    assert again.size == (96, 64) and b"Somebody" in again.metadata.exif
    assert decode_photo(encode_photo(photo.pixels, "png", photo), "x").bits == 16


def test_what_was_turned_upright_is_not_turned_again(tmp_path):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    photo = read_photo(write_dng(tmp_path / "a.dng", patches(), 6, xmp))
    assert b'tiff:Orientation="1"' in photo.metadata.xmp
    write_photo(tmp_path / "a.jpg", photo.pixels, like=photo)
    assert photo_size(tmp_path / "a.jpg") == read_photo(tmp_path / "a.jpg").size == photo.size


def test_damage_is_one_line_and_nothing_else(tmp_path, capfd):
    data = write_dng(tmp_path / "a.dng", patches()).read_bytes()
    for cut in (12, 100, 400, len(data) // 2):
        with pytest.raises(ImageError, match="^x: ") as caught:
            decode_photo(data[:cut], "x")
        assert "\n" not in str(caught.value)
    for start in (b"FUJIFILMCCD-RAW ", b"IIRO", b"IIU\0", b"II*\0\x10\0\0\0CR\2\0", b"\0\0\0\x18ftypcrx "):
        with pytest.raises(ImageError, match="^x: damaged or incomplete"):
            decode_photo(start + bytes(200), "x")
    assert capfd.readouterr() == ("", "")


def test_size_is_looked_at_before_unpacking(tmp_path, monkeypatch):
    path = write_dng(tmp_path / "a.dng", patches())
    monkeypatch.setattr(photo_module, "PIXEL_LIMIT", 64 * 96 - 1)
    for read in (read_photo, photo_size):
        with pytest.raises(ImageError, match="a.dng: 96x64 is 0 megapixels, the limit is 0"):
            read(path)


def test_photographs_are_no_raw_files(tmp_path):
    for kind in ("tif", "png", "jpg", "webp"):
        assert not raw.is_raw(io.BytesIO(encode_photo(patches(), kind)))
    assert not raw.is_raw(io.BytesIO(b"")) and not raw.is_raw(io.BytesIO(b"II*\0"))


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    data = write_dng(tmp_path / "a.dng", patches()).read_bytes()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert raw.suffixes() == ()
    with pytest.raises(ImageError, match=r"x: .* needs rawpy: install with pip install 'kind\[raw\]'"):
        decode_photo(data, "x")
