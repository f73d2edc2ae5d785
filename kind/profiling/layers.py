"""Where the time of a network goes: seconds of each layer, from TensorFlow's profiler."""

from __future__ import annotations

import re
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from kind.profiling.operations import Operation

# The profiler calls what an operation's kernel does "layer/name:Type"; its other events have no such names.
_KERNEL = re.compile(r"(?P<name>[\w./>-]+):_?(?P<type>[A-Z]\w*)")
_HOST = "/host:CPU"
_CALLS = frozenset("If PartitionedCall StatefulPartitionedCall StatelessIf While".split())  # hold others
#: What stands for everything that is not among the largest.
OTHERS = "all others"
#: What stands for all layers together.
ALL = "all layers"

_TYPES, _LAYERS = 8, 12  # how many of the largest are shown


class Layer(NamedTuple):
    """The operations of one type in one layer.

    Attributes:
        name: of the layer, with the names of the layers that it is in.
        type: of the operations as they run, after TensorFlow has joined some into one: "FusedConv2D".
        seconds: of all, the median over the rounds.
        share: of the seconds of all layers.
        flops: of the layer, see `kind.profiling.operations`; None where it has none or is not found there.
    """

    name: str
    type: str
    seconds: float
    share: float
    flops: int | None


def seconds_by_layer(call: Callable[[], object]) -> Counter[tuple[str, str]]:
    """Runs something once under TensorFlow's profiler, on the CPU.

    Args:
        call: has run before, so that nothing is built.

    Returns:
        Seconds by layer and type of operation. Operations that run side by side count fully each.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder, options):
            call()
        space = xplane_pb2.XSpace()
        for path in Path(folder).rglob("*.xplane.pb"):
            space.MergeFromString(path.read_bytes())
    seconds: Counter[tuple[str, str]] = Counter()
    for plane in space.planes:
        if plane.name == _HOST:
            for line in plane.lines:
                for event in line.events:
                    _add(plane.event_metadata[event.metadata_id].name, event.duration_ps * 1e-12, seconds)
    return seconds


def _add(event: str, seconds: float, found: Counter[tuple[str, str]]) -> None:
    kernel = _KERNEL.fullmatch(event)
    if not kernel or kernel["type"] in _CALLS:
        return
    name, plain = kernel["name"], kernel["type"].removeprefix("Mkl").removeprefix("Native")
    found[name.rpartition("/")[0] or name, plain] += seconds


def layers_of(
    measured: Callable[[], Counter[tuple[str, str]]], operations: Iterable[Operation], rounds: int
) -> tuple[Layer, ...]:
    """Where the time of a network goes.

    Args:
        measured: runs it once, and gives its seconds by layer and type of operation, see `seconds_by_layer`.
        operations: of the network; none where they are not counted.
        rounds: how often it runs, of which the medians count.

    Returns:
        The types of operations that take longest in all layers together, then the layers that take longest,
        each with a last line, `OTHERS`, for what is left; the types alone where no layer has a name.
    """
    runs = [measured() for _ in range(rounds)]
    seconds = {key: statistics.median(run[key] for run in runs) for key in dict.fromkeys(chain(*runs))}
    by_type: Counter[tuple[str, str]] = Counter()
    for (_, kind), taken in seconds.items():
        by_type[ALL, kind] += taken
    by_layer: Counter[str] = Counter()
    for operation in operations:
        by_layer[operation.layer] += operation.flops
    named = {key: taken for key, taken in seconds.items() if key[0] != ALL}
    return (*largest(by_type, {}, _TYPES), *largest(named, by_layer, _LAYERS))


def largest(seconds: Mapping[tuple[str, str], float], flops: Mapping[str, int], count: int) -> list[Layer]:
    """The layers that take longest.

    Args:
        seconds: see `seconds_by_layer`.
        flops: by layer.
        count: of them.

    Returns:
        So many, the longest first, and one line, `OTHERS`, for what is left.
    """
    total = sum(seconds.values())
    order = sorted(seconds.items(), key=lambda item: -item[1])
    layers = [
        Layer(name, kind, taken, taken / total, _arithmetic(flops, name, kind))
        for (name, kind), taken in order[:count]
    ]
    if rest := sum(taken for _, taken in order[count:]):
        layers.append(Layer(OTHERS, "", rest, rest / total, None))
    return layers


def _arithmetic(flops: Mapping[str, int], name: str, kind: str) -> int | None:
    """Of a convolution or a product; what else a layer does costs next to nothing beside it."""
    return (flops.get(name) or None) if "Conv" in kind or "MatMul" in kind else None
