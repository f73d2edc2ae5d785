"""Bytes of image files to levels and back inside a TensorFlow graph, where `kind.images.photo` cannot go."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from kind.constants import BT601
from kind.export.contract import IMAGE_BYTES
from kind.export.exif_orientation import jpeg_orientation

READABLE_FORMATS = ("PNG", "JPEG", "BMP", "GIF")
"""What TensorFlow's own kernels decode; the order is that of the branches below."""

_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"GIF8")
_JPEG = READABLE_FORMATS.index("JPEG")
_UNKNOWN = len(READABLE_FORMATS)
_WANTED = f"expects a file of {', '.join(READABLE_FORMATS[:-1])} or {READABLE_FORMATS[-1]}"

_LEVELS = 65535.0
_LEVELS_OF_A_BYTE = 257  # 65535 / 255: eight bits become sixteen without rounding

_GRAY_PALETTE = b"".join(bytes((level, level, level, 0)) for level in range(256))
_BITFIELDS = 3


class Photos(NamedTuple):
    """A batch of decoded photographs of different sizes.

    Attributes:
        levels: a TensorArray of uint16 [H, W, 3], RGB, 0 to 65535, upright.
        gray: bool [N], whether the file was grayscale; the three channels are then equal.
    """

    levels: tf.TensorArray
    gray: tf.Tensor

    def pixels(self, index: tf.Tensor) -> tf.Tensor:
        """One photograph: float32 [H, W, 3] in [0, 1]."""
        return tf.cast(self.levels.read(index), tf.float32) / _LEVELS


def decode_photos(
    image_bytes: tf.Tensor, decode: Callable[[tf.Tensor], tuple[tf.Tensor, ...]], name: str = IMAGE_BYTES
) -> Photos:
    """Decodes a batch of files as `kind.images.photo.decode_photo` does.

    EXIF orientation of JPEGs is applied; colour profiles and transparency are left out.

    Args:
        image_bytes: string [N], whole PNG, JPEG, BMP or GIF files, of which the first frame is used.
        decode: `decode_in_graph` with its limit.
        name: of this input, for messages.

    Returns:
        The photographs.

    Raises:
        tf.errors.InvalidArgumentError: when the graph runs, "image_bytes[3]: …", for a file of another
            format, a damaged one or one that is too large.
    """
    count = tf.shape(image_bytes)[0]
    levels = tf.TensorArray(
        tf.uint16, count, element_shape=[None, None, 3], infer_shape=False, clear_after_read=False
    )
    gray = tf.TensorArray(tf.bool, count, element_shape=[])

    def decode_one(index, levels, gray):
        problem, photo, is_gray = decode(image_bytes[index])
        named = tf.strings.join([f"{name}[", tf.strings.as_string(index), "]: ", problem])
        with tf.control_dependencies([tf.debugging.Assert(problem == "", [named])]):
            photo = tf.identity(photo)
        return index + 1, levels.write(index, photo), gray.write(index, is_gray)

    _, levels, gray = tf.while_loop(
        lambda index, *_: index < count,
        decode_one,
        (tf.constant(0), levels, gray),
        parallel_iterations=1,
    )
    return Photos(levels, gray.stack())


def encode_png(pixels: tf.Tensor, gray: tf.Tensor | None = None) -> tf.Tensor:
    """Encodes pixels as an 8-bit PNG file, rounded as `kind.images.photo.encode_photo` does.

    Args:
        pixels: float32 [H, W, 3] RGB or [H, W, 1], clipped to [0, 1].
        gray: bool scalar, whether to write the luma of RGB in all three channels.

    Returns:
        string scalar.
    """
    if gray is not None:
        luma = tf.reduce_sum(tf.clip_by_value(pixels, 0.0, 1.0) * BT601, axis=-1, keepdims=True)
        pixels = tf.where(gray, luma, pixels)
    levels = tf.round(tf.clip_by_value(pixels, 0.0, 1.0) * 255.0)
    return tf.io.encode_png(tf.cast(levels, tf.uint8))


def decode_in_graph(data: tf.Tensor, max_pixels: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Decodes one file, or says what is wrong with it.

    TensorFlow's kernels stop the whole graph at damaged bytes, in words that do not say which image it
    was. A data set of one element that ignores errors is the only place in a graph where they do not.

    Args:
        data: string scalar.
        max_pixels: larger images are refused by their header, before they are decoded.

    Returns:
        What is wrong, string scalar, "" when nothing is; levels as in `Photos`; and whether it is gray.
    """
    decode = tf.autograph.experimental.do_not_convert(lambda data: _decoded(data, max_pixels))
    whole = tf.data.Dataset.from_tensors(data).map(decode).ignore_errors()
    nothing = tf.zeros([0, 0, 3], tf.uint16)
    damaged = tf.data.Dataset.from_tensors(("damaged or incomplete", nothing, False))
    either = whole.concatenate(damaged).take(1)
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False  # they take longer than decoding
    options.autotune.enabled = False
    return either.with_options(options).get_single_element()


def _decoded(data: tf.Tensor, max_pixels: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    begins = tf.stack([tf.strings.substr(data, 0, len(known)) == known for known in _SIGNATURES])
    first = tf.argmax(tf.cast(begins, tf.int32), output_type=tf.int32)
    kind = tf.where(tf.reduce_any(begins), first, _UNKNOWN)
    size = tf.switch_case(kind, [lambda size=size: size(data) for size in _SIZES], _no_size)
    pixels = tf.reduce_prod(size)
    found = tf.strings.as_string(size)
    problem = tf.case(
        [
            (kind == _UNKNOWN, lambda: tf.constant(_WANTED)),
            (tf.reduce_any(size < 1), lambda: tf.constant("damaged or incomplete")),
            (
                pixels > max_pixels,
                lambda: tf.strings.join([found[1], "x", found[0], f" pixels; the limit is {max_pixels}"]),
            ),
            (kind == READABLE_FORMATS.index("BMP"), lambda: _problem_of_bmp(data)),
        ],
        default=lambda: tf.constant(""),
        exclusive=False,
    )
    samples = tf.cond(
        problem == "",
        lambda: tf.switch_case(kind, [lambda decode=decode: decode(data) for decode in _DECODERS]),
        lambda: tf.zeros([0, 0, 3], tf.uint16),
    )
    is_gray = tf.shape(samples)[2] < 3
    levels = tf.cond(is_gray, lambda: tf.concat([samples[..., :1]] * 3, axis=2), lambda: samples[..., :3])
    orientation = tf.cond(
        (kind == _JPEG) & (problem == ""), lambda: jpeg_orientation(data), lambda: tf.constant(1)
    )
    return problem, tf.ensure_shape(_upright(levels, orientation), [None, None, 3]), is_gray


def _no_size() -> tf.Tensor:
    return tf.ones([2], tf.int64)


def _numbers(data: tf.Tensor, start: int, dtype: tf.DType, count: int = 1, big_endian: bool = False):
    """int64 [count], read from the file at `start`."""
    part = tf.strings.substr(data, start, dtype.size * count)
    return tf.cast(tf.io.decode_raw(part, dtype, little_endian=not big_endian), tf.int64)


# Height and width from the header: int64 [2].
_SIZES = (
    lambda data: _numbers(data, 16, tf.int32, 2, big_endian=True)[::-1],
    lambda data: tf.cast(tf.io.extract_jpeg_shape(data)[:2], tf.int64),
    lambda data: tf.abs(_numbers(data, 18, tf.int32, 2))[::-1],
    lambda data: _numbers(data, 6, tf.uint16, 2)[::-1],
)


def _wider(samples: tf.Tensor) -> tf.Tensor:
    return tf.cast(samples, tf.uint16) * _LEVELS_OF_A_BYTE


# All channels that the file has, uint16 [H, W, C]: asked for three, BMP refuses to leave out a fourth.
# JPEG as Pillow decodes it; TensorFlow's default is less exact.
_DECODERS = (
    lambda data: tf.io.decode_png(data, dtype=tf.uint16),
    lambda data: _wider(tf.io.decode_jpeg(data, dct_method="INTEGER_ACCURATE")),
    lambda data: _wider(tf.io.decode_bmp(data)),
    lambda data: _wider(tf.io.decode_image(data, expand_animations=False)),
)


def _problem_of_bmp(data: tf.Tensor) -> tf.Tensor:
    """What the kernel would misread without a word: palettes, run lengths, old headers."""
    header, bits = _numbers(data, 14, tf.int32)[0], _numbers(data, 28, tf.uint16)[0]
    compression = _numbers(data, 30, tf.int32)[0]
    palette = tf.strings.substr(data, tf.cast(14 + header, tf.int32), len(_GRAY_PALETTE))
    is_colour = (bits == 24) | (bits == 32)
    is_gray = (bits == 8) & (palette == _GRAY_PALETTE)
    is_plain = (compression == 0) | ((compression == _BITFIELDS) & (bits == 32))
    readable = (header >= 40) & is_plain & (is_colour | is_gray)
    return tf.where(readable, "", "a BMP with a palette or compressed; save it with 24 bits, or as PNG")


def _upright(levels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Undoes an EXIF orientation: 1 to 4 keep rows as rows, 5 to 8 lie on the side."""

    def one_of(*orientations):
        return tf.reduce_any(orientation == tf.constant(orientations))

    levels = tf.cond(one_of(5, 6, 7, 8), lambda: tf.transpose(levels, [1, 0, 2]), lambda: levels)
    levels = tf.cond(one_of(2, 3, 6, 7), lambda: levels[:, ::-1], lambda: levels)
    return tf.cond(one_of(3, 4, 7, 8), lambda: levels[::-1], lambda: levels)
