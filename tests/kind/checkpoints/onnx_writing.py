"""A writer of ONNX files, for tests: the wire format from its description, independent of the reader."""

import numpy as np


def varint(value):
    value %= 1 << 64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def whole(number, value):
    return varint(number << 3) + varint(value)


def part(number, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(name, array, *extra):
    array = np.asarray(array)
    kind = {"float32": 1, "int64": 7, "float16": 10, "int8": 3}[array.dtype.name]
    dims = [whole(1, side) for side in array.shape]
    return b"".join([*dims, whole(2, kind), part(8, name), part(9, array.tobytes()), *extra])


def attribute(name, value):
    if isinstance(value, str):
        return part(1, name) + part(4, value) + whole(20, 3)
    if isinstance(value, int):
        return part(1, name) + whole(3, value) + whole(20, 2)
    return part(1, name) + b"".join(whole(8, number) for number in value) + whole(20, 7)


def node(operation, inputs, outputs, **attributes):
    names = [part(1, name) for name in inputs] + [part(2, name) for name in outputs]
    values = [part(5, attribute(name, value)) for name, value in attributes.items()]
    return b"".join([*names, part(4, operation), *values])


def model(nodes=(), tensors=(), inputs=("images",), outputs=("output",)):
    parts = [part(1, content) for content in nodes] + [part(5, content) for content in tensors]
    parts += [part(11, part(1, name)) for name in inputs] + [part(12, part(1, name)) for name in outputs]
    return whole(1, 7) + part(2, "test") + part(7, b"".join(parts)) + part(8, whole(2, 11))
