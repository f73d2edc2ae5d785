"""Sizes and orientations without decoding, against Pillow, which decodes."""

import io
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from kind.errors import UserError
from kind.images import header
from kind.images.header import read_header, read_header_and_metadata, read_size

ORIENTATION = 0x0112


def saved(kind, size=(7, 5), orientation=None, mode="RGB", **options):
    file = io.BytesIO()
    if orientation is not None:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        options["exif"] = exif
    Image.new(mode, size, 9).save(file, kind, **options)
    return file.getvalue()


def chunk(kind, content):
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


def png(*more, size=(7, 5)):
    """A PNG with chunks behind its pixels."""
    whole = saved("PNG", size)
    return whole[:-12] + b"".join(more) + whole[-12:]


def exif_data(entry, order="<"):
    """EXIF data whose only entry is (type, count, four bytes)."""
    kind, count, content = entry
    start = {"<": b"II", ">": b"MM"}[order]
    return start + struct.pack(f"{order}HLHHHL4sL", 42, 8, 1, ORIENTATION, kind, count, content, 0)


FILES = {
    "png": saved("PNG"),
    "gray png": saved("PNG", mode="L"),
    "jpeg": saved("JPEG"),
    "progressive jpeg": saved("JPEG", progressive=True, icc_profile=b"x" * 200_000),
    "gif": saved("GIF", mode="P"),
    "animated gif": saved("GIF", mode="P", save_all=True, append_images=[Image.new("P", (7, 5), 3)]),
    "bmp": saved("BMP"),
    "webp": saved("WEBP"),
    "lossless webp": saved("WEBP", lossless=True),
    "webp with alpha": saved("WEBP", mode="RGBA"),
    "tiff": saved("TIFF"),
    "big tiff": saved("TIFF", big_tiff=True),
    "16-bit tiff": saved("TIFF", mode="I;16"),
}


@pytest.mark.parametrize("name", FILES)
def test_the_size_is_that_of_the_pixels(name, tmp_path):
    assert read_header(FILES[name]) == (7, 5, 1)
    (tmp_path / "image").write_bytes(FILES[name])
    assert read_header(tmp_path / "image") == read_header(str(tmp_path / "image")) == (7, 5, 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_exifs(kind, orientation):
    header = read_header(saved(kind, orientation=orientation))
    assert header == (7, 5, orientation)
    assert header.upright_size == ((5, 7) if orientation <= 4 else (7, 5))


@pytest.mark.parametrize("order", "<>")
def test_exif_of_either_byte_order_is_read(order):
    data = exif_data((3, 1, struct.pack(f"{order}HH", 6, 0)), order)
    assert read_header(png(chunk(b"eXIf", data))).orientation == 6
    assert read_header(saved("JPEG", exif=b"Exif\0\0" + data)).orientation == 6


@pytest.mark.parametrize(
    "entry",
    [
        (3, 1, b"\0\0\0\0"),
        (3, 1, b"\x09\0\0\0"),
        (3, 1, b"\xff\0\0\0"),
        (2, 2, b"6\0\0\0"),  # text
        (1, 1, b"\6\0\0\0"),  # bytes
        (7, 1, b"\6\0\0\0"),
        (3, 2, b"\6\0\6\0"),  # two values
        (9, 1, b"\xff\xff\xff\xff"),
    ],
)
def test_an_orientation_that_means_nothing_is_upright(entry):
    assert read_header(png(chunk(b"eXIf", exif_data(entry)))).orientation == 1


def test_orientation_behind_the_pixels_of_a_png_counts():
    data = exif_data((3, 1, b"\x08\0\0\0"))
    late = png(chunk(b"eXIf", data))
    assert late.index(b"IDAT") < late.index(b"eXIf")
    assert read_header(late).orientation == 8 == Image.open(io.BytesIO(late)).getexif()[ORIENTATION]


def test_exif_as_text_and_xmp_are_read_as_pillow_reads_them():
    data = exif_data((3, 1, b"\5\0\0\0"))
    xmp = '<x:xmpmeta><rdf:Description tiff:Orientation="7"/></x:xmpmeta>'
    info = {
        "Raw profile type exif": f"\nexif\n{len(data):8}\n{data.hex()}\n",
        "XML:com.adobe.xmp": xmp,
    }
    for name, text in info.items():
        for packed in (False, True):
            chunks = PngImagePlugin.PngInfo()
            add = chunks.add_itxt if name.startswith("XML") else chunks.add_text
            add(name, text, zip=packed)
            file = saved("PNG", pnginfo=chunks)
            expected = Image.open(io.BytesIO(file)).getexif()[ORIENTATION]
            assert read_header(file).orientation == expected != 1
    assert read_header(saved("JPEG", xmp=xmp.encode())).orientation == 7
    assert read_header(saved("WEBP", xmp=xmp.encode())).orientation == 7
    both = saved("JPEG", orientation=3, xmp=xmp.encode())
    assert read_header(both).orientation == 3


def test_a_frame_of_a_gif_may_reach_beyond_the_screen():
    data = bytearray(saved("GIF", (9, 4), mode="P"))
    data[6:10] = struct.pack("<HH", 2, 2)
    assert read_header(bytes(data))[:2] == (9, 4) == Image.open(io.BytesIO(data)).size


def test_old_and_upside_down_bitmaps():
    core = b"BM" + struct.pack("<LHHLLHHHH", 26, 0, 0, 26, 12, 7, 5, 1, 24)
    assert read_header(core) == (7, 5, 1)
    down = b"BM" + struct.pack("<LHHLLll", 54, 0, 0, 54, 40, 7, -5)
    assert read_header(down) == (7, 5, 1)


def test_a_picture_of_billions_of_pixels_costs_nothing():
    row = b"\0" * (60_001 // 8 + 1)
    data = zlib.compressobj(1)
    pixels = b"".join([*(data.compress(row * 1000) for _ in range(60)), data.flush()])
    start = chunk(b"IHDR", struct.pack(">LLBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    tracemalloc.start()
    try:
        assert read_header(bomb) == (60_000, 60_000, 1)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_packed_metadata_that_swells_is_read_to_a_limit():
    text = b"Raw profile type exif\0\0" + zlib.compress(bytes(300_000_000))
    tracemalloc.start()
    try:
        assert read_header(png(chunk(b"zTXt", text))) == (7, 5, 1)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["zTXt", "iTXt"])
def test_of_much_packed_metadata_the_first_is_unpacked(name, monkeypatch):
    unpacked = []
    monkeypatch.setattr(header, "_inflated", lambda data: unpacked.append(data) or b"")
    keyword = {"zTXt": b"Raw profile type exif\0\0", "iTXt": b"XML:com.adobe.xmp\0\1\0\0\0"}[name]
    assert read_header(png(chunk(name.encode(), keyword + b"x") * 5)) == (7, 5, 1)
    assert unpacked == [b"x"]


def test_a_text_that_is_shorter_than_its_keyword_ends_where_it_ends():
    keyword = b"Raw profile type exif\0\0"
    short = struct.pack(">L", 18) + b"tEXt" + keyword[:18] + keyword[18:22]  # goes on in the checksum
    _, exif, _ = read_header_and_metadata(png(short, b"\n" * 1000))
    assert exif == b""


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_size_is_that_of_the_header(name):
    assert read_size(FILES[name]) == read_header(FILES[name])[:2]


def test_the_size_alone_needs_no_metadata(monkeypatch):
    monkeypatch.setattr(header, "_inflated", lambda data: pytest.fail("unpacked"))
    assert read_size(png(chunk(b"zTXt", b"Raw profile type exif\0\0x"))) == (7, 5)


def test_a_prefix_may_be_repeated_many_times():
    many = b"Exif\0\0" * 100_000 + exif_data((3, 1, b"\x06\0\0\0"))
    assert read_header(png(chunk(b"eXIf", many))).orientation == 6


def test_what_lies_between_segments_and_in_blocks_has_an_end():
    whole = FILES["jpeg"]
    first = 4 + struct.unpack(">H", whole[4:6])[0]  # with what stands before it
    with pytest.raises(UserError, match="too much between"):
        read_header(whole[:first] + (bytes(60_000) + b"\xff\x01") * 9 + whole[first:])
    screen = FILES["gif"][:13] + bytes(3 * 2 ** ((FILES["gif"][10] & 7) + 1))
    with pytest.raises(UserError, match="too many blocks"):
        read_header(screen + (b"!\xfe" + b"\1x" * 9 + b"\0") * 9000)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an image of a known format"),
        (b"%PDF-1.4", "not an image of a known format: expects PNG, JPEG"),
        (FILES["png"][:20], "damaged or incomplete"),
        (FILES["jpeg"][:30], "damaged or incomplete"),
        (FILES["webp"][:14], "damaged or incomplete"),
        (saved("TIFF")[:8], "damaged or incomplete"),
        (png()[:16] + bytes(8) + png()[24:], "0x0 pixels"),
        (b"\xff\xd8\xff\xd9", "0x0 pixels"),
        (b"MM\0+" + b"\xff" * 12, "damaged or incomplete"),
    ],
)
def test_what_is_no_header_is_named(data, message):
    with pytest.raises(UserError, match=message):
        read_header(data)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(sorted(FILES)),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6),
    st.integers(0, 400),
)
def test_mutated_headers_give_a_size_or_a_user_error(name, changes, cut):
    data = bytearray(FILES[name])
    for place, value in changes:
        data[place % len(data)] = value
    data = bytes(data[: len(data) - cut % len(data)])
    try:
        header = read_header(data)
    except UserError:
        return
    assert header.width > 0 and header.height > 0 and 1 <= header.orientation <= 8


def test_the_photographs_that_ship_agree_with_pillow(shared):
    paths = [path for path in sorted((shared / "data").rglob("*")) if path.suffix in (".png", ".jpg", ".bmp")]
    assert paths
    for path in paths[:60]:
        with Image.open(path) as image:
            width, height, orientation = read_header(path)
            assert (width, height) == image.size and orientation == image.getexif().get(ORIENTATION, 1)


@pytest.mark.parametrize("place", [1 << 44, 1 << 62, (1 << 63) + 5])
def test_a_directory_where_no_file_reaches_is_named(tmp_path, place):
    (tmp_path / "big.tif").write_bytes(struct.pack("<2sHHHQ", b"II", 43, 8, 0, place))
    with pytest.raises(UserError, match="damaged or incomplete"):
        read_header(tmp_path / "big.tif")
