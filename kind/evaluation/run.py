"""The loop over images and methods."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kind.errors import UserError
from kind.evaluation.methods import Method, Sample, file_digest
from kind.evaluation.results import Results, result_key
from kind.evaluation.scoring import Figures, Metrics, figures_of, outputs_by_protocol, read_sample

_PROGRESS_EVERY = 5.0


class Row(NamedTuple):
    """The figures of one image by one method under one protocol; `key` names the kept result."""

    image: str
    method: str
    protocol: str
    figures: Figures
    key: str


class Failure(NamedTuple):
    """An image that could not be scored, and the one line that says why."""

    image: str
    method: str
    reason: str


def evaluate(
    samples: Sequence[Sample], methods: Sequence[Method], metrics: Metrics, results: Results
) -> tuple[list[Row], list[Failure]]:
    """Scores every image by every method; what is kept from an earlier run is not computed again.

    Progress goes to stderr. An image that cannot be read or scored is recorded and the rest goes on.

    Args:
        samples: the images.
        methods: what enhances them.
        metrics: which figures.
        results: where figures are kept, image by image.

    Returns:
        Rows in the order of methods, then protocols, then samples; and failures.
    """
    rows: list[Row] = []
    failures: list[Failure] = []
    progress = _Progress(len(samples))
    for sample in samples:
        kept_before = len(results)
        scored, failed = _evaluate_one(sample, methods, metrics, results)
        rows += scored
        failures += failed
        progress.step(sample.name, computed=len(results) > kept_before or bool(failed))
    order = [method.name for method in methods]
    protocols = list(dict.fromkeys(row.protocol for row in rows))
    rows.sort(key=lambda row: (order.index(row.method), protocols.index(row.protocol)))
    return rows, failures


def _evaluate_one(
    sample: Sample, methods: Sequence[Method], metrics: Metrics, results: Results
) -> tuple[list[Row], list[Failure]]:
    """One image by every method; it is only decoded when some method lacks a kept result."""
    rows: list[Row] = []
    failures: list[Failure] = []
    try:
        digests = [file_digest(path) if path else "no target" for path in (sample.low, sample.high)]
        images = None
        for method in methods:
            key = result_key(*digests, _identity(method, sample), metrics.identity)
            figures = results.get(key)
            if figures is None:
                images = images or read_sample(sample)
                try:
                    figures = _score(method, sample, *images, metrics)
                except UserError as error:
                    failures.append(Failure(sample.name, method.name, str(error)))
                    continue
                results.add(key, sample.name, method.name, figures)
            rows += [Row(sample.name, method.name, protocol, row, key) for protocol, row in figures.items()]
    except UserError as error:  # the sample itself: no other method will fare better
        failures.append(Failure(sample.name, "", str(error)))
    return rows, failures


def _identity(method: Method, sample: Sample) -> str:
    try:
        return method.identity(sample)
    except UserError:  # an output that cannot be read: `enhance` will say so
        return f"unreadable {method.name}"


def _score(
    method: Method, sample: Sample, dark: np.ndarray, target: np.ndarray | None, metrics: Metrics
) -> dict[str, Figures]:
    outputs = outputs_by_protocol(method, sample, dark, target)
    return {name: figures_of(output, dark, target, metrics) for name, output in outputs.items()}


class _Progress:
    """Lines on stderr: images done, images a second, time left."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = self._computed = 0
        self._start = self._last = time.monotonic()

    def step(self, name: str, computed: bool) -> None:
        now = time.monotonic()
        self._done += 1
        self._computed += computed
        if self._done < self._total and now - self._last < _PROGRESS_EVERY:
            return
        self._last = now
        rate = self._computed / max(now - self._start, 1e-9)
        left = (self._total - self._done) / rate if rate else 0.0
        print(
            f"{self._done}/{self._total} images, {self._done - self._computed} kept from before, "
            f"{rate:.2f} images/s, {left:.0f} s left ({name})",
            file=sys.stderr,
        )
