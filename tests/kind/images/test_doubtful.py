"""Pictures that are whole but for a part: what the reader says of them, and that all readers agree."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from kind.images import decoding
from kind.images.header import read_header
from kind.images.photo import ImageError, decode_photo, photo_size, read_photo, read_stored_photo

NOISE = np.random.default_rng(5).integers(20, 235, (96, 120, 3), dtype=np.uint8)
CUT = "its data end before its last row: what is missing is one colour"
LARGE_TEXTS = "the texts in it are larger than a picture's and are left out"
ORIENTATION, PROFILE = 0x0112, 34675


def encoded(format, pixels=NOISE, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, **options)
    return file.getvalue()


def tiff(pixels, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunks(*chunks):
    whole = encoded("PNG")
    return whole[:33] + b"".join(chunks) + whole[33:]


def cut_jpeg(share, **options):
    whole = encoded("JPEG", quality=90, **options)
    return whole[: int(len(whole) * share)] + b"\xff\xd9"


def taller_jpeg(pixels=NOISE, **options):
    """A JPEG whose header announces 70 more rows than there are."""
    data = bytearray(encoded("JPEG", pixels, quality=90, **options))
    place = data.index(b"\xff\xc2" if options.get("progressive") else b"\xff\xc0")
    data[place + 5 : place + 7] = struct.pack(">H", len(pixels) + 70)
    return bytes(data)


def taller_png(rows=166):
    whole = encoded("PNG")
    return whole[:8] + chunk(b"IHDR", whole[16:20] + struct.pack(">I", rows) + whole[24:29]) + whole[33:]


def taller_tiff():
    data = bytearray(encoded("TIFF"))
    (place,) = struct.unpack_from("<I", data, 4)
    for entry in range(place + 2, place + 2 + 12 * struct.unpack_from("<H", data, place)[0], 12):
        if struct.unpack_from("<H", data, entry)[0] == 257:
            struct.pack_into("<HII", data, entry + 2, 4, 1, 166)
    return bytes(data)


def sparse_tiff():
    """Planes of 16 bits, of which the last strip is nowhere."""
    data = bytearray(tiff(NOISE[..., 0].astype("u4"), photometric="minisblack", rowsperstrip=48))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tag = file.pages[0].tags[279]
        struct.pack_into("<I", data, tag.valueoffset + 4 if tag.dtype == 4 else tag.valueoffset + 2, 0)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        cut_jpeg(0.5),
        cut_jpeg(0.9),
        cut_jpeg(0.9, subsampling=2),
        cut_jpeg(0.5, restart_marker_blocks=4),
        taller_jpeg(),
        taller_jpeg(NOISE[..., 0]),
        taller_jpeg(progressive=True),
        taller_png(),
        taller_tiff(),
        sparse_tiff(),
    ],
)
def test_missing_rows_are_named(data):
    photo = decode_photo(data, "x")
    assert photo.notes == (CUT,)
    assert np.ptp(photo.pixels[-1, -1]) == 0


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 2}, {"restart_marker_blocks": 3}]
)
@pytest.mark.parametrize("width", [1, 8, 120])
def test_a_picture_that_ends_in_the_same_colour_is_not_called_cut(options, width):
    grey = NOISE[:, :width].copy()
    grey[-20:, 5:] = 128
    grey[-1, :5] = (200, 30, 30)
    assert decode_photo(encoded("JPEG", grey, quality=95, **options), "x").notes == ()
    grey[...] = 128
    if not options.get("progressive"):
        assert decode_photo(encoded("JPEG", grey, **options), "x").notes == ()
    assert decode_photo(encoded("PNG", np.zeros_like(grey)), "x").notes == ()
    assert decode_photo(encoded("TIFF", np.zeros_like(grey)), "x").notes == ()


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (4, 9), (17, 2)])
@pytest.mark.parametrize("depth, colour", [(1, 0), (8, 0), (16, 2), (8, 6)])
def test_black_interlaced_pictures_are_whole(size, depth, colour):
    width, height = size
    bits = depth * {0: 1, 2: 3, 6: 4}[colour]
    steps = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    passes = [(len(range(x, width, dx)), len(range(y, height, dy))) for x, y, dx, dy in steps]
    rows = b"".join(bytes(1 + -(-columns * bits // 8)) * count for columns, count in passes if columns)

    def picture(pixels):
        head = struct.pack(">LLBBBBB", width, height, depth, colour, 0, 0, 1)
        parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + b"".join(parts)

    assert decode_photo(picture(rows), "x").notes == ()
    with pytest.raises(ImageError, match="truncated"):
        decode_photo(picture(rows[:-1]), "x")


def test_white_may_be_zero_in_floats_too():
    for values in (np.full((2, 3), 0.25, np.float32), np.full((2, 3), 0.25, np.float16)):
        photo = decode_photo(tiff(values, photometric="miniswhite"), "x")
        np.testing.assert_allclose(photo.pixels, 0.75, atol=1e-3)


@pytest.mark.parametrize("pixels", [NOISE, NOISE.astype("f4") / 255])
@pytest.mark.parametrize("kind, value", [(4, 7), (3, 7), (12, 0.5)])
def test_a_number_for_a_colour_profile_is_left_out(pixels, kind, value):
    data = tiff(pixels, photometric="rgb", extratags=[(PROFILE, kind, 1, value, True)])
    photo = decode_photo(data, "x")
    assert photo.icc_profile is None and photo.notes == ("its colour profile is none and is left out",)


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt"])
def test_many_texts_cost_no_picture(kind):
    text = bytes(1_000_000)
    content = b"name\0" + (text if kind == b"tEXt" else b"\0" + zlib.compress(text))
    photo = decode_photo(with_chunks(*[chunk(kind, content)] * 70), "x")
    np.testing.assert_array_equal(photo.pixels, NOISE / np.float32(255))
    assert photo.notes == (LARGE_TEXTS,)
    assert decode_photo(with_chunks(chunk(kind, content)), "x").notes == ()


ENTRIES = [
    (1, 1, b"\6\0\0\0"),  # bytes
    (2, 2, b"6\0\0\0"),  # text
    (3, 1, b"\0\0\0\0"),
    (3, 1, b"\6\0\0\0"),
    (3, 1, b"\x09\0\0\0"),
    (3, 1, b"\xff\0\0\0"),
    (3, 2, b"\6\0\6\0"),
    (4, 1, b"\6\0\0\0"),
    (5, 1, struct.pack("<I", 26)),
    (6, 1, b"\6\0\0\0"),
    (7, 1, b"\6\0\0\0"),
    (8, 1, b"\6\0\0\0"),
    (11, 1, struct.pack("<f", 6)),
    (13, 1, b"\6\0\0\0"),
]


@pytest.mark.filterwarnings("ignore:Metadata Warning")
@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_sizes_and_pixels_agree_on_every_orientation(entry, tmp_path):
    exif = struct.pack("<2sHLHHHL4sL", b"II", 42, 8, 1, ORIENTATION, *entry, 0) + struct.pack("<LL", 6, 1)
    data = bytearray(encoded("TIFF"))
    (place,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, place)
    entries = [bytes(data[place + 2 + 12 * n : place + 14 + 12 * n]) for n in range(count)]
    fraction = len(data) + 2 + 12 * (count + 1) + 4
    value = struct.pack("<I", fraction) if entry[0] == 5 else entry[2]
    entries.append(struct.pack("<HHI4s", ORIENTATION, *entry[:2], value))
    struct.pack_into("<I", data, 4, len(data))
    directory = b"".join(sorted(entries, key=lambda one: struct.unpack_from("<H", one)[0]))
    data += struct.pack("<H", count + 1) + directory + bytes(4) + struct.pack("<LL", 6, 1)
    files = {
        "a.png": with_chunks(chunk(b"eXIf", exif)),
        "a.jpg": encoded("JPEG", exif=b"Exif\0\0" + exif),
        "a.webp": encoded("WEBP", exif=exif),
        "a.tif": bytes(data),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        expected = read_header(content).upright_size
        assert photo_size(tmp_path / name) == read_photo(tmp_path / name).pixels.shape[:2] == expected


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_pillows_own_limit_does_not_matter(format, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1)
    pixels = NOISE[..., 0] if format == "GIF" else NOISE
    assert decode_photo(encoded(format, pixels), "x").pixels.shape == NOISE.shape
    assert Image.MAX_IMAGE_PIXELS == 1


def test_a_large_file_that_is_no_picture_is_refused_by_its_first_bytes(tmp_path):
    with (tmp_path / "zeros.png").open("wb") as file:
        file.truncate(3_000_000_000)
    tracemalloc.start()
    try:
        for read in (read_photo, photo_size):
            with pytest.raises(ImageError, match=r"zeros.png: not an image of a known format"):
                read(tmp_path / "zeros.png")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF"])
def test_levels_stay_what_they_are(format, tmp_path):
    (tmp_path / "x").write_bytes(encoded(format))
    stored = read_stored_photo(tmp_path / "x")
    assert stored.levels.dtype == np.uint8 and stored.size == (96, 120)
    np.testing.assert_array_equal(stored.colours / np.float32(255), read_photo(tmp_path / "x").pixels)


def test_a_tall_picture_is_read_strip_by_strip():
    tall = np.tile(NOISE, (2 * decoding._ROWS_AT_ONCE // 96 + 1, 1, 1))
    np.testing.assert_array_equal(decode_photo(encoded("PNG", tall), "x").pixels, tall / np.float32(255))
