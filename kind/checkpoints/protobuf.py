"""Protocol Buffers' wire format, read as data: fields by number, nothing generated and nothing executed.

A message is a run of fields: a varint with number and wire type, then a varint, 4 or 8 bytes, or a length and
that many bytes (https://protobuf.dev/programming-guides/encoding). Every length is checked against the bytes
that are there; values are views of the message, so that reading takes no memory of the file's size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5
"""The wire types in use; 3 and 4, groups, are refused."""

_LONGEST_VARINT = 10
_LARGEST_NUMBER = (1 << 29) - 1


class Field(NamedTuple):
    """A field: its number, its wire type, and its value: an int of 64 bits, or a view of bytes."""

    number: int
    wire: int
    value: int | memoryview


def fields(message: memoryview) -> Iterator[Field]:
    """Reads a message's fields one after another.

    Args:
        message: unsigned bytes.

    Yields:
        The fields in the order in which they are written.

    Raises:
        ValueError: when the message breaks off or uses what the format does not have.
    """
    position, end = 0, len(message)
    while position < end:
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        if not 0 < number <= _LARGEST_NUMBER:
            raise ValueError(f"a field has the impossible number {number}")
        if wire == VARINT:
            value, position = _varint(message, position)
        elif wire in (EIGHT_BYTES, FOUR_BYTES, LENGTH):
            size = {EIGHT_BYTES: 8, FOUR_BYTES: 4}.get(wire)
            if size is None:
                size, position = _varint(message, position)
            if size > end - position:
                raise ValueError(f"field {number} has {size} bytes where {end - position} are left")
            value, position = message[position : position + size], position + size
        else:
            raise ValueError(f"field {number} has the wire type {wire}, which is not in use")
        yield Field(number, wire, value)


def text(field: Field, longest: int = 1 << 10) -> str:
    """A field's text.

    Raises:
        ValueError: when it is not UTF-8, or has more than `longest` bytes.
    """
    content = content_of(field)
    if len(content) > longest:
        raise ValueError(f"field {field.number} is a text of {len(content)} bytes, more than {longest}")
    return bytes(content).decode("utf-8")  # UnicodeDecodeError is a ValueError


def content_of(field: Field) -> memoryview:
    """The bytes of a text, of a message inside, or of packed numbers.

    Raises:
        ValueError: when the field is a number.
    """
    if field.wire != LENGTH:
        raise ValueError(f"field {field.number} is a number where bytes belong")
    return field.value


def integer(field: Field) -> int:
    """A field's signed number of 64 bits.

    Raises:
        ValueError: when the field is not a varint.
    """
    if field.wire != VARINT:
        raise ValueError(f"field {field.number} is not the whole number that belongs there")
    return _signed(field.value)


def integers(field: Field, most: int) -> list[int]:
    """A repeated field's signed numbers, packed or one by one.

    Args:
        field: of one number, or of many.
        most: that are believed.

    Raises:
        ValueError: when there are more, or they break off.
    """
    if field.wire == VARINT:
        return [_signed(field.value)]
    content, numbers, position = content_of(field), [], 0
    while position < len(content):
        if len(numbers) == most:
            raise ValueError(f"field {field.number} has more than {most} numbers")
        value, position = _varint(content, position)
        numbers.append(_signed(value))
    return numbers


def floats(field: Field) -> np.ndarray:
    """A repeated field's float32 numbers, packed or one: [K], a view.

    Raises:
        ValueError: when the bytes are not a multiple of four.
    """
    if field.wire not in (FOUR_BYTES, LENGTH) or len(field.value) % 4:
        raise ValueError(f"field {field.number} is not a run of float32 numbers")
    return np.frombuffer(field.value, "<f4")


def single_float(field: Field) -> float:
    """A field's float32 number.

    Raises:
        ValueError: when the field is something else.
    """
    if field.wire != FOUR_BYTES:
        raise ValueError(f"field {field.number} is not the float32 number that belongs there")
    return struct.unpack("<f", field.value)[0]


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """An unsigned number in groups of seven bits, lowest first, and the position behind it."""
    value = 0
    for index, byte in enumerate(message[position : position + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if value >> 64:
                break
            return value, position + index + 1
    raise ValueError("a number breaks off or has more than 64 bits")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
