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
    "exposure": Interface((3, 1), (8, 1)),
    "lite": Interface((3,), (3, 1, 1)),
}
"""Of stages that take any network with these channels; other stages go by the network's name."""


_PLAIN = ("Functional", "Network", "Sequential")
_OF_DETECTORS = "detection>"
"""How Keras's names of the layers begin that only detectors have."""
_JOINED = "joint"
"""Name of the three networks of `kind.joint` as one, which has the channels of a restoration."""


class WrongNetwork(ValueError):
    """A network of another interface than its stage's; the message names both, but no file."""


def check_interface(net: keras.Model, stage: str) -> None:
    """Refuses a network that cannot be a stage's.

    Args:
        net: any network.
        stage: whose it must be; one that is not in `INTERFACES` checks the network itself.

    Raises:
        WrongNetwork: when it takes or gives other numbers of channels, or anything but lists of images; says
            what to do with a network of the stage's own name, which another version made.
    """
    if stage not in INTERFACES:
        return
    found = interface_of(net)
    is_image = all(tensor.shape.rank == 4 for tensor in net.inputs)
    if found != INTERFACES[stage] or not is_image or net.name == _JOINED:
        is_of_another_version = net.name == stage
        advice = f"; train it anew: kind train {stage}" if is_of_another_version else ""
        expected = f"expected {stage} ({INTERFACES[stage]})"
        raise WrongNetwork(f"holds {shown(net.name)} ({found}); {expected}{advice}")


def check_class(config: object, stage: str) -> None:
    """Refuses the config of a detector, or of other networks of a class of their own, in a stage's place.

    Args:
        config: what `config.json` holds, parsed.
        stage: a key of `INTERFACES`, or another stage whose network is a plain graph, such as "joint".

    Raises:
        WrongNetwork: naming the class, or the network that a detector is part of.
    """
    expected = f"{stage} ({INTERFACES[stage]})" if stage in INTERFACES else stage
    if not isinstance(config, dict):
        return
    name, inner = config.get("class_name"), config.get("config")
    if isinstance(name, str) and name not in _PLAIN:
        raise WrongNetwork(f"holds a {shown(name)}; expected {expected}")
    inner = inner if isinstance(inner, dict) else {}
    layers = inner.get("layers")
    for layer in layers if isinstance(layers, list) else ():
        registered = layer.get("registered_name") if isinstance(layer, dict) else None
        if isinstance(registered, str) and registered.startswith(_OF_DETECTORS):
            raise WrongNetwork(f"holds {shown(inner.get('name'))}; expected {expected}")


def interface_of(net: keras.Model) -> Interface:
    """What a network takes and gives."""
    channels = (
        tuple(tensor.shape[-1] if tensor.shape.rank else None for tensor in part)
        for part in (net.inputs, net.outputs)
    )
    return Interface(*channels)
