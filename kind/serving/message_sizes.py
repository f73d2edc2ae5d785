"""How much a message takes unpacked: some bytes of protocol buffers can stand for gigabytes of fields."""

from __future__ import annotations

from collections.abc import Iterator

_MOST_FIELDS = 1 << 16
_MOST_OTHERS = 1 << 20  # bytes of all that is neither a string of a tensor nor its content
_OUTPUTS, _VALUE = 1, 2  # of PredictResponse, and of an entry of its map
_CONTENT, _STRING = 4, 8  # of TensorProto
_MESSAGES = {(_OUTPUTS,), (_OUTPUTS, _VALUE)}
_BYTES = {(_OUTPUTS, _VALUE, _CONTENT), (_OUTPUTS, _VALUE, _STRING)}
_LENGTHS = {1: 8, 5: 4}  # of fields of fixed size, by wire type


def check_answer(data: bytes) -> None:
    """Checks the size of a `PredictResponse` before it is unpacked.

    Raises:
        ValueError: it is damaged, has more than 65,536 fields, or more than 1 MiB of what is neither a string
            of a tensor nor its content.
    """
    waiting, count, others = [((), memoryview(data))], 0, 0
    while waiting:
        path, message = waiting.pop()
        for number, content in _fields(message):
            count += 1
            if count > _MOST_FIELDS:
                raise ValueError(f"more than {_MOST_FIELDS} fields")
            place = (*path, number)
            if place in _MESSAGES:
                waiting.append((place, content))
            elif place not in _BYTES:
                others += len(content)
                if others > _MOST_OTHERS:
                    raise ValueError(f"more than {_MOST_OTHERS} bytes beside strings and contents")


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The number and content of each field; of numbers, no content."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind, size = tag & 7, 0
        if kind == 0:
            _, at = _varint(data, at)
        elif kind == 2:
            size, at = _varint(data, at)
        elif kind in _LENGTHS:
            at += _LENGTHS[kind]
        else:
            raise ValueError("damaged")
        if at + size > len(data):
            raise ValueError("damaged")
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
    raise ValueError("damaged")
