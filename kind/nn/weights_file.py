"""The HDF5 file inside a `.keras` file: plain arrays by the path of their layer, and nothing else.

HDF5 can keep a data set's bytes in any other file of the machine, link to other files, unpack filters
without end and hold references. The reader takes none of it: it is told all names and shapes beforehand and
reads those arrays only.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import h5py
import numpy as np

_FLOATS = ("float16", "float32", "float64")


class UnreadableWeights(ValueError):
    """An array that is missing or is not what the network needs; the message names it, but no file."""


def read_arrays(content: bytes, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Reads arrays of known names and shapes.

    Args:
        content: the HDF5 file.
        shapes: of each array by its path, such as "layers/conv2d/vars/0".

    Returns:
        For each path a finite array of float16, float32 or float64.

    Raises:
        UnreadableWeights: when an array is missing, is stored in any but the plain way, has another shape or
            type, or holds NaN or infinity.
    """
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return {name: _read(file, name, shape) for name, shape in shapes.items()}
    except UnreadableWeights:
        raise
    except Exception as error:  # h5py raises anything from KeyError to RuntimeError on damaged files
        reason = str(error).split("\n")[0]
        raise UnreadableWeights(f"its weights cannot be read: {ascii(reason)[1:-1]}") from error


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


def _read(file: h5py.File, name: str, shape: tuple[int, ...]) -> np.ndarray:
    dataset = _dataset(file, name)
    if dataset.dtype.name not in _FLOATS:
        raise UnreadableWeights(
            f"its array {name} has the type {dataset.dtype}; expected one of {', '.join(_FLOATS)}"
        )
    if dataset.shape != shape:
        raise UnreadableWeights(f"its array {name} has the shape {dataset.shape}; the network needs {shape}")
    _check_storage(dataset, name)
    values = dataset[()]
    if not np.isfinite(values).all():
        raise UnreadableWeights(f"its array {name} holds NaN or infinity")
    return values


def _dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """Follows a path through groups by hard links only."""
    item = file
    for part in name.split("/"):
        if not isinstance(item, h5py.Group) or part not in item:
            raise UnreadableWeights(f"it has no array {name}")
        if type(item.get(part, getlink=True)) is not h5py.HardLink:
            raise UnreadableWeights(f"its array {name} is a link to elsewhere")
        item = item[part]
    if not isinstance(item, h5py.Dataset):
        raise UnreadableWeights(f"it has no array {name}")
    return item


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
