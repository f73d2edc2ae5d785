"""What is profiled: each network alone and the whole pipeline, as calls on random images."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks.public_networks import PublicGraph
from kind.enhancing.enhancer import Enhancer
from kind.enhancing.three_networks import DEFAULT_ALPHA, STAGES
from kind.enhancing.variants import DEFAULT_VARIANT
from kind.profiling.operations import count_operations

WHOLE = "whole"
PUBLIC = "public graph"

#: Channels of what each network takes.
_CHANNELS = {"decom": (3,), "restoration": (3, 1), "illumination": (1, 1)}


class Subject(NamedTuple):
    """Something whose speed is measured.

    Attributes:
        network: a stage, or `WHOLE`; "lite" is both.
        implementation: "kind" or `PUBLIC`.
        precision: "float32" or "bfloat16".
        variant: whose networks it needs, one of `kind.enhancing.variants.VARIANTS`.
        run: does it once for an image of the size that it was made for, and waits for the result.
    """

    network: str
    implementation: str
    precision: str
    variant: str
    run: Callable[[], object]


class OurSubjects:
    """The networks as they compute in the pipeline, and the pipeline with the relit image only."""

    def __init__(self, enhancer: Enhancer) -> None:
        """Makes a graph for all sizes of each network, as the pipeline has one."""
        self._enhancer = enhancer
        parts = enhancer.networks if len(enhancer.networks) > 1 else {}
        self._graphs = {stage: _graph(net) for stage, net in parts.items()}

    def __call__(self, height: int, width: int) -> list[Subject]:
        """What is to be measured for images of one size."""
        how = "kind", self._enhancer.precision, self._enhancer.variant
        subjects = []
        for stage, graph in self._graphs.items():
            inputs = map(tf.constant, _random(height, width, *_CHANNELS[stage]))
            subjects.append(Subject(stage, *how, _call(graph, *inputs)))
        (image,) = _random(height, width, 3)
        return [*subjects, Subject(_whole(self._enhancer), *how, lambda: self._relit(image))]

    def _relit(self, image: np.ndarray) -> np.ndarray:
        return np.asarray(self._enhancer(image, parts=("relit",)).relit)


def public_subjects(graph: PublicGraph, height: int, width: int) -> list[Subject]:
    """The same of the public graph; its whole is one run, from the stretched image to the product."""
    how = PUBLIC, "float32", DEFAULT_VARIANT
    subjects = [
        Subject(stage, *how, _call(graph.run, stage, *_random(height, width, *_CHANNELS[stage])))
        for stage in STAGES
    ]
    (image,) = _random(height, width, 3)
    plane = np.full((1, height, width, 1), DEFAULT_ALPHA, np.float32)
    return [*subjects, Subject(WHOLE, *how, _call(graph.run, WHOLE, image, plane))]


def operations(enhancer: Enhancer, height: int, width: int) -> dict[str, int]:
    """FLOPs by network for one image, see `kind.profiling.operations`; tiles are not counted twice."""
    counts = {}
    for stage, net in enhancer.originals.items():
        shapes = [(1, height, width, tensor.shape[-1]) for tensor in net.inputs]
        counts[stage] = _flops(lambda *inputs, net=net: _called(net, inputs), shapes)
    exact = type(enhancer)(**enhancer.originals)
    relit = _flops(lambda image: exact(image, parts=("relit",)).relit, [(1, height, width, 3)])
    return {**counts, _whole(enhancer): relit}


def parameters(enhancer: Enhancer) -> dict[str, int]:
    """Weights by network, moving statistics included."""
    counts = {stage: net.count_params() for stage, net in enhancer.originals.items()}
    return {**counts, _whole(enhancer): sum(counts.values())}


def _whole(enhancer: Enhancer) -> str:
    """What the pipeline's line is called: a single network's own name, `WHOLE` of several."""
    return WHOLE if len(enhancer.originals) > 1 else next(iter(enhancer.originals))


def _flops(function: Callable, shapes: list[tuple[int, ...]]) -> int:
    return sum(count_operations(function, *shapes).values())


def _graph(net) -> Callable:
    signature = [tf.TensorSpec([None, None, None, tensor.shape[-1]]) for tensor in net.inputs]
    function = tf.function(lambda *values: _called(net, values), input_signature=signature)
    return function.get_concrete_function()


def _called(net, values):
    return net(values[0] if len(values) == 1 else list(values), training=False)


def _call(function: Callable, *arguments) -> Callable[[], object]:
    return lambda: function(*arguments)


def _random(height: int, width: int, *channels: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.random((1, height, width, count), np.float32) for count in channels]
