"""What is profiled: each network alone and the whole pipeline, as calls on random images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow import keras

from kind.enhancing.enhancer import Enhancer
from kind.nn.graphs import as_graph
from kind.profiling.calls import dark_image, random_inputs, timed
from kind.profiling.layers import seconds_by_layer
from kind.profiling.memory import peak_of
from kind.profiling.operations import Operation, count_operations

WHOLE = "whole"
#: What the table calls our own networks.
OURS = "kind"


class Subject(NamedTuple):
    """Something whose speed and memory are measured.

    Attributes:
        network: a stage, or `WHOLE`; "lite" is both.
        implementation: `OURS`, or the name of a reference.
        precision: "float32", "bfloat16" or "int8".
        seconds: runs it once on an image of the size that it was made for, and returns the time in seconds.
        peak: runs it in a process of its own, and returns that process's peak memory in MiB above that of
            the interpreter's start.
        count: counts its operations, see `kind.profiling.operations`; None for a reference.
        parameters: number of weights, moving statistics included; None likewise.
        seconds_by_layer: runs it once, and returns the seconds by layer and type of operation; None likewise.
    """

    network: str
    implementation: str
    precision: str
    seconds: Callable[[], float]
    peak: Callable[[], float]
    count: Callable[[], list[Operation]] | None = None
    parameters: int | None = None
    seconds_by_layer: Callable[[], Counter[tuple[str, str]]] | None = None


class OurSubjects:
    """The networks as they compute in the pipeline, and the pipeline with the relit image only."""

    def __init__(self, enhancer: Enhancer, weights: Path | None = None) -> None:
        """Makes one graph for all sizes of each network, as the pipeline has one.

        Args:
            enhancer: whose networks are measured.
            weights: the folder that it was loaded from, for the processes that measure memory.
        """
        self._enhancer, self._weights = enhancer, weights
        parts = enhancer.networks if len(enhancer.networks) > 1 else {}
        self._graphs = {stage: _graph(net) for stage, net in parts.items()}

    def __call__(self, height: int, width: int) -> list[Subject]:
        """What is to be measured for images of one size."""
        calls = self.calls(height, width)
        sizes = parameters(self._enhancer)
        return [
            Subject(
                network,
                OURS,
                self._enhancer.precision,
                partial(timed, call),
                partial(self._peak, network, height, width),
                partial(counted, self._enhancer, network, height, width),
                sizes[network],
                partial(seconds_by_layer, call),
            )
            for network, call in calls.items()
        ]

    def calls(self, height: int, width: int) -> dict[str, Callable[[], object]]:
        """By network: runs it once on a random image of that size, and waits for the result."""
        calls = {}
        for stage, graph in self._graphs.items():
            channels = [tensor.shape[-1] for tensor in self._enhancer.originals[stage].inputs]
            calls[stage] = partial(graph, *map(tf.constant, random_inputs(height, width, *channels)))
        image = dark_image(height, width)
        return {**calls, pipeline_name(self._enhancer): partial(self._relit, image)}

    def _relit(self, image: np.ndarray) -> np.ndarray:
        return np.asarray(self._enhancer(image, parts=("relit",)).relit)

    def _peak(self, network: str, height: int, width: int) -> float:
        arguments = [
            f"--network={network}",
            f"--precision={self._enhancer.precision}",
            f"--variant={self._enhancer.variant}",
            f"--height={height}",
            f"--width={width}",
        ]
        if self._weights:
            arguments.append(f"--weights={self._weights.resolve()}")
        return peak_of("kind.profiling.peak", arguments)


def counted(enhancer: Enhancer, network: str, height: int, width: int) -> list[Operation]:
    """The operations of one image, see `kind.profiling.operations`; tiles are not counted twice.

    Args:
        enhancer: in whose precision.
        network: a stage, or `WHOLE`; "lite" is both.
        height: of the image.
        width: of the image.
    """
    if network == pipeline_name(enhancer):
        exact = type(enhancer)(**enhancer.originals, precision=enhancer.precision)  # as published
        return count_operations(lambda image: exact(image, parts=("relit",)).relit, (1, height, width, 3))
    net = enhancer.networks[network]
    shapes = [(1, height, width, tensor.shape[-1]) for tensor in net.inputs]
    return count_operations(lambda *inputs: _called(net, inputs), *shapes)


def parameters(enhancer: Enhancer) -> dict[str, int]:
    """Weights by network, moving statistics included."""
    counts = {stage: net.count_params() for stage, net in enhancer.originals.items()}
    return {**counts, pipeline_name(enhancer): sum(counts.values())}


def trained_parameters(net: keras.Model) -> int:
    """Weights that training makes, those of frozen layers included; moving statistics are none."""
    norms = [layer for layer in net.submodules if isinstance(layer, keras.layers.BatchNormalization)]
    statistics = [values for norm in norms for values in (norm.moving_mean, norm.moving_variance)]
    return net.count_params() - sum(values.shape.num_elements() for values in statistics)


def pipeline_name(enhancer: Enhancer) -> str:
    """What the pipeline's line is called: a single network's own name, `WHOLE` of several."""
    return WHOLE if len(enhancer.originals) > 1 else next(iter(enhancer.originals))


def _graph(net) -> Callable:
    signature = [tf.TensorSpec([None, None, None, tensor.shape[-1]]) for tensor in net.inputs]
    return as_graph(lambda *values: _called(net, values), signature).get_concrete_function()


def _called(net, values):
    return net(values[0] if len(values) == 1 else list(values), training=False)
