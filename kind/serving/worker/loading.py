"""A loaded SavedModel and its signatures, some of which may be answered in 8 bits."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from kind.enhancing.processors import processors
from kind.errors import UserError
from kind.export.contract import WARMUP_FILE
from kind.export.eight_bits import EightBits, read_eight_bits
from kind.export.operations import ForeignOperations, UnreadableGraph, check_operations, read_graph
from kind.serving.server.errors import ServingError, bad_request
from kind.serving.server.signatures import signature_named, signatures_of
from kind.serving.server.tensor_protos import array_of
from kind.serving.worker.runs import Runs

_TAG = "serve"
_MOST_WARM_UPS = 1000
_LONGEST_RUN = 3600.0  # seconds

# TensorFlow's passes in its order, but what a request does not ask for is left out again once functions are
# part of the graph that calls them. Otherwise constants in it are folded, which takes longer than all else.
_OPTIMIZERS = (
    """
    pruning function pruning implementation_selector common_subgraph_elimination constfold arithmetic layout
    remap loop dependency memory
    """
).split()


class LoadedModel:
    """A SavedModel in memory.

    It is a session on the graph, as in TensorFlow Serving. `tf.saved_model.load` would make Python objects of
    all functions, for which nobody asks here: twice the time, a third more memory.

    Attributes:
        definitions: the `SignatureDef`s of the file by name.
        signatures: the callable signatures by name.
        is_usable: always.
        is_loading: never.
    """

    is_usable, is_loading = True, False

    def __init__(self, folder: Path, trust: bool = False) -> None:
        """Loads a version folder.

        Args:
            folder: holds `saved_model.pb`.
            trust: whether the graph may hold operations that no export holds, such as reading files. They can
                do anything that this process can do, and some of them while the graph is loaded.

        Raises:
            ServingError: the graph cannot be read, or holds such operations without trust.
            Exception: TensorFlow's own, for a folder that is missing, damaged or incomplete.
        """
        _check(folder, trust)
        self._folder = folder
        graph, config = tf.Graph(), tf.compat.v1.ConfigProto()
        config.graph_options.rewrite_options.optimizers.extend(_OPTIMIZERS)
        # Twice as many threads as processors: runs that keep one each can still be stopped.
        config.use_per_session_threads = True
        config.inter_op_parallelism_threads = 2 * processors()
        with graph.as_default():
            self._session = tf.compat.v1.Session(graph=graph, config=config)
            loaded = tf.compat.v1.saved_model.load(self._session, [_TAG], str(folder))
        self.definitions = dict(loaded.signature_def)
        self.signatures = signatures_of(self.definitions)
        self._runs = Runs(self._session, {name: self.definitions[name] for name in self.signatures})
        self._eight_bits = _eight_bits(folder)

    def run(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        seconds: float = _LONGEST_RUN,
        name: Hashable = None,
    ) -> dict[str, np.ndarray]:
        """Runs a signature on checked inputs.

        Args:
            signature: its name.
            inputs: by name, with the signature's types and shapes; strings as arrays of bytes objects.
            seconds: after which no other operation of the graph, or no other image in 8 bits, is begun.
            name: of the run, for `stop`: what no other run has at the same time. None for one that will not
                be stopped.

        Returns:
            The outputs in the same form, in the order of their names: so answers are the same to the byte.

        Raises:
            ServingError: when the time is over, or the run was stopped.
            tf.errors.OpError: when the graph refuses the inputs.
        """
        try:
            with self._runs.stoppable(object() if name is None else name, seconds) as switch:
                return self._run(signature, inputs, seconds, switch)
        except tf.errors.DeadlineExceededError as error:
            raise ServingError("DEADLINE_EXCEEDED", "not answered in time") from error

    def stop(self, name: Hashable) -> None:
        """Ends a run, if it has begun and not ended."""
        self._runs.stop(name)

    def _run(
        self, signature: str, inputs: Mapping[str, np.ndarray], seconds: float, switch: int
    ) -> dict[str, np.ndarray]:
        outputs = sorted(self.definitions[signature].outputs)
        if not self._eight_bits or not EightBits.answers(set(inputs), set(outputs)):
            return self._runs.run(signature, inputs, seconds, switch)
        answer = self._eight_bits.run(inputs, seconds, lambda: self._runs.is_stopped(switch))
        return {name: answer[name] for name in outputs}

    def close(self) -> None:
        """Ends the session."""
        self._session.close()

    def warm_up(self) -> int:
        """Runs the recorded requests of the version folder, so that the first real request is not slow.

        They are in `assets.extra/tf_serving_warmup_requests`, a TFRecord file of `PredictionLog`.

        Returns:
            How many were run.

        Raises:
            Exception: when the file is damaged or holds too many, or a request fails.
        """
        path = self._folder / WARMUP_FILE
        if not path.is_file():
            return 0
        count = 0
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            count += 1
            if count > _MOST_WARM_UPS:
                raise bad_request(f"{WARMUP_FILE} holds more than {_MOST_WARM_UPS} requests")
            self._run_record(record)
        return count

    def _run_record(self, record: bytes) -> None:
        try:
            log = prediction_log_pb2.PredictionLog.FromString(record)
        except DecodeError as error:
            raise bad_request(f"{WARMUP_FILE}: not a PredictionLog") from error
        if log.WhichOneof("log_type") != "predict_log":
            raise ServingError("UNIMPLEMENTED", f"{WARMUP_FILE}: only predict requests can be run")
        request = log.predict_log.request
        signature = signature_named(self.signatures, request.model_spec.signature_name)
        inputs = {name: array_of(name, proto) for name, proto in request.inputs.items()}
        signature.check(inputs, max_pixels=1 << 62)
        self.run(signature.name, inputs)


def _eight_bits(folder: Path) -> EightBits | None:
    try:
        return read_eight_bits(folder)
    except UserError as error:
        raise bad_request(str(error)) from error


def _check(folder: Path, trust: bool) -> None:
    try:
        graph = read_graph(folder)
        if not trust:
            check_operations(graph)
    except UnreadableGraph as error:
        raise bad_request(str(error)) from error
    except ForeignOperations as error:
        raise ServingError(
            "PERMISSION_DENIED", f"{error}; kind serve --trust runs it, if you trust its author"
        ) from error
    if not any(_TAG in each.meta_info_def.tags for each in graph.meta_graphs):
        raise ServingError("NOT_FOUND", f"{folder}: no graph in it is tagged to serve")
