"""The loop over images and methods."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from kind.errors import UserError
from kind.evaluation.methods import Method, Sample, file_digest
from kind.evaluation.scoring import Figures, Metrics, figures_of, outputs_by_protocol, read_sample
from kind.reports.progress import Progress
from kind.reports.results import Results, result_key


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

    Progress goes to stderr. An image that cannot be read or scored is recorded, and the others are scored.

    Args:
        samples: the images.
        methods: what enhances them.
        metrics: which figures.
        results: where figures are kept, image by image; see `kept_figures`.

    Returns:
        Rows in the order of methods, then protocols, then samples; and failures.
    """
    rows: list[Row] = []
    failures: list[Failure] = []
    kept = 0
    with Progress("images") as progress:
        for done, sample in enumerate(samples, 1):
            kept_before = len(results)
            scored, failed = _evaluate_one(sample, methods, metrics, results)
            rows += scored
            failures += failed
            kept += len(results) == kept_before and not failed
            progress(done, len(samples), kept)
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


def _figures_by_protocol(content: Any) -> dict[str, Figures]:
    """Figures from JSON; AttributeError, TypeError or ValueError when it is something else."""
    return {
        protocol: {name: None if value is None else float(value) for name, value in row.items()}
        for protocol, row in content.items()
    }


kept_figures = partial(Results, field="figures", parse=_figures_by_protocol)
"""The file (`path`, and `fresh=True` to forget what is in it) that `evaluate` keeps its results in."""


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
