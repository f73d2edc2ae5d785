"""AVIF and HEIC, in and out."""

import io

import numpy as np
import pytest
from PIL import Image

from kind.images import iso_media
from kind.images.finding import photos_in
from kind.images.photo import ImageError, decode_photo, encode_photo, photo_size, read_photo, write_photo

KINDS = [
    pytest.param(
        suffix,
        marks=pytest.mark.skipif(suffix not in iso_media.suffixes(), reason=f"nothing here reads {suffix}"),
    )
    for suffix in (".avif", ".heic")
]


def picture():
    """Red on the left, green on the right, and dark below."""
    pixels = np.zeros((48, 64, 3), np.float32)
    pixels[:, :32, 0] = pixels[:, 32:, 1] = 0.8
    pixels[24:] *= 0.25
    return pixels


@pytest.mark.parametrize("suffix", KINDS)
def test_a_photograph_comes_back_with_its_metadata(suffix, tmp_path):
    tags = Image.Exif()
    tags[271] = "Camera"
    file = io.BytesIO()
    Image.new("RGB", (64, 48)).save(file, "JPEG", exif=tags)
    write_photo(tmp_path / f"a{suffix}", picture(), like=decode_photo(file.getvalue(), "x"))
    again = read_photo(tmp_path / f"a{suffix}")
    assert np.abs(again.pixels - picture())[4:-4, 4:-4].mean() < 0.02 and again.notes == ()
    assert b"Camera" in again.metadata.exif and photo_size(tmp_path / f"a{suffix}") == (48, 64)
    assert photos_in(tmp_path).photos == [tmp_path / f"a{suffix}"]


@pytest.mark.parametrize("suffix", KINDS)
def test_opacity_and_orientation(suffix):
    iso_media.format_of(b"\0\0\0\0ftypheic") if suffix == ".heic" else None
    tags = Image.Exif()
    tags[274] = 6
    levels = np.rint(picture() * 255).astype(np.uint8)
    rgba = np.dstack([levels, np.full((48, 64), 200, np.uint8)])
    file = io.BytesIO()
    Image.fromarray(rgba).save(
        file, iso_media.AVIF if suffix == ".avif" else iso_media.HEIC, exif=tags.tobytes(), quality=95
    )
    photo = decode_photo(file.getvalue(), "x")
    assert photo.size == (64, 48) and photo.alpha.mean() == pytest.approx(200 / 255, abs=0.01)
    assert np.abs(photo.pixels - np.rot90(picture(), -1)).mean() < 0.03
    again = decode_photo(encode_photo(photo.pixels, suffix, photo), "x")
    assert again.size == (64, 48) and again.alpha.mean() == pytest.approx(200 / 255, abs=0.01)


@pytest.mark.parametrize("suffix", KINDS)
def test_damage_is_an_image_error(suffix):
    data = encode_photo(picture(), suffix)
    for cut in (12, 40, len(data) // 2, len(data) - 9):
        with pytest.raises(ImageError, match="^x: "):
            decode_photo(data[:cut], "x")


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delitem(Image.OPEN, iso_media.HEIC, raising=False)
    assert iso_media.suffixes() == ()
    with pytest.raises(
        ImageError, match=r"x: reading HEIC needs pillow-heif: install with pip install 'kind\[photos\]'"
    ):
        decode_photo(b"\0\0\0\x18ftypheic" + bytes(20), "x")
    with pytest.raises(ImageError, match="x: reading AVIF needs a Pillow"):
        decode_photo(b"\0\0\0\x18ftypavif" + bytes(20), "x")
