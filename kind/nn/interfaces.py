"""What each stage's network takes and gives, so that a network in another's place is named at once."""

from __future__ import annotations

from typing import NamedTuple

from tensorflow import keras

from kind.nn.file_schema import shown


class Interface(NamedTuple):
    """Channels of a network's tensors, in their order.

    Attributes:
        inputs: of what it takes.
        outputs: of what it gives.
    """

    inputs: tuple[int | None, ...]
    outputs: tuple[int | None, ...]

    def __str__(self) -> str:
        """Such as "3 → 3+1 channels"."""
        return " → ".join("+".join(map(str, part)) for part in self) + " channels"


INTERFACES = {
    "decom": Interface((3,), (3, 1)),
    "restoration": Interface((3, 1), (3,)),
    "illumination": Interface((1, 1), (1,)),
    "lite": Interface((3,), (3, 1, 1)),
}
"""The networks of all stages that enhance, by the name of their files."""


class WrongNetwork(ValueError):
    """A network of another interface than its stage's; the message names both, but no file."""


def check_interface(net: keras.Model, stage: str) -> None:
    """Refuses a network that cannot be a stage's.

    Args:
        net: any network.
        stage: a key of `INTERFACES`.

    Raises:
        WrongNetwork: when it takes or gives other numbers of channels, or anything but lists of images.
    """
    found = interface_of(net)
    if found != INTERFACES[stage] or any(tensor.shape.rank != 4 for tensor in net.inputs):
        raise WrongNetwork(f"holds {shown(net.name)} ({found}); expected {stage} ({INTERFACES[stage]})")


def interface_of(net: keras.Model) -> Interface:
    """What a network takes and gives."""
    channels = (
        tuple(tensor.shape[-1] if tensor.shape.rank else None for tensor in part)
        for part in (net.inputs, net.outputs)
    )
    return Interface(*channels)
