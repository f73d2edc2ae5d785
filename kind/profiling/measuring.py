"""Measures subjects against each other in one run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from kind.enhancing.enhancer import Enhancer
from kind.profiling.device import gpu_peak
from kind.profiling.layers import Layer, layers_of
from kind.profiling.operations import cost_of
from kind.profiling.subjects import WHOLE, OurSubjects, Subject


class Row(NamedTuple):
    """One line of a profile.

    Attributes:
        height, width: of the image in pixels.
        network, implementation, precision: see `kind.profiling.subjects.Subject`.
        parameters: number of weights; None for a reference, whose weights are not counted.
        flops: for one image, see `kind.profiling.operations`; None likewise, and in 8 bits.
        bytes: that the operations read and write for one image, likewise.
        intensity: flops by bytes, likewise; None also where nothing is read.
        peak_mib: peak memory of a process that does nothing else, in MiB above that of the interpreter's
            start; None when it was not measured.
        seconds: for one image, the median of all rounds.
        frames_per_second: its inverse.
        speed_up: the reference's seconds divided by these, the median over rounds; None without a reference.
        gpu_mib: the most memory that TensorFlow held on the first GPU; None without one, and for a reference.
        layers: where the time goes, see `kind.profiling.layers`; empty unless it was asked for.
    """

    height: int
    width: int
    network: str
    implementation: str
    precision: str
    parameters: int | None
    flops: int | None
    bytes: int | None
    intensity: float | None
    peak_mib: float | None
    seconds: float
    frames_per_second: float
    speed_up: float | None
    gpu_mib: float | None
    layers: tuple[Layer, ...]


class Plan(NamedTuple):
    """What is to be measured.

    Attributes:
        sizes: (height, width) of the images.
        precisions: "float32" or "bfloat16" each.
        variants: each in every precision.
        weights: see `Enhancer.load`.
        rounds: each subject runs once a round, one after another.
        with_memory: whether memory is measured.
        by_layer: whether the time of layers is measured.
    """

    sizes: Sequence[tuple[int, int]]
    precisions: Sequence[str]
    variants: Sequence[str]
    weights: Path | None
    rounds: int
    with_memory: bool
    by_layer: bool = False


#: Makes what is measured for images of one height and width.
Maker = Callable[[int, int], Sequence[Subject]]


class Reference(NamedTuple):
    """Another implementation, which every line is compared with.

    Attributes:
        implementation: its name in the table; `subjects` have it.
        heading: of the column of ratios.
        description: one sentence for the notes.
        subjects: makes its subjects for images of one height and width; one of them is `WHOLE`.
    """

    implementation: str
    heading: str
    description: str
    subjects: Callable[[int, int], list[Subject]]


def profile(
    plan: Plan,
    progress: Callable[[str], None],
    reference: Reference | None = None,
    more: Callable[[Sequence[Enhancer]], Sequence[Maker]] = lambda enhancers: (),
) -> list[Row]:
    """Measures everything of a plan.

    Args:
        plan: what.
        progress: called with a line that says what is measured next.
        reference: measured too, in the same rounds.
        more: takes the enhancers, by variant and precision, and gives what is measured besides.

    Returns:
        For each size the reference's rows, then those of the variants, then `more`.

    Raises:
        UserError: when weights cannot be used.
    """
    enhancers = [
        Enhancer.load(plan.weights, precision, variant)
        for variant in plan.variants
        for precision in plan.precisions
    ]
    makers: list[Maker] = [OurSubjects(enhancer, plan.weights) for enhancer in enhancers]
    makers += more(enhancers)
    rows = []
    for height, width in plan.sizes:
        compared = reference.subjects(height, width) if reference else []
        subjects = [*compared, *(subject for make in makers for subject in make(height, width))]
        progress(f"{height}x{width}: {plan.rounds} rounds of {len(subjects)} measurements")
        seconds = _seconds(subjects, plan.rounds)
        scale = {subject.network: times for subject, times in zip(compared, seconds)}
        for subject, times in zip(subjects, seconds):
            speed_up = _ratio(scale.get(subject.network, scale[WHOLE]), times) if scale else None
            rows.append(_row(plan, (height, width), subject, times, speed_up, progress))
    return rows


def _row(
    plan: Plan,
    size: tuple[int, int],
    subject: Subject,
    times: Sequence[float],
    speed_up: float | None,
    progress: Callable[[str], None],
) -> Row:
    """What the line of one subject says beside its times: counts, memory, layers."""
    name = f"{size[0]}x{size[1]}: {{}} of {' '.join(subject[:3])}"
    operations = subject.count() if subject.count else None
    cost = cost_of(operations) if operations else None
    layers = ()
    if plan.by_layer and subject.seconds_by_layer:
        progress(name.format("layers"))
        layers = layers_of(subject.seconds_by_layer, operations or (), plan.rounds)
    if plan.with_memory:
        progress(name.format("memory"))
    median = statistics.median(times)
    return Row(
        *size,
        *subject[:3],
        parameters=subject.parameters,
        flops=cost and cost.flops,
        bytes=cost and cost.bytes,
        intensity=cost.flops / cost.bytes if cost and cost.bytes else None,
        peak_mib=subject.peak() if plan.with_memory else None,
        seconds=median,
        frames_per_second=1 / median,
        speed_up=speed_up,
        gpu_mib=gpu_peak(subject.seconds) if operations else None,
        layers=layers,
    )


def _seconds(subjects: Sequence[Subject], rounds: int) -> list[list[float]]:
    """Of every subject in every round; all take turns, so that a machine that slows down does so for all."""
    for subject in subjects:
        subject.seconds()  # builds graphs and kernels
    times: list[list[float]] = [[] for _ in subjects]
    for _ in range(rounds):
        for subject, found in zip(subjects, times):
            found.append(subject.seconds())
    return times


def _ratio(scale: Sequence[float], times: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(scale, times))
