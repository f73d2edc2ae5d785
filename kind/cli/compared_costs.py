"""What each line of `kind compare` costs: measured once, and kept for a later run of the same command."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kind.reports.comparison import Cost, Line
from kind.reports.results import Results, result_key

if TYPE_CHECKING:
    from kind.enhancing.enhancer import Enhancer

Size = tuple[int, int]
CHAIN = "detect"


def open_costs(folder: Path, *, fresh: bool) -> Results:
    """Costs that an earlier run left in a folder."""
    return Results(folder / "costs.jsonl", field="cost", parse=_cost, fresh=fresh)


def _cost(content: Any) -> Cost:
    return Cost(*(None if one is None else float(one) for one in (content[name] for name in Cost._fields)))


class Costs:
    """Measures enhancers on random images of some sizes."""

    def __init__(
        self, sizes: Sequence[Size], kept: Results, rounds: int, device: str, *, with_memory: bool
    ) -> None:
        """Takes what is measured.

        Args:
            sizes: heights and widths.
            kept: see `open_costs`.
            rounds: runs of each, of which the median is taken.
            device: what computes; figures of another one are not taken for this one's.
            with_memory: start a process for each figure of memory.
        """
        self._sizes, self._kept, self._rounds = sizes, kept, rounds
        self._device, self._with_memory = device, with_memory

    def of_enhancer(self, name: str, enhancer: Enhancer, folder: Path | None) -> Line:
        """The line of an enhancer, without scores."""
        from kind.profiling.operations import cost_of
        from kind.profiling.subjects import OurSubjects, parameters

        subjects = OurSubjects(enhancer, folder)
        costs = {}
        for size in self._sizes:

            def measure(size=size) -> Cost:
                subject = subjects(*size)[-1]  # the whole pipeline
                flops = cost_of(subject.count()).flops
                peak = subject.peak() if self._with_memory else None
                return Cost(flops, self._median(subject.seconds), peak)

            costs[_text(size)] = self._measured(
                f"{enhancer.digests()} {enhancer.precision}", name, size, measure
            )
        return Line(name, max(parameters(enhancer).values()), costs, {})

    def of_chain(self, name: str, enhancer: Enhancer | None, detector: Any, digest: str) -> Line:
        """The line of a detector alone (no enhancer), or of the chain of both."""
        from kind.detection.inputs import detector_input
        from kind.detection.predictor import Predictor
        from kind.profiling.subjects import parameters, random_inputs, timed

        find = Predictor(detector)

        def detect(image: np.ndarray) -> None:
            find(image[0] if enhancer is None else detector_input(enhancer, image, "reflectance")[0])

        costs = {}
        for size in self._sizes:

            def measure(size=size) -> Cost:
                (image,) = random_inputs(*size, 3)
                return Cost(None, self._median(partial(timed, partial(detect, image))), None)

            identity = f"{CHAIN} {digest} {enhancer and (enhancer.digests(), enhancer.precision)}"
            costs[_text(size)] = self._measured(identity, name, size, measure)
        more = max(parameters(enhancer).values()) if enhancer else 0
        return Line(name, detector.count_params() + more, costs, {})

    def _measured(self, identity: str, name: str, size: Size, measure: Callable[[], Cost]) -> Cost:
        settings = f"{self._rounds} {self._with_memory} {self._device}"
        key = result_key("cost", identity, _text(size), settings)
        found = self._kept.get(key)
        if found is None:
            found = measure()
            self._kept.add(key, _text(size), name, found._asdict())
        return found

    def _median(self, seconds: Callable[[], float]) -> float:
        seconds()  # builds graphs and kernels
        return statistics.median(seconds() for _ in range(self._rounds))


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
