"""Networks that a stage is given: read, checked to be the right ones, and copied for training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tensorflow import keras

from kind.errors import UserError
from kind.nn.saving import load_net
from kind.training.layer_names import take_weights
from kind.training.run_folder import best_weights

Builders = Mapping[str, Callable[[], keras.Model]]
"""Architectures by the name of the network, see `kind.training.stage_spec.StageSpec.networks`."""


def load_given(
    run_or_file: str | Path,
    stage: str | None = None,
    builders: Builders | None = None,
    *,
    partly: bool = False,
) -> keras.Model:
    """Reads the trained network of a stage.

    Args:
        run_or_file: a run folder (its `best.keras`) or a `.keras` file.
        stage: whose network it must hold, see `kind.nn.saving.load_net`; None takes any.
        builders: of the architectures that can be trained on; None takes any.
        partly: see `kind.nn.saving.load_net`.

    Returns:
        The network, in inference form.

    Raises:
        UserError: when it cannot be read, or holds another network.
    """
    file = best_weights(run_or_file)
    net = load_net(file, stage, partly=partly)
    if builders is not None and net.name not in builders:
        raise UserError(f"{file}: holds {net.name!r}; expected {' or '.join(map(repr, builders))}")
    return net


def trainable_copy(net: keras.Model, builders: Builders) -> keras.Model:
    """A copy of a network to train, under the precision policy and the strategy in force.

    It is built anew rather than from the network's config, in which every layer of a saved network says
    float32, also those that compute in 16 bits under `--precision bfloat16`.

    Args:
        net: stays as it is.
        builders: has the network's name.

    Returns:
        A network of the same architecture and weights.

    Raises:
        UserError: when there is no builder of that name.
    """
    if net.name not in builders:
        raise UserError(f"holds {net.name!r}, which cannot be trained; expected {', '.join(builders)}")
    copy = builders[net.name]()
    take_weights(copy, net)
    return copy
