"""Indices that somebody made by hand; on several of these TensorFlow's reader ends the process."""

import struct

import pytest
import tensorflow as tf
from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto, BundleHeaderProto

from kind.checkpoints.index_file import read_index
from kind.errors import UserError

FLOAT, STRING = 1, 7


def varint(value):
    content = b""
    while value > 127:
        content += bytes([value & 127 | 128])
        value >>= 7
    return content + bytes([value])


def handle(offset, size):
    return varint(offset) + varint(size)


def block(pairs, restarts=(0,)):
    content = b"".join(
        varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in pairs
    )
    return content + struct.pack(f"<{len(restarts)}I", *restarts) + struct.pack("<I", len(restarts))


def masked_crc32c(content):
    """Bit by bit, and so unlike the code's; `test_checksums_are_tensorflows` ties both to TensorFlow."""
    value = 0xFFFFFFFF
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 * (value & 1))
    value ^= 0xFFFFFFFF
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) % (1 << 32)


def closed(content, compression=0):
    content += bytes([compression])
    return content + struct.pack("<I", masked_crc32c(content))


def table(pairs, *, restarts=(0,), footer=None, compression=0):
    data = closed(block(pairs, restarts), compression)
    properties = closed(block([]))
    index = closed(block([(b"z", handle(0, len(data) - 5))]))
    footer = footer or (len(data + properties), len(index) - 5)
    ends = handle(len(data), len(properties) - 5) + handle(*footer)
    return data + properties + index + ends.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def header(**fields):
    return b"", BundleHeaderProto(num_shards=1, **fields).SerializeToString()


def entry(shape=(4,), name=b"a", dtype=FLOAT, size=16, **fields):
    proto = BundleEntryProto(dtype=dtype, size=size, **fields)
    for length in shape:
        proto.shape.dim.add(size=length)
    return name, proto.SerializeToString()


@pytest.fixture
def read(tmp_path):
    def write_and_read(content):
        path = tmp_path / "model.ckpt.index"
        path.write_bytes(content)
        return read_index(path)

    return write_and_read


def test_a_sound_index_is_read(read):
    index = read(table([header(), entry(), entry((), b"b", size=4, offset=16)]))
    assert index.shards == 1
    assert {name: found.shape for name, found in index.entries.items()} == {"a": (4,), "b": ()}
    assert index.entries["b"].offset == 16
    assert index.entries["b"].dtype.name == "float32"


def test_checksums_are_tensorflows(tmp_path):
    path = str(tmp_path / "one.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"dark" * 9)
    record = (tmp_path / "one.tfrecord").read_bytes()  # length, its checksum, content, its checksum
    assert struct.unpack("<I", record[-4:])[0] == masked_crc32c(b"dark" * 9)


def test_texts_have_no_fixed_size(read):
    assert read(table([header(), entry(dtype=STRING, size=3)])).entries["a"].size == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (table([header(), (b"a", b"\xff\xff\xff\xff")]), "parsing message"),
        (table([(b"", b"\xff\xff\xff"), entry()]), "parsing message"),
        (table([entry()]), "no header"),
        (table([header(endianness=BundleHeaderProto.BIG), entry()]), "big-endian"),
        (table([header(), entry((-4,))]), "impossible shape"),
        (table([header(), entry([1] * 300)]), "impossible shape"),
        (table([header(), entry((1 << 40, 1 << 40))]), "impossibly large"),
        (table([header(), entry((1 << 39,), size=1 << 41)]), "impossibly large"),
        (table([header(), entry(size=-16)]), "outside its data file"),
        (table([header(), entry(offset=-5)]), "outside its data file"),
        (table([header(), entry(size=12)]), "its shape contradicts"),
        (table([header(), entry(dtype=99)]), "unknown type"),
        (table([header(), entry(shard_id=7)]), "a data file that the header does not know"),
        (table([header(), entry(shard_id=-1)]), "a data file that the header does not know"),
        (table([header(), entry(name=b"\n", size=12)]), r"'\\n' has 12 bytes"),
        (table([header(), entry(name=b"\xff")]), "utf-8"),
        (table([header(), entry(name=b"b"), entry(name=b"a")]), "not in order"),
        (table([header(), entry(), entry()]), "not in order"),
        (table([header(), entry()], footer=(0, 1 << 60)), "outside the file"),
        (table([header(), entry()], footer=(1 << 63, 9)), "outside the file"),
        (table([header(), entry()], footer=(0, 1 << 70)), "64 bits"),
        (table([header(), entry()], compression=1), "compressed"),
        (table([header(), entry()], restarts=()), "restart points"),
        (table([header(), entry()], restarts=(0, 3)), "inside a pair"),
    ],
)
def test_an_unsound_index_is_refused(read, content, reason):
    with pytest.raises(UserError, match=reason) as caught:
        read(content)
    assert "\n" not in str(caught.value)


def test_an_altered_name_is_damage_not_another_network(read):
    content = table([header(), entry(name=b"name")])
    with pytest.raises(UserError, match="checksum is wrong"):
        read(content.replace(b"name", b"mane"))


def test_slices_are_refused(read):
    proto = BundleEntryProto(dtype=FLOAT, size=16)
    proto.shape.dim.add(size=4)
    proto.slices.add().extent.add(start=0, length=4)
    with pytest.raises(UserError, match="in slices, which are not supported"):
        read(table([header(), (b"a", proto.SerializeToString())]))


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "model.ckpt.index"
    with path.open("wb") as file:
        file.truncate(1 << 30)  # sparse
    with pytest.raises(UserError, match="larger than 16 MiB"):
        read_index(path)
