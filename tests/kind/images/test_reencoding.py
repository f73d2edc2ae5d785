"""Relit files keep the metadata of their photographs."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from kind.images.pixels import ImageError
from kind.images.reencoding import reencoded

SIDEWAYS = 6
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def photograph(file_format="JPEG", level=40, size=(12, 8), exif=True):
    """A file whose EXIF says that it lies on its side."""
    file = io.BytesIO()
    image = Image.new("RGB", size, (level,) * 3)
    if not exif:
        image.save(file, file_format)
        return file.getvalue()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = SIDEWAYS, "Camera"
    options = {"xmp": XMP} if file_format == "JPEG" else {}
    image.save(file, file_format, exif=exif, icc_profile=b"a profile", dpi=(300, 300), **options)
    return file.getvalue()


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("wanted", ["png", "jpeg", "webp", "same"])
def test_metadata_stay_and_the_picture_is_upright(wanted):
    relit = photograph("PNG", 80, (8, 12))  # upright, as a model answers
    data, kind = reencoded(relit, photograph(), wanted, strength=0.5)
    image = opened(data)
    assert kind == f"image/{'jpeg' if wanted == 'same' else wanted}" and image.size == (8, 12)
    assert image.info["icc_profile"] == b"a profile"
    exif = image.getexif()
    assert exif[0x010F] == "Camera" and exif[0x0112] == 1
    assert b'tiff:Orientation="1"' in bytes(image.info.get("xmp", b""))
    assert np.mean(image) == pytest.approx(60, abs=1)
    bare = opened(reencoded(relit, photograph(), wanted, strip=True)[0])
    assert wanted == "png" or not bare.getexif()


def test_iptc_stays_in_a_jpeg_and_goes_with_the_rest():
    records = b"\x1c\x02\x74\x00\x06Nobody"
    resource = struct.pack(">4sHHL", b"8BIM", 0x0404, 0, len(records)) + records + b"\0"
    segment = b"Photoshop 3.0\0" + resource
    plain = photograph()
    dark = plain[:2] + struct.pack(">2sH", b"\xff\xed", len(segment) + 2) + segment + plain[2:]
    relit = photograph("PNG", 80, (8, 12))
    for wanted in ("same", "jpeg"):
        image = opened(reencoded(relit, dark, wanted)[0])
        assert image.info["photoshop"][0x0404] == records
    assert "photoshop" not in opened(reencoded(relit, dark, "same", strip=True)[0]).info


def test_without_wishes_the_models_bytes_are_the_answer():
    assert reencoded(b"as it is", photograph("PNG", exif=False), "png") == (b"as it is", "image/png")
    with pytest.raises(ImageError, match="cannot be made as jpeg"):
        reencoded(b"no image", photograph("PNG", exif=False), "jpeg")
