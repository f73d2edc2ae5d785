"""What is profiled in 8 bits: the pipeline with the relit image only, by OpenVINO; imports no TensorFlow."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from kind.enhancing.fast.loading import load_fast
from kind.enhancing.precision import INT8
from kind.enhancing.variants import VARIANTS
from kind.profiling.calls import dark_image, timed
from kind.profiling.memory import peak_of

if TYPE_CHECKING:
    import openvino

    from kind.enhancing.fast.enhancer import FastEnhancer
    from kind.profiling.subjects import Subject


class EightBitSubjects:
    """The line of one variant. Its operations, of a graph of its own, are not counted."""

    def __init__(self, variant: str, weights: Path | None = None) -> None:
        """Loads the networks.

        Args:
            variant: of `kind.enhancing.variants`.
            weights: see `kind.enhancing.enhancer.Enhancer.load`.

        Raises:
            UserError: as `kind.enhancing.fast.loading.load_fast`.
        """
        self._enhancer, self._variant, self._weights = load_fast(weights, variant), variant, weights

    def __call__(self, height: int, width: int) -> list[Subject]:
        """What is to be measured for images of one size."""
        from kind.profiling.subjects import OURS, WHOLE, Subject

        stages = VARIANTS[self._variant].stages
        arrays = chain.from_iterable(chain(*(self._enhancer.weights[stage].values() for stage in stages)))
        return [
            Subject(
                WHOLE if len(stages) > 1 else self._variant,
                OURS,
                INT8,
                partial(timed, self.call(height, width)),
                partial(self._peak, height, width),
                parameters=sum(array.size for array in arrays),
                seconds_by_layer=partial(self._seconds_by_type, height, width),
            )
        ]

    def call(self, height: int, width: int) -> Callable[[], object]:
        """Runs it once on a random image of that size, and waits for the result."""
        return partial(self._enhancer, dark_image(height, width)[0])

    def _peak(self, height: int, width: int) -> float:
        arguments = [f"--variant={self._variant}", f"--precision={INT8}", f"--network={self._variant}"]
        arguments += [f"--height={height}", f"--width={width}"]
        if self._weights:
            arguments.append(f"--weights={self._weights.resolve()}")
        return peak_of("kind.profiling.peak", arguments)

    def _seconds_by_type(self, height: int, width: int) -> Counter[tuple[str, str]]:
        from kind.profiling.layers import ALL

        image = dark_image(height, width)[0]
        self._timed(image)  # compiles
        self._timed.seconds.clear()
        self._timed.outside("border, copies", self._timed, image)
        return Counter({(ALL, kind): taken for kind, taken in self._timed.seconds.items()})

    @cached_property
    def _timed(self) -> FastEnhancer:
        """The same networks with a clock in them, which costs time."""
        enhancer = _with_clock(type(self._enhancer))(self._enhancer.files)
        enhancer.ranges = self._enhancer.ranges
        return enhancer


def _with_clock(kind: type[FastEnhancer]) -> type[FastEnhancer]:
    class WithClock(kind):
        """Counts in `seconds` what each type of operation takes, and what is done outside the graphs."""

        def __init__(self, files) -> None:
            self.seconds: Counter[str] = Counter()
            super().__init__(files)

        def compiled(self, model):
            return _Clocked(super().compiled(model, PERF_COUNT=True), self)

        def judged(self, image):
            return self.outside("thumbnail, histogram", super().judged, image)

        def inputs(self, *arguments):
            return self.outside("inputs of the graph", super().inputs, *arguments)

        def pixels_of(self, result):
            return self.outside("pixels of the result", super().pixels_of, result)

        def outside(self, name: str, function: Callable, *arguments):
            """Calls a function, and counts its time without what is counted already within it."""
            before, started = sum(self.seconds.values()), time.perf_counter()
            result = function(*arguments)
            counted = sum(self.seconds.values()) - before
            self.seconds[f"outside: {name}"] += max(time.perf_counter() - started - counted, 0.0)
            return result

    return WithClock


class _Clocked:
    """A compiled graph that counts the seconds of its operations."""

    def __init__(self, graph: openvino.CompiledModel, clock) -> None:
        self.inputs, self.release_memory = graph.inputs, graph.release_memory
        self._request, self._clock = graph.create_infer_request(), clock

    def __call__(self, inputs):
        return self._clock.outside("calls of the engine", self._infer, inputs)

    def _infer(self, inputs):
        results = self._request.infer(inputs)
        for operation in self._request.profiling_info:
            precision = operation.exec_type.rpartition("_")[2].lower()  # "brgconv_avx512_I8"
            kind = f"{operation.node_type} {precision}".strip()
            self._clock.seconds[kind] += operation.real_time.total_seconds()
        return results
