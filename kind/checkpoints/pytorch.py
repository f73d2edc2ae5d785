"""PyTorch checkpoints read without PyTorch and without running anything that they hold.

A `.pt` file is a zip: `NAME/data.pkl`, a pickle of the objects, and `NAME/data/KEY`, the raw numbers that its
tensors refer to.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kind.checkpoints.inert_pickle import BFLOAT16, Record, StoredTensor, unpickled
from kind.errors import UserError

_LARGEST_PICKLE = 1 << 26
_MOST_MODULES = 10_000


class Checkpoint:
    """The tensors and plain attributes of a PyTorch file.

    Attributes:
        path: the file.
        tensors: of the model by the names of its state dictionary, such as "model.0.conv.weight".
        attributes: of the model's object; empty when the file holds a bare state dictionary.
    """

    def __init__(self, path: Path, tensors: dict[str, StoredTensor], attributes: dict[Any, Any]) -> None:
        """Made by `read_checkpoint`."""
        self.path = path
        self.tensors = tensors
        self.attributes = attributes

    def values(self, names: list[str]) -> dict[str, np.ndarray]:
        """Reads tensors.

        Args:
            names: of `tensors`.

        Returns:
            float32 arrays by name.

        Raises:
            UserError: when a tensor's numbers are missing, cut short or not finite.
        """
        try:
            with zipfile.ZipFile(self.path) as archive:
                arrays = {name: _numbers(archive, name, self.tensors[name]) for name in names}
        except (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile) as error:
            raise UserError(f"{self.path}: damaged PyTorch checkpoint: {error}") from error
        broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
        if broken:
            raise UserError(f"{self.path}: holds NaN or infinity in {', '.join(map(_printable, broken))}")
        return arrays


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Reads what a PyTorch file holds, the numbers themselves excepted.

    Of a training checkpoint the moving average (`ema`) goes before the `model`, as in Ultralytics' own
    loading; a bare or nested state dictionary works as well.

    Args:
        path: a zip written by `torch.save`, PyTorch 1.6 (2020) or later.

    Returns:
        The checkpoint; each of its tensors lies within its storage.

    Raises:
        UserError: when the file is missing, is not such a zip, is damaged, asks for something that data
            never needs, or holds no model.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a PyTorch checkpoint (.pt)")
    try:
        with zipfile.ZipFile(path) as archive:
            content = _unpickled(archive)
            model = _model(content)
            tensors = dict(_tensors(model))
            for name, tensor in tensors.items():
                _check_bounds(archive, name, tensor)
    except UserError:
        raise
    except zipfile.BadZipFile as error:
        raise UserError(
            f"{path}: not a zip, or a damaged one: expected what torch.save writes since PyTorch 1.6"
        ) from error
    except MemoryError as error:
        raise UserError(f"{path}: refused: it asks for more memory than there is") from error
    except Exception as error:  # a broken pickle raises anything from IndexError to UnicodeDecodeError
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: not a usable PyTorch checkpoint: {_printable(reason)}") from error
    return Checkpoint(path, tensors, model.attributes if isinstance(model, Record) else {})


def _unpickled(archive: zipfile.ZipFile) -> object:
    names = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(names) != 1:
        raise ValueError(f"expected one data.pkl in it, found {len(names)}")
    root = names[0][: -len("data.pkl")]
    if f"{root}byteorder" in archive.namelist() and _entry(archive, f"{root}byteorder", 16) != b"little":
        raise ValueError("it was written on a big-endian machine")
    program = _entry(archive, names[0], _LARGEST_PICKLE)
    return unpickled(program, f"{root}data/")


def _entry(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """An entry's bytes. PyTorch never compresses, so that no entry is larger than the file itself."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{_printable(name)} is compressed, which PyTorch never does")
    if info.file_size > limit:
        raise ValueError(f"{_printable(name)} has {info.file_size} bytes, more than {limit}")
    return archive.read(name)


def _model(content: object) -> Record | dict:
    """The model's object, or its state dictionary, wherever the file keeps it."""
    if isinstance(content, dict):
        for key in ("ema", "model", "state_dict"):
            if isinstance(content.get(key), (Record, dict)):
                return content[key]
    if isinstance(content, (Record, dict)):
        return content
    raise ValueError("it holds no model")


def _tensors(model: Record | dict) -> Iterator[tuple[str, StoredTensor]]:
    """Tensors by name, as a module's `state_dict()` lists them."""
    waiting: list[tuple[str, object]] = [("", model)]
    for _ in range(_MOST_MODULES):
        if not waiting:
            return
        prefix, module = waiting.pop()
        if isinstance(module, Record):
            parts = [module.attributes.get(key) for key in ("_parameters", "_buffers", "_modules")]
            parameters, buffers, modules = (part if isinstance(part, dict) else {} for part in parts)
            waiting += [(f"{prefix}{name}.", modules[name]) for name in reversed(list(modules))]
            module = {**parameters, **buffers}
        for name, value in module.items() if isinstance(module, dict) else ():
            if isinstance(value, StoredTensor):
                yield f"{prefix}{name}", value
    raise ValueError(f"it has more than {_MOST_MODULES} modules, or modules inside themselves")


def _check_bounds(archive: zipfile.ZipFile, name: str, tensor: StoredTensor) -> None:
    """Refuses a tensor that reaches beyond its storage, or a storage beyond its entry in the archive."""
    storage = tensor.storage
    size = storage.size * _item_size(storage.dtype)
    if storage.entry not in archive.NameToInfo or archive.getinfo(storage.entry).file_size != size:
        raise ValueError(f"the numbers of {_printable(name)} are missing or cut short")
    last = tensor.offset + sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides))
    elements = math.prod(tensor.shape)
    if elements > storage.size or (elements and last >= storage.size):
        raise ValueError(f"{_printable(name)} reaches beyond its numbers")


def _item_size(dtype: str) -> int:
    return 2 if dtype == BFLOAT16 else np.dtype(dtype).itemsize


def _numbers(archive: zipfile.ZipFile, name: str, tensor: StoredTensor) -> np.ndarray:
    """A tensor's values, float32; `_check_bounds` has accepted it."""
    storage = tensor.storage
    content = _entry(archive, storage.entry, storage.size * _item_size(storage.dtype))
    if storage.dtype == BFLOAT16:  # the upper half of a float32
        flat = (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        flat = np.frombuffer(content, storage.dtype)
    strides = tuple(stride * flat.itemsize for stride in tensor.strides)
    if math.prod(tensor.shape) == 0:
        return np.zeros(tensor.shape, np.float32)
    view = np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.shape, strides, writeable=False)
    return np.array(view, np.float32)


def _printable(name: str) -> str:
    return name if name.isprintable() else ascii(name)
