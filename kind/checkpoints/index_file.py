"""The index of a TensorFlow checkpoint, read in Python.

TensorFlow's own reader ends the whole process on an index that was made or damaged in certain ways (a
negative size, an entry that does not decode, a block longer than memory). So the index is read here
first, where everything wrong with it becomes one line, and only a sound one reaches TensorFlow.

The file is a sorted table of blocks (the format of LevelDB) from variable names to `BundleEntryProto`;
the empty name holds a `BundleHeaderProto`. https://github.com/google/leveldb/blob/main/doc/table_format.md
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto, BundleHeaderProto

from kind.errors import UserError

_MAGIC = 0xDB4775248B80FB57
_FOOTER_SIZE = 48
_TRAILER_SIZE = 5  # one byte says how the block is compressed, four are its checksum
_LARGEST_INDEX = 1 << 24
_LARGEST_RANK = 8
_LARGEST_VARIABLE = 1 << 40


class Entry(NamedTuple):
    """Where one variable lies: its type and shape, the data file's number, and the bytes in it."""

    dtype: tf.DType
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int


class Index(NamedTuple):
    """All variables of a checkpoint by name, and the number of its data files."""

    shards: int
    entries: dict[str, Entry]


def read_index(path: Path) -> Index:
    """Reads and checks the index of a checkpoint; the data files are not looked at.

    Args:
        path: the `.index` file.

    Returns:
        The variables by name. Every size in it is that of a variable that can exist.

    Raises:
        UserError: when the file cannot be read, is damaged, or holds what no network's checkpoint holds.
    """
    try:
        if path.stat().st_size > _LARGEST_INDEX:
            raise UserError(f"{path}: not a checkpoint's index (larger than {_LARGEST_INDEX >> 20} MiB)")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return _parse(content)
    except (ValueError, IndexError, struct.error, DecodeError) as error:
        raise UserError(f"{path}: not a checkpoint's index, or a damaged one: {error}") from error


def _parse(content: bytes) -> Index:
    if len(content) < _FOOTER_SIZE or struct.unpack("<Q", content[-8:])[0] != _MAGIC:
        raise ValueError("it does not end with the mark of a table; truncated?")
    footer = content[-_FOOTER_SIZE:]
    _, _, position = _handle(footer, 0)  # of the block with properties, which nobody uses
    offset, size, _ = _handle(footer, position)
    header, entries, last = None, {}, None
    for _, handle in _block(content, offset, size):
        for key, value in _block(content, *_handle(handle, 0)[:2]):
            if last is not None and key <= last:
                raise ValueError("its names are not in order")
            last = key
            if key:
                entries[key.decode()] = _entry(key.decode(), value)
            else:
                header = BundleHeaderProto.FromString(value)
    if header is None:
        raise ValueError("it has no header")
    if header.endianness != BundleHeaderProto.LITTLE:
        raise ValueError("it was written on a big-endian machine")
    wrong = [name for name, entry in entries.items() if not 0 <= entry.shard < header.num_shards]
    if wrong:
        raise ValueError(f"{printable(wrong[0])} lies in a data file that the header does not know")
    return Index(header.num_shards, entries)


def _entry(name: str, value: bytes) -> Entry:
    """Decodes one variable's entry and refuses sizes that no variable has."""
    proto = BundleEntryProto.FromString(value)
    shape = tuple(dimension.size for dimension in proto.shape.dim)
    elements = 1
    for length in shape:
        elements *= length
    if proto.shape.unknown_rank or len(shape) > _LARGEST_RANK or min(shape, default=0) < 0:
        raise ValueError(f"{printable(name)} has an impossible shape")
    if elements > _LARGEST_VARIABLE or proto.size > _LARGEST_VARIABLE:
        raise ValueError(f"{printable(name)} is impossibly large")
    if proto.slices:
        raise ValueError(f"{printable(name)} is stored in slices, which are not supported")
    if proto.offset < 0 or proto.size < 0:
        raise ValueError(f"{printable(name)} lies outside its data file")
    try:
        dtype = tf.as_dtype(proto.dtype)
    except TypeError as error:
        raise ValueError(f"{printable(name)} has an unknown type") from error
    if dtype.size and elements * dtype.size != proto.size:
        raise ValueError(f"{printable(name)} has {proto.size} bytes, which its shape contradicts")
    return Entry(dtype, shape, proto.shard_id, proto.offset, proto.size)


def _block(content: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yields the (key, value) pairs of one block.

    The restart points at its end, from which TensorFlow begins to read, must be where pairs begin:
    otherwise it would read something else than what is checked here.
    """
    end = offset + size
    if end + _TRAILER_SIZE > len(content) - _FOOTER_SIZE or size < 4:
        raise ValueError("a block lies outside the file")
    if struct.unpack("<I", content[end + 1 : end + _TRAILER_SIZE])[0] != _checksum(content[offset : end + 1]):
        raise ValueError("a block's checksum is wrong")
    if content[end] != 0:
        raise ValueError("it is compressed, which is not supported")
    block = content[offset:end]
    count = struct.unpack("<I", block[-4:])[0]
    pairs_end = size - 4 - 4 * count
    if count == 0 or pairs_end < 0:
        raise ValueError("a block has an impossible number of restart points")
    restarts = set(struct.unpack(f"<{count}I", block[pairs_end:-4]))
    position, key = 0, b""
    while position < pairs_end:
        begin = position
        shared, position = _varint(block, position)
        unshared, position = _varint(block, position)
        length, position = _varint(block, position)
        if shared > len(key) or position + unshared + length > pairs_end:
            raise ValueError("a name or value reaches beyond its block")
        if begin in restarts and shared:
            raise ValueError("a restart point shares its name with nothing")
        restarts.discard(begin)
        key = key[:shared] + block[position : position + unshared]
        position += unshared
        yield key, block[position : position + length]
        position += length
    if restarts and pairs_end:
        raise ValueError("a restart point lies inside a pair")


def _handle(content: bytes, position: int) -> tuple[int, int, int]:
    """Reads a block's offset and size, and where the next handle begins."""
    offset, position = _varint(content, position)
    size, position = _varint(content, position)
    return offset, size, position


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """Reads an integer of seven bits a byte, lowest first, and where the next thing begins."""
    value = 0
    for shift in range(0, 64, 7):
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("an integer has more than 64 bits")


def _checksum(content: bytes) -> int:
    """CRC-32C, rotated and shifted as tables store it."""
    value = 0xFFFFFFFF
    for byte in content:
        value = _CRC_TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _crc_row(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value


_CRC_TABLE = [_crc_row(byte) for byte in range(256)]


def printable(name: str) -> str:
    """The name as it may stand in a one-line message, whatever characters a file put into it."""
    return name if name.isprintable() else ascii(name)
