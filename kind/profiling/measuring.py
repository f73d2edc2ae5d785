"""Measures subjects against each other in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.public_checkout import networks_of_checkout
from benchmarks.public_networks import Builders, PublicGraph, networks_built_here, published_weights
from kind.enhancing.enhancer import Enhancer
from kind.enhancing.three_networks import KindEnhancer
from kind.enhancing.variants import DEFAULT_VARIANT
from kind.profiling.memory import peak_of
from kind.profiling.subjects import (
    PUBLIC,
    WHOLE,
    OurSubjects,
    Subject,
    operations,
    parameters,
    public_subjects,
)


class Row(NamedTuple):
    """One line of a profile.

    Attributes:
        height, width: of the image in pixels.
        network, implementation, precision: see `kind.profiling.subjects.Subject`.
        parameters: how many weights; None for the public graph, which is not looked into.
        flops: for one image, see `kind.profiling.operations`; None likewise.
        peak_mib: the most memory of a process that does nothing else, over that of the interpreter's
            start; None when it was not measured.
        seconds: for one image, the median of all rounds.
        frames_per_second: its inverse.
        speed_up: the public graph's seconds divided by these, the median over rounds; None without one.
    """

    height: int
    width: int
    network: str
    implementation: str
    precision: str
    parameters: int | None
    flops: int | None
    peak_mib: float | None
    seconds: float
    frames_per_second: float
    speed_up: float | None


class Plan(NamedTuple):
    """What is to be measured.

    Attributes:
        sizes: (height, width) of the images.
        precisions: "float32" or "bfloat16" each.
        variants: each in every precision.
        weights: see `Enhancer.load`.
        reference: folder of a checkout of the published code; None builds the public graph here.
        rounds: each subject runs once a round, one after another.
        with_public: whether the public graph is measured too.
        with_memory: whether memory is measured.
    """

    sizes: Sequence[tuple[int, int]]
    precisions: Sequence[str]
    variants: Sequence[str]
    weights: Path | None
    reference: Path | None
    rounds: int
    with_public: bool
    with_memory: bool


def profile(plan: Plan, progress: Callable[[str], None]) -> tuple[list[Row], str | None]:
    """Measures everything of a plan.

    Args:
        plan: what.
        progress: called with what is done next.

    Returns:
        The rows, and what the public graph is, None without one.

    Raises:
        UserError: when weights or the reference cannot be used.
    """
    builders = networks_of_checkout(plan.reference) if plan.reference else None
    enhancers = [
        Enhancer.load(plan.weights, precision, variant)
        for variant in plan.variants
        for precision in plan.precisions
    ]
    graph = public_graph(_published(enhancers, plan), builders) if plan.with_public else None
    ours = [OurSubjects(enhancer) for enhancer in enhancers]
    rows = []
    for height, width in plan.sizes:
        subjects = public_subjects(graph, height, width) if graph else []
        for ours_at in ours:
            subjects += ours_at(height, width)
        progress(f"{height}x{width}: {plan.rounds} rounds of {len(subjects)} measurements")
        seconds = _seconds(subjects, plan.rounds)
        counted, sizes = {}, {}
        for enhancer in enhancers[:: len(plan.precisions)]:
            counted |= operations(enhancer, height, width)
            sizes |= parameters(enhancer)
        scale = {s.network: times for s, times in zip(subjects, seconds) if s.implementation == PUBLIC}
        for subject, times in zip(subjects, seconds):
            is_ours = subject.implementation != PUBLIC
            if plan.with_memory:
                progress(f"{height}x{width}: memory of {' '.join(subject[:3])}")
            median = statistics.median(times)
            rows.append(
                Row(
                    height,
                    width,
                    *subject[:3],
                    parameters=sizes[subject.network] if is_ours else None,
                    flops=counted[subject.network] if is_ours else None,
                    peak_mib=_peak(plan, subject, height, width) if plan.with_memory else None,
                    seconds=median,
                    frames_per_second=1 / median,
                    speed_up=_ratio(scale.get(subject.network, scale[WHOLE]), times) if graph else None,
                )
            )
    return rows, graph.description if graph else None


def public_graph(enhancer: KindEnhancer, builders: Builders | None = None) -> PublicGraph:
    """The public graph with an enhancer's weights; without builders, they are `networks_built_here`."""
    weights = published_weights(enhancer.originals)
    return PublicGraph(builders or networks_built_here(weights), weights)


def _published(enhancers: Sequence[Enhancer], plan: Plan) -> KindEnhancer:
    """The networks that the public graph has too, whether they are measured or not."""
    found = [enhancer for enhancer in enhancers if isinstance(enhancer, KindEnhancer)]
    return found[0] if found else KindEnhancer.from_files(None, "float32")


def _seconds(subjects: Sequence[Subject], rounds: int) -> list[list[float]]:
    """Of every subject in every round; all take turns, so that a machine that slows down does so for all."""
    for subject in subjects:
        subject.run()  # builds graphs and kernels
    times: list[list[float]] = [[] for _ in subjects]
    for _ in range(rounds):
        for subject, found in zip(subjects, times):
            started = time.perf_counter()
            subject.run()
            found.append(time.perf_counter() - started)
    return times


def _ratio(scale: Sequence[float], times: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(scale, times))


def _peak(plan: Plan, subject: Subject, height: int, width: int) -> float:
    arguments = [
        f"--network={subject.network}",
        f"--implementation={subject.implementation}",
        f"--precision={subject.precision}",
        f"--variant={subject.variant}",
        f"--height={height}",
        f"--width={width}",
    ]
    has_weights = subject.implementation != PUBLIC or DEFAULT_VARIANT in plan.variants
    if plan.weights and has_weights:
        arguments.append(f"--weights={plan.weights.resolve()}")
    if plan.reference:
        arguments.append(f"--reference={plan.reference.resolve()}")
    return peak_of("kind.profiling.peak", arguments)
