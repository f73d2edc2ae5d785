"""TensorFlow 1 checkpoints read into our networks, without a session and without a graph."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.checkpoints.index_file import Index, printable, read_index
from kind.checkpoints.names import PublishedNetwork, recognise
from kind.errors import UserError

_OPTIMISER_SLOT = re.compile(r"(?P<variable>.+)/Adam(Optimizer)?(_\d+)?")
_OPTIMISER_STATE = re.compile(r"(beta[12]_power|global_step)(_\d+)?")


def find_checkpoint(path: str | Path) -> Path:
    """Finds the one checkpoint that a user means.

    Args:
        path: a prefix such as `folder/model.ckpt`, its `.index` file, or a folder with exactly one
            checkpoint.

    Returns:
        The prefix; the file with `.index` appended exists.

    Raises:
        UserError: when there is no checkpoint, or more than one in the folder.
    """
    path = Path(path)
    if path.suffix == ".index" and path.is_file():
        return path.with_suffix("")
    if index_path(path).is_file():
        return path
    if path.is_dir():
        found = sorted(path.glob("*.index"))
        if len(found) == 1:
            return found[0].with_suffix("")
        names = ": " + ", ".join(index.name[: -len(".index")] for index in found) if found else ""
        raise UserError(
            f"{path}: expected a folder with one checkpoint (PREFIX.index); found {len(found)}{names}"
        )
    reason = f"no such checkpoint; expected the file {index_path(path).name} in {path.parent}"
    if path.is_file():
        reason = (
            f"not a checkpoint's prefix, which is the name of its files without .index or .data-…; {reason}"
        )
    raise UserError(f"{path}: {reason}")


def index_path(prefix: Path) -> Path:
    """The index file of a checkpoint: `folder/model.ckpt` → `folder/model.ckpt.index`."""
    return prefix.parent / f"{prefix.name}.index"


def load_checkpoint(net: keras.Model, path: str | Path, published: PublishedNetwork) -> Path:
    """Reads a checkpoint's variables into a network, all of them or none.

    The state of the Adam optimizer and the step counter of a training run are passed over; every other
    variable that the network does not have is an error.

    Args:
        net: the network built to receive them.
        path: see `find_checkpoint`.
        published: which variable belongs to which of the network's layers.

    Returns:
        The checkpoint's prefix.

    Raises:
        UserError: when there is no such checkpoint; when it is damaged; when variables are missing,
            unexpected or of another shape or type (all of them are named); when values are not finite.
        ValueError: when `published` does not describe `net`.
    """
    prefix = find_checkpoint(path)
    targets = _targets(net, published)
    index = read_index(index_path(prefix))
    _check_variables(prefix, index, targets, published)
    _check_data_files(prefix, index)
    values = _read_values(prefix, targets)
    for name, variable in targets.items():
        variable.assign(values[name])
    return prefix


def _targets(net: keras.Model, published: PublishedNetwork) -> dict[str, tf.Variable]:
    """The network's variables by their published names."""
    owners = {layer.name: layer.weights for layer in net.layers if layer.weights}
    wanted = {layer: len(names) for layer, names in published.layers.items()}
    if {layer: len(weights) for layer, weights in owners.items()} != wanted:
        raise ValueError(f"{net.name} is not the network that {published} describes")
    return {
        name: variable
        for layer, names in published.layers.items()
        for name, variable in zip(names, owners[layer])
    }


def _check_variables(
    prefix: Path, index: Index, targets: dict[str, tf.Variable], published: PublishedNetwork
) -> None:
    """Compares names, shapes and types."""
    own = {name: entry for name, entry in index.entries.items() if not _is_optimizer(name, targets)}
    problems = []
    missing = [name for name in sorted(targets) if name not in own]
    unexpected = [printable(name) for name in sorted(own) if name not in targets]
    if missing:
        problems.append(f"missing {', '.join(missing)}")
    if unexpected:
        problems.append(f"unexpected {', '.join(unexpected)}")
    for name in sorted(own.keys() & targets.keys()):
        found = own[name].dtype.name, list(own[name].shape)
        expected = "float32", targets[name].shape.as_list()
        if found != expected:
            problems.append(f"{name} is {found[0]} {found[1]}, expected {expected[0]} {expected[1]}")
    if problems:
        others = " or ".join(str(other) for other in recognise(own) if other != published)
        hint = f" (these are the variables of {others})" if others else ""
        raise UserError(f"{prefix}: not a checkpoint of {published}: {'; '.join(problems)}{hint}")


def _is_optimizer(name: str, variables: Iterable[str]) -> bool:
    """Whether a variable is what Adam or a step counter adds to a checkpoint of these variables."""
    slot = _OPTIMISER_SLOT.fullmatch(name)
    return bool(slot and slot["variable"] in variables or _OPTIMISER_STATE.fullmatch(name))


def _check_data_files(prefix: Path, index: Index) -> None:
    """Compares the data files' lengths with what the index says of them."""
    ends: dict[int, int] = {}
    for entry in index.entries.values():
        ends[entry.shard] = max(ends.get(entry.shard, 0), entry.offset + entry.size)
    for shard, end in sorted(ends.items()):
        path = prefix.parent / f"{prefix.name}.data-{shard:05d}-of-{index.shards:05d}"
        if not path.is_file():
            raise UserError(f"{path}: this part of the checkpoint is missing")
        size = path.stat().st_size
        if size < end:
            raise UserError(f"{path}: truncated: {size} bytes, but the index expects {end}")


def _read_values(prefix: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Reads variables (TensorFlow verifies their checksums) and refuses NaN and infinity."""
    try:
        # Not `tf.train.load_checkpoint`, which takes a prefix that is also a folder's name for the folder.
        reader = tf.compat.v1.train.NewCheckpointReader(str(prefix))
        values = {name: reader.get_tensor(name) for name in names}
    except Exception as error:  # the reader raises anything from OpError to IndexError on damaged files
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"{prefix}: cannot be read as a checkpoint: {reason}") from error
    broken = [name for name, value in values.items() if not np.isfinite(value).all()]
    if broken:
        raise UserError(
            f"{prefix}: holds values that are not finite (NaN or infinity) in {', '.join(broken)}"
        )
    return values
