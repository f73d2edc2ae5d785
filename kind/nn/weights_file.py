"""The HDF5 file inside a `.keras` file: plain arrays by the path of their layer, and nothing else.

HDF5 can keep a data set's bytes in any other file of the machine, link to other files, unpack filters
without end and hold references. The readers take none of it: they read arrays of known names and shapes, or
what stands where the arrays of layers do, and nothing else.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import h5py
import numpy as np

from kind.nn.file_schema import shown

_FLOATS = ("float16", "float32", "float64")
_LAYERS = "layers"
_DEEPEST, _MOST = 32, 1 << 15
"""Of groups in one another, and of groups and arrays; a detector of 400 layers has 1,500."""


class UnreadableWeights(ValueError):
    """An array that is missing or is not what the network needs; the message names it, but no file."""


class OtherShapes(UnreadableWeights):
    """An array that is missing or has another shape: the weights are those of another network."""


def read_arrays(content: bytes, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Reads arrays of known names and shapes.

    Args:
        content: the HDF5 file.
        shapes: of each array by its path, such as "block1_conv1/kernel:0".

    Returns:
        For each path a finite array of float16, float32 or float64.

    Raises:
        UnreadableWeights: when an array is missing, is stored in any but the plain way, has another shape or
            type, or holds NaN or infinity.
    """
    with _opened(content) as file:
        return {name: _values(_dataset(file, name), name, shape) for name, shape in shapes.items()}


def read_layer_arrays(
    content: bytes, shapes: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, np.ndarray]:
    """Reads the arrays of all layers of a `.keras` file, whose network need not be known.

    Args:
        content: the HDF5 file.
        shapes: of arrays that it must hold, by path; looked at before any value is read.

    Returns:
        Finite arrays of float16, float32 or float64 by path, such as "layers/conv2d/vars/0"; together they
        have no more bytes than the file.

    Raises:
        UnreadableWeights: when an array is missing, is stored in any but the plain way, has another shape or
            type, or holds NaN or infinity, and when there is more than arrays.
    """
    with _opened(content) as file:
        found = _datasets(file)
        check_shapes(found, shapes or {})
        if sum(dataset.nbytes for dataset in found.values()) > len(content):
            raise UnreadableWeights("its arrays hold more bytes than the file")
        return {name: _values(dataset, name) for name, dataset in found.items()}


def read_layer_shapes(content: bytes) -> dict[str, tuple[int, ...]]:
    """The shapes of what `read_layer_arrays` reads, by path."""
    with _opened(content) as file:
        return {name: dataset.shape for name, dataset in _datasets(file).items()}


def check_shapes(
    arrays: Mapping[str, np.ndarray | h5py.Dataset], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Compares what a file holds with what a network needs.

    Args:
        arrays: of the file, by path; more than are needed do no harm.
        shapes: of each array of the network, by path.

    Raises:
        OtherShapes: when an array is missing or has another shape.
    """
    for name, shape in shapes.items():
        if name not in arrays:
            raise OtherShapes(f"it has no array {name}")
        _check_shape(arrays[name], name, shape)


def write_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The HDF5 file that `read_arrays` reads.

    Args:
        arrays: by path.

    Returns:
        The file's content.
    """
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_group("vars")  # Keras expects the variables of the network itself, which are none
        for name, values in arrays.items():
            file.create_dataset(name, data=values)
    return content.getvalue()


@contextmanager
def _opened(content: bytes) -> Iterator[h5py.File]:
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            yield file
    except UnreadableWeights:
        raise
    except Exception as error:  # h5py raises anything from KeyError to RuntimeError on damaged files
        reason = str(error).split("\n")[0]
        raise UnreadableWeights(f"its weights cannot be read: {ascii(reason)[1:-1]}") from error


def _values(dataset: h5py.Dataset, name: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """A checked array; of any shape when none is given."""
    name = shown(name)[1:-1]
    if dataset.dtype.name not in _FLOATS:
        raise UnreadableWeights(
            f"its array {name} has the type {dataset.dtype}; expected one of {', '.join(_FLOATS)}"
        )
    if shape is not None:
        _check_shape(dataset, name, shape)
    _check_storage(dataset, name)
    values = dataset[()]
    if not np.isfinite(values).all():
        raise UnreadableWeights(f"its array {name} holds NaN or infinity")
    return values


def _check_shape(array: np.ndarray | h5py.Dataset, name: str, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise OtherShapes(f"its array {name} has the shape {array.shape}; the network needs {shape}")


def _dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """Follows a path through groups."""
    item = file
    for part in name.split("/"):
        if not isinstance(item, h5py.Group) or part not in item:
            raise UnreadableWeights(f"it has no array {name}")
        item = _member(item, part, name)
    if not isinstance(item, h5py.Dataset):
        raise UnreadableWeights(f"it has no array {name}")
    return item


def _datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """The arrays of all layers by path."""
    found: dict[str, h5py.Dataset] = {}
    if _LAYERS in file:
        _collect(file, _LAYERS, found, set())
    return found


def _collect(group: h5py.Group, place: str, found: dict[str, h5py.Dataset], groups: set[str]) -> None:
    """Finds the arrays at and below a member of a group."""
    item = _member(group, place.rpartition("/")[2], place)
    if isinstance(item, h5py.Dataset):
        found[place] = item
        return
    groups.add(place)
    if not isinstance(item, h5py.Group) or place.count("/") > _DEEPEST or len(groups) + len(found) > _MOST:
        raise UnreadableWeights(f"it holds more than the arrays of layers: {shown(place)}")
    for part in item:
        _collect(item, f"{place}/{part}", found, groups)


def _member(group: h5py.Group, part: str, name: str) -> h5py.HLObject:
    """A member of a group, by a hard link only."""
    if type(group.get(part, getlink=True)) is not h5py.HardLink:
        raise UnreadableWeights(f"its array {shown(name)[1:-1]} is a link to elsewhere")
    return group[part]


def _check_storage(dataset: h5py.Dataset, name: str) -> None:
    settings = dataset.id.get_create_plist()
    layout = settings.get_layout()
    if settings.get_external_count() or layout not in (
        h5py.h5d.CONTIGUOUS,
        h5py.h5d.CHUNKED,
        h5py.h5d.COMPACT,
    ):
        raise UnreadableWeights(f"the bytes of its array {name} are kept outside of it")
    if dataset.id.get_storage_size() < dataset.nbytes:
        raise UnreadableWeights(f"its array {name} is declared, but its bytes are not there")
    # Filters unpack without a limit; no writer of networks uses any, the archive is packed instead.
    if settings.get_nfilters():
        raise UnreadableWeights(f"its array {name} is stored through filters")
    if layout == h5py.h5d.CHUNKED and (
        dataset.maxshape != dataset.shape or np.prod(dataset.chunks, dtype=float) > max(dataset.size, 1)
    ):
        raise UnreadableWeights(f"its array {name} is stored in chunks larger than itself")
