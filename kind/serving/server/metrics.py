"""Prometheus metrics under TensorFlow Serving's names."""

from __future__ import annotations

import re

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_MICROSECONDS = 1e6
_LATENCIES = [10 * 1.8**power for power in range(33)]
_QUEUING = [100 * 1.2**power for power in range(52)]
_POWERS = [2.0**power for power in range(15)]
_METRICS = {
    "serving:request_count": ("The total number of requests.", "model_name status", None),
    "serving:request_latency": (
        "Wall time of a request in microseconds.",
        "model_name API entrypoint",
        _LATENCIES,
    ),
    "serving:runtime_latency": (
        "Wall time of the model in microseconds.",
        "model_name API runtime",
        _LATENCIES,
    ),
    "serving:request_example_counts": ("Rows in a request.", "model", _POWERS),
    "serving:request_example_count_total": ("Rows in all requests.", "model", None),
    "serving:batching_session:queuing_latency": ("Microseconds in a queue.", "thread_pool_name", _QUEUING),
    "serving:batching_session:processed_batch_size": ("Rows in a batch.", "thread_pool_name", _POWERS),
    "serving:batching_session:padding_size": ("Copies in a batch.", "thread_pool_name", _POWERS),
    "serving:model_warmup_latency": ("Microseconds of warming up.", "model_path status", _LATENCIES),
    "cc:saved_model:load_latency": ("Microseconds of loading.", "model_path", None),
    "cc:saved_model:load_attempt_count": ("SavedModels loaded.", "model_path status", None),
}
"""Counters, and histograms with their buckets: what is counted, and the labels."""

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
        self._metrics = {}
        for name, (text, labels, buckets) in _METRICS.items():
            more = {"registry": self.registry, **({"buckets": buckets} if buckets else {})}
            kind = Histogram if buckets else Counter
            self._metrics[name] = kind(f":tensorflow:{name}", text, labels.split(), **more)
        self.waiting = Gauge("kind_requests_waiting", "Requests in a queue now.", registry=self.registry)
        text = "Requests being answered now."
        self.running = Gauge("kind_requests_in_flight", text, registry=self.registry)

    def answered(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """Counts an answered request; `status` is "OK" or the name of a gRPC status code."""
        self._of("serving:request_count", model, status).inc()
        self._of("serving:request_latency", model, api, entrypoint).observe(seconds * _MICROSECONDS)

    def received(self, model: str, rows: int) -> None:
        """Counts an accepted request with its rows."""
        self._of("serving:request_example_counts", model).observe(rows)
        self._of("serving:request_example_count_total", model).inc(rows)

    def waited(self, model: str, seconds: float) -> None:
        """Records how long a request waited in its queue."""
        self._of("serving:batching_session:queuing_latency", model).observe(seconds * _MICROSECONDS)

    def ran(self, model: str, rows: int, padding: int, seconds: float) -> None:
        """Records a batch, its padding and its run time."""
        self._of("serving:runtime_latency", model, "Predict", "TF2").observe(seconds * _MICROSECONDS)
        self._of("serving:batching_session:processed_batch_size", model).observe(rows)
        self._of("serving:batching_session:padding_size", model).observe(padding)

    def loaded(self, model: str, loading: float, warming: float) -> None:
        """Records the seconds of loading and warming up a version."""
        self._of("cc:saved_model:load_latency", model).inc(loading * _MICROSECONDS)
        self._of("cc:saved_model:load_attempt_count", model, "success").inc()
        self._of("serving:model_warmup_latency", model, "OK").observe(warming * _MICROSECONDS)

    def exposition(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return _CREATED.sub(b"", _SUFFIX.sub(rb"\1", generate_latest(self.registry)))

    def _of(self, name: str, *labels: str) -> Counter | Histogram:
        return self._metrics[name].labels(*labels)
