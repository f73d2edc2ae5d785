"""What each line of `kind compare` costs: measured once, and kept for a later run of the same command."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kind.reports.comparison import Cost, Line
from kind.reports.results import Results, result_key

if TYPE_CHECKING:
    from tensorflow import keras

    from kind.enhancing.enhancer import Enhancer
    from kind.profiling.subjects import Subject

Size = tuple[int, int]
CHAIN = "relit image and boxes"


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
        from kind.profiling.subjects import OurSubjects

        identity = f"{enhancer.digests()} {enhancer.precision}"
        costs = self._of_subjects(identity, name, OurSubjects(enhancer, folder))
        return Line(name, _trained(enhancer), costs, {})

    def of_chain(
        self, name: str, enhancer: Enhancer | None, folder: Path | None, detector: keras.Model
    ) -> Line:
        """The line of the shipped detector alone (no enhancer), or of the relit image and its boxes."""
        from kind.cli.profiled_chain import ChainSubjects
        from kind.nn.saving import weights_digest
        from kind.profiling.subjects import trained_parameters

        own = enhancer and (enhancer.digests(), enhancer.precision)
        identity = f"{CHAIN} {weights_digest(detector)} {own}"
        costs = self._of_subjects(identity, name, ChainSubjects(enhancer, folder))
        return Line(name, trained_parameters(detector) + (_trained(enhancer) if enhancer else 0), costs, {})

    def _of_subjects(
        self, identity: str, name: str, subjects: Callable[[int, int], Sequence[Subject]]
    ) -> dict[str, Cost]:
        """By size, what the last of the subjects costs, which is the whole."""
        from kind.profiling.operations import cost_of

        def measure(size: Size) -> Cost:
            subject = subjects(*size)[-1]
            peak = subject.peak() if self._with_memory else None
            return Cost(cost_of(subject.count()).flops, self._median(subject.seconds), peak)

        return {_text(size): self._measured(identity, name, size, measure) for size in self._sizes}

    def _measured(self, identity: str, name: str, size: Size, measure: Callable[[Size], Cost]) -> Cost:
        settings = f"{self._rounds} {self._with_memory} {self._device}"
        key = result_key("cost", identity, _text(size), settings)
        found = self._kept.get(key)
        if found is None:
            found = measure(size)
            self._kept.add(key, _text(size), name, found._asdict())
        return found

    def _median(self, seconds: Callable[[], float]) -> float:
        seconds()  # builds graphs and kernels
        return statistics.median(seconds() for _ in range(self._rounds))


def _trained(enhancer: Enhancer) -> int:
    from kind.profiling.subjects import trained_parameters

    return sum(map(trained_parameters, enhancer.originals.values()))


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
