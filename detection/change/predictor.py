"""Change detection at work: a network read from a file, and run on photographs of any size."""

from __future__ import annotations

from pathlib import Path

from tensorflow import keras

from kind.detection.change.model import NAME
from kind.errors import UserError
from kind.nn.saving import SHIPPED_WEIGHTS, load_net
from kind.training.run_folder import best_weights

SHIPPED = SHIPPED_WEIGHTS / "change.keras"


def load_change_net(path: str | Path | None = None) -> keras.Model:
    """Reads a network of change detection.

    Args:
        path: a `.keras` file or the run folder of a training; None: the network that ships.

    Returns:
        The network, see `detection.change.model.change_net`.

    Raises:
        UserError: when the file is missing, damaged, or another kind of network.
    """
    if path is None and not SHIPPED.is_file():
        raise UserError("no network of change detection ships with this installation: give --network FILE")
    file = SHIPPED if path is None else best_weights(path)
    net = load_net(file)
    if net.name != NAME or [tensor.shape[-1] for tensor in net.inputs] != [3, 3]:
        raise UserError(f"{file}: holds the network {net.name!r}; expected one of the stage change")
    return net
