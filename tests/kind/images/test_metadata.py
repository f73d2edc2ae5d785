"""What a file says beside its pixels is in the file that is made of it; 16 bits stay 16 bits."""

import io
import os
import random
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational

from kind.images.metadata import upright_exif
from kind.images.photo import decode_photo, encode_photo, read_photo, read_stored_photo, write_photo

MAKE, DATE, COPYRIGHT, ORIENTATION, EXIF, GPS = 271, 306, 33432, 274, 34665, 34853
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" rating="5"/></x:xmpmeta>'
IPTC = b"\x1c\x02\x78\x00\x07harbour"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif():
    """The EXIF data of a camera held upright, with everything that people miss."""
    tags = Image.Exif()
    tags.update({MAKE: "Camera & Co", DATE: "2024:05:06 07:08:09", COPYRIGHT: "A. Person", ORIENTATION: 6})
    tags._ifds[EXIF] = {
        33434: IFDRational(1, 30),
        34855: 1600,
        0xA002: 40,
        0xA003: 24,
        37500: b"maker's note",
    }
    tags._ifds[GPS] = {1: "N", 2: (IFDRational(52), IFDRational(30), IFDRational(0))}
    tags[EXIF] = tags[GPS] = 0
    return tags


def photograph(format, pixels=(24, 40), **options):
    """The bytes of a file with all of it."""
    file = io.BytesIO()
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 99, (*pixels, 3), dtype=np.uint8))
    resources = struct.pack(">4sHHL", b"8BIM", 0x0404, 0, len(IPTC)) + IPTC + b"\0"
    segment = b"Photoshop 3.0\0" + resources
    if format == "JPEG":
        options["extra"] = b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    if format == "TIFF":
        tags = exif()
        tags[700], tags[33723] = XMP, IPTC
        options.update(exif=tags)
    else:
        options.update(exif=exif().tobytes(), xmp=XMP)
    picture.save(file, format, icc_profile=PROFILE, dpi=(240, 240), **options)
    return file.getvalue()


@pytest.mark.parametrize("source", ["JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_metadata_stays(source, suffix, tmp_path):
    (tmp_path / "in").write_bytes(photograph(source))
    photo = read_photo(tmp_path / "in")
    assert photo.size == (40, 24)  # upright
    target = tmp_path / f"out{suffix}"
    write_photo(target, photo.pixels, like=photo)
    with Image.open(target) as image:
        tags = image.getexif()
        assert (tags[MAKE], tags[DATE], tags[COPYRIGHT]) == (
            "Camera & Co",
            "2024:05:06 07:08:09",
            "A. Person",
        )
        assert tags.get(ORIENTATION, 1) == 1
        below = tags.get_ifd(EXIF)
        assert below[34855] == 1600 and below[37500] == b"maker's note" and float(below[33434]) == 1 / 30
        if source != "TIFF":  # whose data are all there at other places
            assert (below[0xA002], below[0xA003]) == (24, 40)
        assert tags.get_ifd(GPS)[1] == "N" and tags.get_ifd(GPS)[2] == (52, 30, 0)
        xmp = image.info.get("xmp") or image.tag_v2[700]
        assert b'rating="5"' in xmp and b'tiff:Orientation="1"' in xmp
        assert image.info["icc_profile"] == PROFILE
        if suffix != ".webp" and source != "WEBP":
            assert image.info["dpi"] == pytest.approx((240, 240), abs=0.1)
        if source != "WEBP" and suffix == ".jpg":
            assert image.info["photoshop"][0x0404] == IPTC
        if source != "WEBP" and suffix == ".tif":
            assert image.tag_v2[33723] == IPTC
    assert read_photo(target).size == (40, 24)


def test_the_date_of_the_file_stays(tmp_path):
    write_photo(tmp_path / "in.png", np.zeros((2, 2, 3)))
    os.utime(tmp_path / "in.png", (1_000_000_000, 1_000_000_000))
    for photo, is_kept in (
        (read_photo(tmp_path / "in.png"), True),
        (decode_photo(encode_photo(np.zeros((2, 2, 3))), "x"), False),
    ):
        write_photo(tmp_path / "out.png", photo.pixels, like=photo)
        assert (os.stat(tmp_path / "out.png").st_mtime == 1_000_000_000) == is_kept


def test_without_metadata_nothing_but_colours_is_left(tmp_path):
    photo = decode_photo(photograph("JPEG", quality=60), "x")
    bare = encode_photo(
        photo.pixels,
        "jpg",
        photo.__class__(photo.pixels, icc_profile=photo.icc_profile, metadata=photo.metadata.stripped()),
    )
    assert b"Camera" not in bare and b"rating" not in bare and b"8BIM" not in bare and PROFILE in bare
    with (
        Image.open(io.BytesIO(bare)) as image,
        Image.open(io.BytesIO(photograph("JPEG", quality=60))) as first,
    ):
        assert image.quantization == first.quantization


@pytest.mark.parametrize("quality, subsampling", [(35, 2), (88, 1), (97, 0)])
def test_a_jpeg_is_compressed_like_its_input_unless_told(quality, subsampling):
    from PIL.JpegImagePlugin import get_sampling

    data = photograph("JPEG", (32, 32), quality=quality, subsampling=subsampling, progressive=quality == 88)
    photo = decode_photo(data, "x")
    with Image.open(io.BytesIO(data)) as first:
        for given in (None, 70):
            with Image.open(io.BytesIO(encode_photo(photo.pixels, "jpg", photo, given))) as again:
                assert get_sampling(again) == subsampling
                assert (again.quantization == first.quantization) == (given is None)
                assert ("progressive" in again.info) == (quality == 88 and given is None)
    from_png = decode_photo(encode_photo(photo.pixels), "x")
    assert encode_photo(photo.pixels, "jpg", from_png) == encode_photo(photo.pixels, "jpg", quality=95)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_stay(suffix, channels, tmp_path):
    levels = np.random.default_rng(1).integers(0, 65536, (300, 7, channels), dtype=np.uint16)
    photometric = "minisblack" if channels == 1 else "rgb"
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    source = levels[..., 0] if channels == 1 else levels
    tifffile.imwrite(
        tmp_path / "in.tif",
        source,
        photometric=photometric,
        iccprofile=PROFILE if channels > 1 else None,
        **extra,
    )
    photo = read_photo(tmp_path / "in.tif")
    assert photo.bits == 16
    write_photo(tmp_path / f"out{suffix}", photo.pixels, like=photo)
    again = read_stored_photo(tmp_path / f"out{suffix}")
    assert again.levels.dtype == np.uint16 and again.notes == ()
    expected = np.broadcast_to(levels[..., :3], (300, 7, 3))
    assert np.abs(again.colours.astype(int) - expected).max() <= (1 if channels == 1 else 0)
    if channels == 4:
        assert np.array_equal(again.alpha, levels[..., 3])
    if channels > 1:
        assert again.icc_profile == PROFILE
    if suffix == ".tif":
        found = tifffile.imread(tmp_path / "out.tif")
        assert found.dtype == np.uint16 and np.abs(found[..., :3].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_sixteen_bits_of_colours_times_alpha_stay_too(byteorder, compression, tmp_path):
    generator = np.random.default_rng(1)
    alpha = generator.integers(1000, 65536, (9, 7, 1))
    colours = generator.integers(0, 65536, (9, 7, 3))
    alpha[0, 0] = 0
    stored = np.concatenate([np.rint(colours * (alpha / 65535)), alpha], axis=-1).astype(np.uint16)
    options = {"extrasamples": ["assocalpha"], "byteorder": byteorder, "compression": compression}
    tifffile.imwrite(tmp_path / "in.tif", stored, photometric="rgb", **options)
    photo = read_stored_photo(tmp_path / "in.tif")
    assert photo.levels.dtype == np.uint16 and np.array_equal(photo.alpha, alpha[..., 0])
    assert np.all(
        np.abs(photo.colours.astype(int) - colours) <= 33_000 / np.maximum(alpha, 1) + 1, where=alpha > 0
    )


@pytest.mark.parametrize("unit, expected", [("inch", 300), ("centimeter", 762)])
@pytest.mark.parametrize("kind", ["float", "gray and alpha"])
def test_what_pillow_cannot_open_has_metadata(kind, unit, expected, tmp_path):
    samples = np.random.default_rng(0).random((24, 40, 3), dtype=np.float32)
    options = {"photometric": "rgb"}
    if kind == "gray and alpha":
        samples = np.uint16(65535 * samples[..., :2])
        options = {"photometric": "minisblack", "extrasamples": ["unassalpha"]}
    described = [
        (MAKE, 2, None, "Camera & Co", True),
        (700, 1, len(XMP), XMP, True),
        (33723, 7, len(IPTC), IPTC, True),
    ]
    tifffile.imwrite(
        tmp_path / "in.tif",
        samples,
        resolution=(300, 300),
        resolutionunit=unit,
        extratags=described,
        metadata=None,
        **options,
    )
    found = read_photo(tmp_path / "in.tif").metadata
    assert b"Camera & Co" in found.exif and b'rating="5"' in found.xmp and found.iptc == IPTC
    assert found.dpi == pytest.approx((expected, expected))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_have_metadata_too(suffix, tmp_path):
    photo = decode_photo(photograph("JPEG"), "x")
    deep = photo.__class__(photo.pixels, icc_profile=PROFILE, metadata=photo.metadata, bits=16)
    write_photo(tmp_path / f"out{suffix}", photo.pixels, like=deep)
    with Image.open(tmp_path / f"out{suffix}") as image:
        assert image.getexif()[MAKE] == "Camera & Co" and image.getexif().get_ifd(EXIF)[34855] == 1600
        assert image.info["dpi"] == pytest.approx((240, 240), abs=0.1)
        assert b'rating="5"' in (image.info.get("xmp") or image.tag_v2[700])
    assert read_stored_photo(tmp_path / f"out{suffix}").levels.dtype == np.uint16
    assert encode_photo(np.zeros((40, 24, 3), np.uint8), "png", deep)[24] == 8


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, when it opens such a file
def test_damaged_metadata_never_stops_a_photograph():
    sound, numbers = photograph("TIFF"), random.Random(0)
    whole = exif().tobytes()[6:]
    for cut in range(0, len(whole), 3):
        upright_exif(whole[:cut], (1, 1))
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(4):
            data[numbers.randrange(len(data))] = numbers.randrange(256)
        file = io.BytesIO()
        Image.new("RGB", (8, 8)).save(file, "JPEG", exif=b"Exif\0\0" + bytes(data))
        photo = decode_photo(file.getvalue(), "x")
        for kind in ("jpg", "tif", "png"):
            encode_photo(photo.pixels, kind, photo)
    assert decode_photo(sound, "x").metadata.exif


def test_long_metadata_that_a_jpeg_cannot_hold_is_left_out():
    photo = decode_photo(photograph("WEBP"), "x")
    metadata = photo.metadata.__class__(
        exif=photo.metadata.exif + b"\0" * 70_000, xmp=b"x" * 70_000, iptc=b"y" * 70_000
    )
    data = encode_photo(photo.pixels, "jpg", photo.__class__(photo.pixels, metadata=metadata))
    assert b"Camera" not in data and decode_photo(data, "x").size == (40, 24)
