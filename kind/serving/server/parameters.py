"""TensorFlow Serving's parameter files, which are protocol buffers in text form."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

from kind.errors import UserError

METRICS_PATH = "/monitoring/prometheus/metrics"

# The messages are declared here because the public stubs have no module for them: names and types of their
# fields, in the order of their numbers.
_MESSAGES = {
    "BatchingParameters": {
        "max_batch_size": ".google.protobuf.Int64Value",
        "batch_timeout_micros": ".google.protobuf.Int64Value",
        "max_enqueued_batches": ".google.protobuf.Int64Value",
        "num_batch_threads": ".google.protobuf.Int64Value",
        "thread_pool_name": ".google.protobuf.StringValue",
        "allowed_batch_sizes": "repeated int64",
        "pad_variable_length_inputs": "bool",
        "enable_large_batch_splitting": ".google.protobuf.BoolValue",
        "max_execution_batch_size": ".google.protobuf.Int64Value",
    },
    "PrometheusConfig": {"enable": "bool", "path": "string"},
    "MonitoringConfig": {"prometheus_config": ".kind.serving.PrometheusConfig"},
}


@dataclass(frozen=True)
class Batching:
    """How requests are put together; the defaults are those of the real server.

    Attributes:
        max_batch_size: most rows in one batch.
        batch_timeout_micros: how long a batch waits to be filled, in microseconds.
        max_enqueued_batches: batches of one signature that may wait; beyond it requests are refused.
        num_batch_threads: batches at work at the same time.
        allowed_batch_sizes: sizes that are given to the model, ascending, the last one `max_batch_size`; a
            smaller batch is filled up with copies. Empty: every size.
        split_large: whether a request of more rows than `max_batch_size` is split instead of refused.
        merge: whether requests are put together at all. When not, `max_batch_size` limits nothing, and there
            are no `allowed_batch_sizes`.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = os.cpu_count() or 1
    allowed_batch_sizes: tuple[int, ...] = ()
    split_large: bool = False
    merge: bool = True


#: Without a parameter file: every request on its own. One photograph keeps all cores busy and takes about a
#: gigabyte for each megapixel, so more than two at a time only fill the memory.
UNBATCHED = Batching(merge=False, max_enqueued_batches=64, num_batch_threads=2)


def read_batching(path: str | Path) -> Batching:
    """Reads a batching parameter file.

    Args:
        path: the file that `--batching_parameters_file` of the real server takes.

    Returns:
        The parameters; what the file does not say has the real server's default.

    Raises:
        UserError: the file cannot be read, or says something impossible.
    """
    message = _parse(path, _message_class("BatchingParameters"))
    given = {
        name: getattr(message, name).value
        for name in ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")
        if message.HasField(name)
    }
    for name, value in given.items():
        least = 0 if name == "batch_timeout_micros" else 1
        if value < least:
            raise UserError(f"{path}: {name} expects {least} or more, received {value}")
    batching = Batching(
        **given,
        allowed_batch_sizes=tuple(message.allowed_batch_sizes),
        split_large=message.enable_large_batch_splitting.value,
    )
    sizes = batching.allowed_batch_sizes
    if sizes and (sizes[0] < 1 or list(sizes) != sorted(set(sizes)) or sizes[-1] != batching.max_batch_size):
        raise UserError(
            f"{path}: allowed_batch_sizes expects ascending sizes of which the last is max_batch_size "
            f"({batching.max_batch_size}), received {list(sizes)}"
        )
    return batching


def read_metrics_path(path: str | Path) -> str | None:
    """Reads a monitoring configuration file.

    Args:
        path: the file that `--monitoring_config_file` of the real server takes.

    Returns:
        Where Prometheus finds the metrics on the REST port; None when they are switched off.

    Raises:
        UserError: the file cannot be read, or the path does not begin with a slash.
    """
    config = _parse(path, _message_class("MonitoringConfig")).prometheus_config
    if not config.enable:
        return None
    where = config.path or METRICS_PATH
    if not where.startswith("/") or where == "/" or where.startswith("/v1/"):
        raise UserError(f"{path}: path expects a path of its own, such as {METRICS_PATH}; received {where!r}")
    return where


def _parse(path: str | Path, message_class):
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    try:
        return text_format.Parse(text, message_class())
    except text_format.ParseError as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error


def _message_class(wanted: str):
    file = descriptor_pb2.FileDescriptorProto(
        name="kind/serving/parameters.proto",
        package="kind.serving",
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), start=1):
            label = "LABEL_REPEATED" if kind.startswith("repeated ") else "LABEL_OPTIONAL"
            entry = message.field.add(name=field, number=number, label=label)
            if kind.startswith("."):
                entry.type_name = kind
            else:
                entry.type = f"TYPE_{kind.split()[-1].upper()}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"kind.serving.{wanted}"))
