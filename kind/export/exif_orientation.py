"""Which way is up, read from the EXIF data of a JPEG file inside a TensorFlow graph."""

from __future__ import annotations

import tensorflow as tf

_FAR_ENOUGH = 1 << 18  # bytes: EXIF data is one of the first segments, and a segment has at most 64 KiB
_MOST_SEGMENTS, _MOST_ENTRIES = 64, 512
_APP1, _START_OF_SCAN = 0xE1, 0xDA
_EXIF = b"Exif\0\0"
_ORIENTATION, _LONG = 0x0112, 4


def jpeg_orientation(data: tf.Tensor) -> tf.Tensor:
    """Finds the orientation that a JPEG file asks for.

    tf.io leaves it out. Damaged EXIF data is no error: the picture itself may be whole.

    Args:
        data: string scalar, the bytes of a JPEG file.

    Returns:
        int32 scalar, 1 to 8; 1, which is upright, where the file says nothing that is understood.
    """
    head = tf.cast(tf.io.decode_raw(tf.strings.substr(data, 0, _FAR_ENOUGH), tf.uint8), tf.int32)
    length = tf.size(head)

    def byte(position):
        return tf.gather(head, tf.clip_by_value(position, 0, length - 1))

    def has_exif(position):
        found = byte(position + 4 + tf.range(len(_EXIF))) == tf.constant(list(_EXIF))
        return (byte(position + 1) == _APP1) & tf.reduce_all(found)

    def goes_on(position):
        is_segment = (byte(position) == 0xFF) & (byte(position + 1) != _START_OF_SCAN)
        return is_segment & (position + 4 < length) & ~has_exif(position)

    def following(position):
        is_filling = byte(position + 1) == 0xFF
        size = byte(position + 2) * 256 + byte(position + 3)
        return (position + tf.where(is_filling, 1, 2 + size),)

    (segment,) = tf.while_loop(goes_on, following, (tf.constant(2),), maximum_iterations=_MOST_SEGMENTS)
    return tf.where(has_exif(segment), _tagged(byte, length, segment + 4 + len(_EXIF)), 1)


def _tagged(byte, length: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """The orientation in the TIFF structure that begins at `start`, or 1."""
    is_little = byte(start) == ord("I")

    def short(position):
        first, second = byte(position), byte(position + 1)
        return tf.where(is_little, first + second * 256, first * 256 + second)

    def long(position):
        first, second = short(position), short(position + 2)
        # Offsets and orientations are small; what is not would overflow and means damage.
        low, high = tf.where(is_little, first, second), tf.where(is_little, second, first)
        return tf.where(high < 1 << 14, low + high * (1 << 16), -1)

    offset = long(start + 4)
    directory = start + tf.where((offset < 0) | (offset > length), length, offset)
    entries = directory + 2 + 12 * tf.range(tf.minimum(short(directory), _MOST_ENTRIES))
    values = tf.where(short(entries + 2) == _LONG, long(entries + 8), short(entries + 8))
    is_meant = (short(entries) == _ORIENTATION) & (entries + 12 <= length) & (values >= 1) & (values <= 8)
    return tf.reduce_max(tf.concat([[1], tf.where(is_meant, values, 1)], axis=0))
