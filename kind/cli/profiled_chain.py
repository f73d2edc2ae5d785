"""Lines of `kind profile` for the shipped detector alone, and for enhancing and detecting together.

As a module it prints the peak memory of one such line: `python -m kind.cli.profiled_chain`, which
`kind profile` starts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kind.profiling.memory import peak_of, print_peak

if TYPE_CHECKING:
    import numpy as np

    from kind.enhancing.enhancer import Enhancer
    from kind.profiling.operations import Operation
    from kind.profiling.subjects import Subject


class ChainSubjects:
    """The detector on a random image, or the relit image and boxes on the detector's default input."""

    def __init__(self, enhancer: Enhancer | None, weights: Path | None = None) -> None:
        """Loads the detector that ships.

        Args:
            enhancer: makes the relit image and the detector's input; None is the detector alone.
            weights: the folder that it was loaded from, for the processes that measure memory.

        Raises:
            UserError: when no detector ships with this installation.
        """
        from kind.detection.predictor import Predictor, load_detector

        self._enhancer, self._weights = enhancer, weights
        self._net = load_detector()
        self._find = Predictor(self._net)

    def __call__(self, height: int, width: int) -> list[Subject]:
        """What is to be measured for images of one size."""
        from kind.profiling.calls import timed
        from kind.profiling.subjects import OURS, Subject, parameters, pipeline_name

        enhancer, name, precision, more = self._enhancer, "detector", "float32", 0
        if enhancer is not None:
            name, precision = f"{pipeline_name(enhancer)} + {name}", enhancer.precision
            more = parameters(enhancer)[pipeline_name(enhancer)]
        return [
            Subject(
                name,
                OURS,
                precision,
                partial(timed, self.call(height, width)),
                partial(self._peak, height, width),
                partial(self._count, height, width),
                self._net.count_params() + more,
            )
        ]

    def call(self, height: int, width: int) -> Callable[[], object]:
        """Runs it once on a random image of that size, and waits for the boxes."""
        from kind.profiling.calls import dark_image

        image = dark_image(height, width)
        return lambda: self._find(self._seen(image)[0])

    def _seen(self, images: np.ndarray) -> np.ndarray:
        from kind.detection.inputs import DEFAULT_INPUT, detector_inputs

        if self._enhancer is None:
            return images
        return detector_inputs(self._enhancer, images, (DEFAULT_INPUT, "relit"))[DEFAULT_INPUT]

    def _count(self, height: int, width: int) -> list[Operation]:
        """The enhancer, and the detector on its canvas; resizing and suppression are little beside them."""
        import tensorflow as tf

        from kind.detection.letterbox import letterbox
        from kind.profiling.operations import count_operations
        from kind.profiling.subjects import counted, pipeline_name

        canvas = letterbox(tf.zeros((1, height, width, 3)), self._net.input_size).images.shape
        found = count_operations(lambda images: self._net(images, training=False), tuple(canvas))
        enhancer = self._enhancer
        return (
            found if enhancer is None else counted(enhancer, pipeline_name(enhancer), height, width) + found
        )

    def _peak(self, height: int, width: int) -> float:
        arguments = [f"--height={height}", f"--width={width}"]
        if self._enhancer is not None:
            arguments += [f"--variant={self._enhancer.variant}", f"--precision={self._enhancer.precision}"]
        if self._weights:
            arguments.append(f"--weights={self._weights.resolve()}")
        return peak_of("kind.cli.profiled_chain", arguments)


def with_detector(enhancers: Sequence[Enhancer], weights: Path | None) -> list[ChainSubjects]:
    """The detector alone, then behind each enhancer."""
    return [ChainSubjects(enhancer, weights) for enhancer in (None, *enhancers)]


def main() -> None:
    """Runs one line and prints its peak resident memory in MiB above that of the interpreter's start."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--height", "--width"):
        parser.add_argument(name, type=int, required=True)
    for name in ("--variant", "--precision", "--weights"):
        parser.add_argument(name)
    print_peak(partial(_prepared, parser.parse_args()))


def _prepared(flags: argparse.Namespace) -> Callable[[], object]:
    from kind.enhancing.enhancer import Enhancer

    enhancer = Enhancer.load(flags.weights, flags.precision, flags.variant) if flags.variant else None
    return ChainSubjects(enhancer).call(flags.height, flags.width)


if __name__ == "__main__":
    main()
