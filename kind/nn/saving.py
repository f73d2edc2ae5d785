"""Networks to and from `.keras` files."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
from tensorflow import keras

import kind.nn.exposure_layers  # noqa: F401
import kind.nn.layers
import kind.nn.subpixel  # noqa: F401  (all three register the layers that the files name)
from kind.errors import UserError
from kind.files import atomic_write
from kind.nn.saved_config import check_saved_config

SHIPPED_WEIGHTS = Path(__file__).parents[1] / "weights"

_WEIGHTS = "model.weights.h5"


def find_weights(stages: Sequence[str], folder: str | Path | None = None) -> dict[str, Path]:
    """Names the file of each stage's network, the shipped one where `folder` has none.

    Args:
        stages: names of the stages.
        folder: see `Enhancer.load`.

    Returns:
        A path for each stage, in the order of `stages`.

    Raises:
        UserError: when the folder does not exist or holds none of them.
    """
    shipped = {stage: SHIPPED_WEIGHTS / f"{stage}.keras" for stage in stages}
    if folder is None:
        return shipped
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of weights")
    found = {}
    for stage in stages:
        for path in (folder / stage / "best.keras", folder / f"{stage}.keras"):
            if path.is_file():
                found[stage] = path
    if not found:
        names = ", ".join(f"{stage}.keras" for stage in stages)
        several = "any of " if len(stages) > 1 else ""
        raise UserError(f"{folder}: expected {several}{names} (or run folders of these names); found none")
    return {stage: found.get(stage, shipped[stage]) for stage in stages}


def save_net(net: keras.Model, path: str | Path, *, half_precision: bool = False) -> None:
    """Writes architecture and weights to one `.keras` file, wholly or not at all.

    Args:
        net: a functional model.
        path: ends in `.keras`.
        half_precision: store the weights as float16, compressed: less than half the size. Loading gives
            float32 variables again, rounded to 11 significant bits.
    """
    with atomic_write(path) as temporary:
        net.save(temporary)
        if half_precision:
            _halve_weights(temporary)


def load_net(path: str | Path) -> keras.Model:
    """Reads a network without executing anything that the file holds (no lambdas, no pickles).

    Args:
        path: a `.keras` file.

    Returns:
        The model, not compiled, in inference form.

    Raises:
        UserError: when the file is missing, is not a `.keras` file, is damaged, or wants to run code.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such weights file; expected a .keras file")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise UserError(f"{path}: not a .keras file (a zip with config.json and {_WEIGHTS})")
    check_saved_config(path)
    try:
        with _stored(path) as plain:
            return keras.models.load_model(plain, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises anything from KeyError to struct.error on damaged files
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"{path}: cannot be loaded as a network: {reason}") from error


@contextlib.contextmanager
def _stored(path: Path) -> Iterator[Path]:
    """A copy of a `.keras` file without compression, or the file itself when it has none.

    Keras reads the weights here and there in the archive, and each step back makes zlib begin again at the
    first byte: of compressed networks that took most of the loading time.
    """
    with zipfile.ZipFile(path) as archive:
        if all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist()):
            yield path
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / path.name
            with zipfile.ZipFile(copy, "w") as plain:
                for name in archive.namelist():
                    plain.writestr(name, archive.read(name))
            yield copy


def weights_digest(net: keras.Model) -> str:
    """SHA-256 of all weights, by name, shape and bits: what caches of a network's outputs are keyed by."""
    digest = hashlib.sha256(net.name.encode())
    for variable in net.weights:
        value = np.ascontiguousarray(variable.numpy())
        digest.update(f"{variable.name} {value.dtype} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def _halve_weights(path: Path) -> None:
    """Rewrites a `.keras` file with its float32 weights stored as float16."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    smaller = io.BytesIO()
    with h5py.File(io.BytesIO(entries[_WEIGHTS])) as source, h5py.File(smaller, "w") as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                value = item[()]
                value = value.astype(np.float16) if value.dtype == np.float32 else value
                copied = target.create_dataset(name, data=value)
            else:
                copied = target.require_group(name)
            copied.attrs.update(item.attrs)

        source.visititems(copy)
        target.attrs.update(source.attrs)
    entries[_WEIGHTS] = smaller.getvalue()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
