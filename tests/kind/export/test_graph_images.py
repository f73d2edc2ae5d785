"""Image files decoded and encoded inside a graph, against `kind.images.photo` and Pillow."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from kind.export.exif_orientation import jpeg_orientation
from kind.export.graph_images import decode_in_graph, decode_photos, encode_png
from kind.images.photo import decode_photo, encode_photo

LIMIT = 10_000


@pytest.fixture(scope="module")
def decode():
    """image_bytes, index → pixels and gray of one photograph of the batch."""

    def decode(image_bytes, index):
        photos = decode_photos(image_bytes, lambda data: decode_in_graph(data, LIMIT))
        return photos.pixels(index), photos.gray[index]

    return tf.function(
        decode,
        input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([], tf.int32)],
        autograph=False,
    )


def picture(mode, height=37, width=52):
    levels = np.random.default_rng(0).integers(0, 256, (height, width, 4), np.uint8)
    if mode == "I;16":
        return Image.fromarray(levels.view(np.uint16)[..., 0])
    return Image.fromarray(levels).convert("RGB").convert(mode)


def encoded(image, file_format, **options):
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


FILES = {
    **{f"PNG {mode}": ("PNG", mode, {}) for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")},
    **{f"JPEG {mode}": ("JPEG", mode, {}) for mode in ("RGB", "L", "CMYK")},
    "JPEG progressive": ("JPEG", "RGB", {"progressive": True, "quality": 60}),
    **{f"BMP {mode}": ("BMP", mode, {}) for mode in ("RGB", "RGBA", "L")},
    **{f"GIF {mode}": ("GIF", mode, {}) for mode in ("RGB", "L")},
    "GIF of three frames": (
        "GIF",
        "P",
        {"save_all": True, "append_images": [picture("L"), Image.new("L", (52, 37))]},
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_files_decode_as_in_python(decode, name):
    file_format, mode, options = FILES[name]
    data = encoded(picture(mode), file_format, **options)
    pixels, gray = decode([data], 0)
    expected = decode_photo(data, name)
    np.testing.assert_allclose(pixels, expected.pixels, atol=1e-6)
    assert bool(gray) == expected.gray


def test_sixteen_bits_of_colour_arrive(decode):
    levels = np.random.default_rng(1).integers(0, 65536, (5, 7, 3), np.uint16)
    data = tf.io.encode_png(levels).numpy()
    np.testing.assert_allclose(decode([data], 0)[0], levels / 65535, atol=1e-7)


def test_sizes_and_formats_mix_in_a_batch(decode):
    files = [
        encoded(picture("RGB", *size), file_format)
        for size, file_format in (((1, 1), "PNG"), ((1, 90), "JPEG"), ((64, 3), "BMP"), ((20, 20), "GIF"))
    ]
    for index, data in enumerate(files):
        np.testing.assert_allclose(decode(files, index)[0], decode_photo(data, "").pixels, atol=1e-6)


def with_orientation(orientation, byte_order="<", long=False):
    """A JPEG whose EXIF data we write ourselves."""
    order = {"<": b"II", ">": b"MM"}[byte_order]
    value = struct.pack(byte_order + ("HHII" if long else "HHIHxx"), 0x0112, 4 if long else 3, 1, orientation)
    other = struct.pack(byte_order + "HHII", 0x010F, 4, 1, 7)
    exif = order + struct.pack(byte_order + "HIH", 42, 8, 2) + other + value + bytes(4)
    return encoded(picture("RGB"), "JPEG", exif=b"Exif\0\0" + exif)


@pytest.mark.parametrize("byte_order", "<>")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_upright(decode, orientation, byte_order):
    data = with_orientation(orientation, byte_order, long=orientation % 2 == 0)
    assert jpeg_orientation(data) == orientation
    pixels, _ = decode([data], 0)
    assert pixels.shape == ((52, 37, 3) if orientation > 4 else (37, 52, 3))
    np.testing.assert_allclose(pixels, decode_photo(data, "").pixels, atol=1e-6)


def test_the_orientation_is_found_behind_other_segments():
    data = with_orientation(6)
    comment = b"\xff\xfe" + struct.pack(">H", 2 + 9) + b"Exif\0\0..."
    assert jpeg_orientation(data[:2] + comment * 3 + b"\xff" + data[2:]) == 6
    assert jpeg_orientation(encoded(picture("RGB"), "JPEG")) == 1


def test_damaged_exif_data_means_upright():
    data = with_orientation(6)
    start = data.index(b"Exif\0\0") + 6
    for position in range(start, start + 34):
        for byte in (0, 0x7F, 0xFF):
            damaged = data[:position] + bytes([byte]) + data[position + 1 :]
            assert 1 <= jpeg_orientation(damaged).numpy() <= 8
    for length in range(2, start + 34, 5):
        assert jpeg_orientation(data[:length]) in (1, 6)
    assert jpeg_orientation(with_orientation(9)) == 1 and jpeg_orientation(with_orientation(0)) == 1


PNG = encoded(picture("RGB"), "PNG")
BAD = {
    "nothing": (b"", "expects a file of PNG, JPEG, BMP or GIF"),
    "text": (b"hello", "expects a file of PNG, JPEG, BMP or GIF"),
    "WebP": (encoded(picture("RGB"), "WEBP"), "expects a file of PNG, JPEG, BMP or GIF"),
    "only a signature": (PNG[:8], "damaged or incomplete"),
    "cut PNG": (PNG[:-500], "damaged or incomplete"),
    "altered PNG": (PNG[:300] + bytes(100) + PNG[400:], "damaged or incomplete"),
    "cut JPEG": (encoded(picture("RGB"), "JPEG")[:-300], "damaged or incomplete"),
    "cut JPEG header": (encoded(picture("RGB"), "JPEG")[:100], "damaged or incomplete"),
    "cut GIF": (encoded(picture("RGB"), "GIF")[:200], "damaged or incomplete"),
    "cut BMP": (encoded(picture("RGB"), "BMP")[:60], "damaged or incomplete"),
    "no width": (PNG[:16] + bytes(4) + PNG[20:], "damaged or incomplete"),
    "large PNG": (encoded(Image.new("1", (200, 51)), "PNG"), "200x51 pixels; the limit is 10000"),
    "large JPEG": (encoded(Image.new("L", (101, 100)), "JPEG"), "101x100 pixels; the limit is 10000"),
    "large BMP": (encoded(Image.new("RGB", (101, 100)), "BMP"), "101x100 pixels; the limit is 10000"),
    "large GIF": (encoded(Image.new("L", (101, 100)), "GIF"), "101x100 pixels; the limit is 10000"),
    "a bomb": (
        PNG[:16] + struct.pack(">II", 2**31 - 1, 2**31 - 1) + PNG[24:],
        "2147483647x2147483647 pixels; the limit is 10000",
    ),
    "BMP with a palette": (encoded(picture("P"), "BMP"), "a BMP with a palette or compressed"),
    "BMP of one bit": (encoded(picture("1"), "BMP"), "a BMP with a palette or compressed"),
}


@pytest.mark.parametrize("name", BAD)
def test_errors_name_the_index_and_the_reason(decode, name):
    data, reason = BAD[name]
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        decode([PNG, PNG, data, PNG], 0)
    assert f"[image_bytes[2]: {reason}" in raised.value.message


@pytest.mark.parametrize("gray", [True, False])
def test_pixels_are_encoded_as_in_python(gray):
    pixels = np.random.default_rng(2).random((9, 14, 3)).astype(np.float32) * 1.4 - 0.2
    like = decode_photo(encoded(picture("L" if gray else "RGB"), "PNG"), "")
    expected = decode_photo(encode_photo(pixels, like=like), "").pixels
    served = decode_photo(encode_png(pixels, tf.constant(gray)).numpy(), "")
    assert np.abs(served.pixels - expected).max() * 255 < (1.01 if gray else 0.01)
    one = decode_photo(encode_png(pixels[..., :1]).numpy(), "")
    assert one.gray and one.pixels.shape == (9, 14, 3)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    file=st.sampled_from([encoded(picture("RGB", 9, 14), kind) for kind in ("PNG", "JPEG", "BMP", "GIF")]),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.binary(max_size=4), st.integers(0, 4)), min_size=1),
)
def test_damage_is_an_image_or_an_error_that_names_it(decode, file, changes):
    for place, inserted, dropped in changes:
        start = int(place * len(file))
        file = file[:start] + inserted + file[start + dropped :]
    try:
        pixels, _ = decode([file], 0)
    except tf.errors.InvalidArgumentError as error:
        assert "[image_bytes[0]: " in error.message
    else:
        assert pixels.shape[-1] == 3 and np.isfinite(pixels).all()
