"""Photographs of every kind, whole and broken, into [0, 1] floats and back."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageFile

from kind.errors import UserError
from kind.images import encoding
from kind.images import photo as kind_image
from kind.images.finding import find_photos
from kind.images.header import read_header
from kind.images.metadata import Metadata
from kind.images.photo import (
    ImageError,
    Photo,
    decode_photo,
    encode_photo,
    photo_size,
    read_photo,
    write_photo,
)

LEVELS = np.random.default_rng(3).integers(0, 256, (6, 9, 3), dtype=np.uint8)
ORIENTATION = 0x0112


def encoded(picture, format, **options):
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "WEBP"])
def test_eight_bit_values_are_divided_by_255(format):
    options = {"lossless": True} if format == "WEBP" else {}
    photo = decode_photo(encoded(Image.fromarray(LEVELS), format, **options), "x")
    assert photo.pixels.dtype == np.float32
    np.testing.assert_array_equal(photo.pixels, LEVELS / np.float32(255))
    assert photo.alpha is None and not photo.gray and photo.notes == ()


def test_jpeg_is_close_to_what_was_saved():
    smooth = np.add.outer(np.arange(64), np.arange(80))[..., None].repeat(3, -1).astype(np.uint8)
    photo = decode_photo(encoded(Image.fromarray(smooth), "JPEG", quality=95), "x")
    assert np.abs(photo.pixels * 255 - smooth).max() < 4


def test_sixteen_bit_gray_and_colour_keep_their_depth(tmp_path):
    values = np.random.default_rng(1).integers(0, 65536, (5, 7, 3), dtype=np.uint16)
    gray = decode_photo(encoded(Image.fromarray(values[..., 0]), "PNG"), "x")
    assert gray.gray
    np.testing.assert_array_equal(gray.pixels[..., 2], values[..., 0] / np.float32(65535))
    tifffile.imwrite(tmp_path / "colour.tif", values, photometric="rgb")
    colour = read_photo(tmp_path / "colour.tif")
    np.testing.assert_allclose(colour.pixels, values / np.float32(65535), atol=1e-7)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "LA", "RGBA"])
def test_every_mode_becomes_rgb(mode):
    picture = Image.fromarray(LEVELS).convert(mode)
    photo = decode_photo(encoded(picture, "TIFF" if mode == "CMYK" else "PNG"), "x")
    expected = np.asarray(picture.convert("RGB")) / np.float32(255)
    assert photo.pixels.shape == (6, 9, 3)
    assert np.abs(photo.pixels - expected).max() < (
        0.3 if mode == "CMYK" else 1e-6
    )  # CMYK: another conversion
    assert photo.gray == (mode in ("1", "L", "LA"))
    assert (photo.alpha is not None) == mode.endswith("A")


def test_palette_with_a_transparent_colour_has_alpha():
    picture = Image.fromarray(LEVELS).convert("P")
    photo = decode_photo(encoded(picture, "PNG", transparency=picture.getpixel((0, 0))), "x")
    assert photo.alpha[0, 0] == 0 and photo.alpha.max() == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_respected(orientation, tmp_path):
    turned = {
        1: lambda image: image,
        2: np.fliplr,
        3: lambda image: np.rot90(image, 2),
        4: np.flipud,
        5: lambda image: np.transpose(image, (1, 0, 2)),
        6: lambda image: np.rot90(image, -1),
        7: lambda image: np.transpose(np.rot90(image, 2), (1, 0, 2)),
        8: np.rot90,
    }[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    (tmp_path / "turned.png").write_bytes(encoded(Image.fromarray(LEVELS), "PNG", exif=exif))
    photo = read_photo(tmp_path / "turned.png")
    np.testing.assert_array_equal(photo.pixels, turned(LEVELS) / np.float32(255))
    assert photo_size(tmp_path / "turned.png") == photo.pixels.shape[:2]


def test_profile_and_alpha_survive_where_the_format_can_hold_them(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with_alpha = np.dstack([LEVELS, np.arange(54, dtype=np.uint8).reshape(6, 9)])
    photo = decode_photo(encoded(Image.fromarray(with_alpha), "PNG", icc_profile=profile), "x")
    for suffix, keeps_alpha in ((".png", True), (".webp", True), (".tif", True), (".jpg", False)):
        write_photo(tmp_path / f"out{suffix}", photo.pixels, like=photo)
        again = read_photo(tmp_path / f"out{suffix}")
        assert again.icc_profile == profile
        if keeps_alpha:
            np.testing.assert_array_equal(again.alpha, photo.alpha)
        else:
            assert again.alpha is None


def test_what_was_gray_stays_gray_looking():
    photo = Photo(pixels=np.full((2, 2, 3), 0.5, np.float32), gray=True)
    coloured = np.tile(np.float32([0.9, 0.5, 0.1]), (2, 2, 1))
    written = decode_photo(encode_photo(coloured, "png", photo), "x").pixels
    assert written.shape[2] == 3
    assert np.ptp(written, axis=2).max() == 0
    assert abs(written[0, 0, 0] - (0.299 * 0.9 + 0.587 * 0.5 + 0.114 * 0.1)) < 1 / 255


def test_the_first_frame_of_an_animation_is_taken_and_said():
    frames = [Image.fromarray(LEVELS).convert("P"), Image.fromarray(255 - LEVELS).convert("P")]
    photo = decode_photo(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), "x")
    np.testing.assert_array_equal(photo.pixels, np.asarray(frames[0].convert("RGB")) / np.float32(255))
    assert photo.notes == ("2 frames or pages: the first is used",)


def float_tiff(values):
    file = io.BytesIO()
    tifffile.imwrite(file, values, photometric="rgb")
    return file.getvalue()


def test_floats_are_used_as_they_are_and_clipped_with_a_note():
    values = np.float32([[[0.25, 1.5, -1.0]]])
    photo = decode_photo(float_tiff(values), "x")
    np.testing.assert_array_equal(photo.pixels, [[[0.25, 1, 0]]])
    assert photo.notes == ("values from -1 to 1.5 are clipped to [0, 1]",)


def bomb():
    """A PNG whose header announces 60000×60000 pixels."""
    whole = encoded(Image.new("L", (1, 1)), "PNG")
    header = whole[12:16] + struct.pack(">II", 60000, 60000) + whole[24:29]
    return whole[:12] + header + struct.pack(">I", zlib.crc32(header)) + whole[33:]


NOISE = np.random.default_rng(4).integers(0, 256, (60, 90, 3), dtype=np.uint8)
BROKEN = {
    "text": (b"not a picture at all", "not an image of a known format"),
    "nothing": (b"", "0 bytes"),
    "half a PNG": (encoded(Image.fromarray(NOISE), "PNG")[:-900], "damaged or incomplete"),
    "half a JPEG": (encoded(Image.fromarray(NOISE), "JPEG")[:-300], "damaged or incomplete"),
    "NaN": (float_tiff(np.full((2, 2, 3), np.nan, np.float32)), "NaN"),
    "bomb": (bomb(), "megapixels"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_one_line_that_names_it(what, tmp_path):
    data, reason = BROKEN[what]
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=reason) as error:
        read_photo(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(ImageError, match="no such file"):
        read_photo(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="is a folder"):
        read_photo(tmp_path)
    with pytest.raises(ImageError, match="no photograph in this folder"):
        find_photos([tmp_path])
    with pytest.raises(ImageError, match="no such file or folder"):
        find_photos([tmp_path / "missing"])


def test_a_folder_is_its_photographs_in_natural_order(tmp_path):
    for name in ("10.png", "2.PNG", ".hidden.png", "notes.txt", "a.webp"):
        (tmp_path / name).touch()
    assert [path.name for path in find_photos([tmp_path])] == ["2.PNG", "10.png", "a.webp"]


def test_writing_is_all_or_nothing(tmp_path, monkeypatch):
    target = tmp_path / "out.png"
    write_photo(target, np.zeros((2, 2, 3)))
    before = target.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(encoding._PlainFile, "write", full_disk, raising=False)
    with pytest.raises(ImageError, match="No space left on device"):
        write_photo(target, np.ones((2, 2, 3)))
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]


def test_eight_bit_images_are_written_back_unchanged():
    assert np.array_equal(
        decode_photo(encode_photo(LEVELS / np.float32(255), "png"), "x").pixels * 255, LEVELS
    )
    for wrong in (np.zeros((2, 2)), np.full((2, 2, 3), np.nan)):
        with pytest.raises(ValueError, match="expects"):
            encode_photo(wrong)
    with pytest.raises(ImageError, match="cannot be written"):
        encode_photo(np.zeros((2, 2, 3)), "gif")


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
@pytest.mark.parametrize("place", [33, -12])  # after IHDR, before IEND
def test_a_png_is_whole_whatever_its_texts_unpack_to(kind, place):
    """Editors keep histories of megabytes there; Pillow refuses the picture for them."""
    content = (b"name\0" + (b"\1\0\0\0" if kind == b"iTXt" else b"\0")) + zlib.compress(bytes(2 << 20))
    chunk = struct.pack(">I", len(content)) + kind + content
    data = encoded(Image.fromarray(LEVELS), "PNG")
    data = data[:place] + chunk + struct.pack(">I", zlib.crc32(kind + content)) + data[place:]
    photo = decode_photo(data, "x")
    np.testing.assert_array_equal(photo.pixels, LEVELS / np.float32(255))
    assert len(photo.notes) == 1 and "left out" in photo.notes[0] and photo.icc_profile is None


def test_signed_values_are_refused_at_every_depth():
    file = io.BytesIO()
    tifffile.imwrite(file, LEVELS[..., 0].view(np.int8), photometric="minisblack")
    with pytest.raises(ImageError, match="int8 values are not supported"):
        decode_photo(file.getvalue(), "x")


@pytest.mark.parametrize("size", [(0, 8), (8, 0)])
def test_a_picture_without_pixels_is_named(size):
    tags = [(256, size[0]), (257, size[1]), (258, 8), (259, 1), (262, 1), (273, 200), (277, 1), (278, 8)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in [*tags, (279, 64)])
    data = b"II*\0" + struct.pack("<IH", 8, len(tags) + 1) + entries
    for read in (lambda: decode_photo(data.ljust(264, b"\0"), "x"), lambda: read_header(data)):
        with pytest.raises(UserError, match=f"{size[0]}x{size[1]} pixels: damaged or incomplete"):
            read()


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "GIF", "JPEG", "BMP"])
def test_a_size_is_told_without_decoding(tmp_path, monkeypatch, format):
    """Of Pillow's EXIF of a PNG the whole picture is decoded, gigabytes where somebody wishes it."""
    (tmp_path / "x.png").write_bytes(encoded(Image.fromarray(LEVELS), format))
    monkeypatch.setattr(kind_image, "stored_samples", lambda *arguments: pytest.fail("it was decoded"))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("it was decoded"))
    assert photo_size(tmp_path / "x.png") == (6, 9)
    monkeypatch.setattr(kind_image, "PIXEL_LIMIT", 53)
    with pytest.raises(ImageError, match="x.png: 9x6 is 0 megapixels, the limit is"):
        photo_size(tmp_path / "x.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_levels_are_levels_in_every_format(tmp_path, suffix):
    deep = np.full((4, 5, 3), 0x8080, np.uint16)
    write_photo(tmp_path / f"deep{suffix}", deep)
    assert read_photo(tmp_path / f"deep{suffix}").pixels.mean() == pytest.approx(0x80 / 255, abs=0.005)
    with pytest.raises(ValueError, match="unsigned levels, received int64"):
        write_photo(tmp_path / f"no{suffix}", deep.astype(np.int64))


@pytest.mark.parametrize("suffix", [".tif", ".jpg", ".png"])
def test_metadata_are_those_of_the_upright_photograph(tmp_path, monkeypatch, suffix):
    exif, sizes = Image.Exif(), []
    exif[0x0112] = 6
    Image.fromarray(np.zeros((4, 8, 3), np.uint8)).save(tmp_path / f"a{suffix}", exif=exif)
    monkeypatch.setattr(
        "kind.images.decoding.metadata_of", lambda *given: sizes.append(given[-1]) or Metadata()
    )
    assert read_photo(tmp_path / f"a{suffix}").pixels.shape == (8, 4, 3) and sizes == [(4, 8)]
