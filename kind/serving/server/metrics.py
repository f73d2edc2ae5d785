"""Prometheus metrics under TensorFlow Serving's names."""

from __future__ import annotations

import re

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST

_MICROSECONDS = 1e6
_LATENCIES = [10 * 1.8**power for power in range(33)]
_QUEUING = [100 * 1.2**power for power in range(52)]
_POWERS_OF_TWO = [2.0**power for power in range(15)]

# prometheus_client appends _total to counters and adds _created series; TensorFlow Serving does neither.
_SUFFIX = re.compile(
    rb"^((?:# (?:HELP|TYPE) )?:tensorflow:\S+?)(?<!example_count)_total(?=[ {])", re.MULTILINE
)
_CREATED = re.compile(rb"^(?:# (?:HELP|TYPE) )?:tensorflow:\S+?_created[ {].*\n", re.MULTILINE)


class Metrics:
    """Counters and histograms of one server; times are in microseconds, as in TensorFlow Serving."""

    def __init__(self) -> None:
        """Starts at zero."""
        self.registry = CollectorRegistry()
        serving, batching = ":tensorflow:serving:", ":tensorflow:serving:batching_session:"
        self._requests = self._counter(
            serving + "request_count", "The total number of requests.", "model_name", "status"
        )
        self._latency = self._histogram(
            serving + "request_latency", "Wall time of a request in microseconds.", _LATENCIES,
            "model_name", "API", "entrypoint",
        )  # fmt: skip
        self._runtime = self._histogram(
            serving + "runtime_latency", "Wall time of the model in microseconds.", _LATENCIES,
            "model_name", "API", "runtime",
        )  # fmt: skip
        self._rows = self._histogram(
            serving + "request_example_counts", "Rows in a request.", _POWERS_OF_TWO, "model"
        )
        self._total_rows = self._counter(
            serving + "request_example_count_total", "Rows in all requests.", "model"
        )
        self._queuing = self._histogram(
            batching + "queuing_latency", "Microseconds in a queue.", _QUEUING, "thread_pool_name"
        )
        self._batch_size = self._histogram(
            batching + "processed_batch_size", "Rows in a batch.", _POWERS_OF_TWO, "thread_pool_name"
        )
        self._padding = self._histogram(
            batching + "padding_size", "Copies in a batch.", _POWERS_OF_TWO, "thread_pool_name"
        )
        self._warm_up = self._histogram(
            serving + "model_warmup_latency",
            "Microseconds of warming up.",
            _LATENCIES,
            "model_path",
            "status",
        )
        self._load = self._counter(
            ":tensorflow:cc:saved_model:load_latency", "Microseconds of loading.", "model_path"
        )
        self._loads = self._counter(
            ":tensorflow:cc:saved_model:load_attempt_count", "SavedModels loaded.", "model_path", "status"
        )
        self.waiting = Gauge("kind_requests_waiting", "Requests in a queue now.", registry=self.registry)
        self.running = Gauge(
            "kind_requests_in_flight", "Requests being answered now.", registry=self.registry
        )

    def answered(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """Counts an answered request; `status` is "OK" or the name of a gRPC status code."""
        self._requests.labels(model, status).inc()
        self._latency.labels(model, api, entrypoint).observe(seconds * _MICROSECONDS)

    def received(self, model: str, rows: int) -> None:
        """Counts an accepted request with its rows."""
        self._rows.labels(model).observe(rows)
        self._total_rows.labels(model).inc(rows)

    def waited(self, model: str, seconds: float) -> None:
        """Records how long a request waited in its queue."""
        self._queuing.labels(model).observe(seconds * _MICROSECONDS)

    def ran(self, model: str, rows: int, padding: int, seconds: float) -> None:
        """Records a batch, its padding and its run time."""
        self._runtime.labels(model, "Predict", "TF2").observe(seconds * _MICROSECONDS)
        self._batch_size.labels(model).observe(rows)
        self._padding.labels(model).observe(padding)

    def loaded(self, model: str, loading: float, warming: float) -> None:
        """Records the seconds of loading and warming up a version."""
        self._load.labels(model).inc(loading * _MICROSECONDS)
        self._loads.labels(model, "success").inc()
        self._warm_up.labels(model, "OK").observe(warming * _MICROSECONDS)

    def exposition(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return _CREATED.sub(b"", _SUFFIX.sub(rb"\1", generate_latest(self.registry)))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: list[float], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)
