"""Pickles read as data: plain containers, PyTorch's tensors, and nothing that runs.

A pickle is a program that may call anything. Here it may call nothing but the constructors of this file:
plain containers and tensors become what they are, every other class an inert `Record`.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

_LARGEST_RANK = 8
BFLOAT16 = "bfloat16"
_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}

#: What a pickle needs to describe data. Missing are the codes that look up extensions, that call classes
#: (INST, OBJ), and that name persistent objects by text.
_OPCODES = frozenset(
    "PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 "
    "LONG4 FLOAT BINFLOAT UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINSTRING "
    "SHORT_BINSTRING EMPTY_LIST APPEND APPENDS LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT DICT "
    "SETITEM SETITEMS EMPTY_SET ADDITEMS FROZENSET GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE "
    "GLOBAL STACK_GLOBAL REDUCE BUILD NEWOBJ NEWOBJ_EX BINPERSID".split()
)
_MEMO_WRITES = ("PUT", "BINPUT", "LONG_BINPUT")


class Storage(NamedTuple):
    """A run of numbers in the archive: its entry, its type (a NumPy name, or bfloat16), how many."""

    entry: str
    dtype: str
    size: int


class StoredTensor(NamedTuple):
    """A tensor that has not been read yet: a strided view of a storage, all counts in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Record:
    """Stands for an object of a class that is not known here: its attributes, and no behaviour.

    Attributes:
        attributes: what the pickle says that the object holds, by name.
    """

    attributes: dict[Any, Any]

    def __new__(cls, *arguments: object, **named: object) -> Record:
        """Drops the arguments: they are not what a module's tensors come in."""
        record = super().__new__(cls)
        record.attributes = {}
        return record

    def __init__(self, *arguments: object, **named: object) -> None:
        """Does nothing."""

    def __setstate__(self, state: object) -> None:
        """Keeps a state that is a dictionary; `__dict__` itself is never touched."""
        if isinstance(state, dict):
            self.attributes = state


def unpickled(program: bytes, folder: str) -> object:
    """Reads a pickle that `torch.save` wrote.

    Args:
        program: the pickle.
        folder: of the archive's entries with the tensors' numbers, such as "name/data/".

    Returns:
        What it holds: containers, numbers, text, `StoredTensor` and `Record`.

    Raises:
        ValueError: when the pickle uses what no tensor needs, or a tensor is impossible. A broken pickle
            raises other errors as well, from EOFError to UnicodeDecodeError.
    """
    _check_opcodes(program)
    return _InertUnpickler(program, folder).load()


def _check_opcodes(program: bytes) -> None:
    """Refuses what data never needs, and memo numbers that would make Python's unpickler fill memory."""
    for opcode, argument, _ in pickletools.genops(program):
        if opcode.name not in _OPCODES:
            raise ValueError(f"its pickle uses {opcode.name}, which no tensor needs")
        if opcode.name in _MEMO_WRITES and argument > len(program):
            raise ValueError("its pickle numbers an object beyond its own length")


class _InertUnpickler(pickle.Unpickler):
    """An unpickler for which every name that a pickle can call leads into this file."""

    def __init__(self, program: bytes, folder: str) -> None:
        super().__init__(io.BytesIO(program), encoding="utf-8")
        self._folder = folder
        self._classes: dict[tuple[str, str], type] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Nothing is imported: known names have a stand-in here, others get an empty class each."""
        if (module, name) in _STAND_INS:
            return _STAND_INS[module, name]
        if module == "torch" and name in _STORAGES:
            return _StorageKind(name)
        return self._classes.setdefault((module, name), type("Record", (Record,), {}))

    def persistent_load(self, reference: object) -> Storage:
        """("storage", class, key, device, number of elements) → where the numbers lie."""
        if not (isinstance(reference, tuple) and len(reference) == 5 and reference[0] == "storage"):
            raise ValueError("it refers to something other than a storage")
        _, kind, key, _, size = reference
        if not isinstance(kind, _StorageKind):
            raise ValueError("it has a storage of an unknown type")
        if not isinstance(key, str) or not _is_count(size):
            raise ValueError("it has a storage without a key or size")
        return Storage(f"{self._folder}{key}", _STORAGES[kind.name], size)


class _StorageKind(NamedTuple):
    """A storage class's name; cannot be called."""

    name: str


def _rebuilt_tensor(storage: object, offset: object, shape: object, strides: object, *_: object):
    """Stands for `torch._utils._rebuild_tensor_v2`."""
    sizes = (*shape, *strides) if isinstance(shape, tuple) and isinstance(strides, tuple) else (None,)
    if not isinstance(storage, Storage) or not all(map(_is_count, (offset, *sizes))):
        raise ValueError("it has a tensor without storage, shape or strides")
    if len(shape) != len(strides) or len(shape) > _LARGEST_RANK:
        raise ValueError("it has a tensor of an impossible shape")
    return StoredTensor(storage, offset, tuple(shape), tuple(strides))


def _rebuilt_parameter(data: object, *_: object) -> object:
    """Stands for `torch._utils._rebuild_parameter`: the tensor itself."""
    return data


def _shape(sizes: object = ()) -> tuple:
    """Stands for `torch.Size`."""
    return tuple(sizes) if isinstance(sizes, (tuple, list)) else ()


def _set(items: object = ()) -> list:
    """Stands for `set`: a list, because records cannot be told apart by value."""
    return list(items) if isinstance(items, (tuple, list)) else []


def _ordered(items: object = ()) -> dict:
    """Stands for `OrderedDict`; a subclass, because pickles give state dictionaries attributes."""
    return _Ordered(items) if isinstance(items, (list, tuple, dict)) else _Ordered()


class _Ordered(OrderedDict):
    def __setstate__(self, state: object) -> None:
        """Drops attributes, such as `_metadata` of a state dictionary."""


class _Constructor:
    """A function that a pickle may call, and cannot alter."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def __call__(self, *arguments: object) -> object:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise ValueError("its pickle alters a constructor")


_STAND_INS = {
    ("collections", "OrderedDict"): _Constructor(_ordered),
    ("builtins", "set"): _Constructor(_set),
    ("__builtin__", "set"): _Constructor(_set),
    ("torch", "Size"): _Constructor(_shape),
    ("torch._utils", "_rebuild_tensor_v2"): _Constructor(_rebuilt_tensor),
    ("torch._utils", "_rebuild_parameter"): _Constructor(_rebuilt_parameter),
}


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 40
