"""A loaded SavedModel and its signatures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis import prediction_log_pb2

from kind.export.contract import WARMUP_FILE
from kind.export.operations import ForeignOperations, UnreadableGraph, check_operations, read_graph
from kind.serving.server.errors import ServingError, bad_request
from kind.serving.server.signatures import Signature, UnknownSignature
from kind.serving.server.tensor_protos import array_of

DEFAULT_SIGNATURE = "serving_default"

_MOST_WARM_UPS = 1000


class LoadedModel:
    """A SavedModel in memory.

    Attributes:
        definitions: the `SignatureDef`s of the file by name.
        signatures: the callable signatures by name.
    """

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
        self.definitions = _definitions(folder, _checked_graph(folder, trust))
        self._model = tf.saved_model.load(str(folder))
        self._functions = dict(self._model.signatures)
        self.signatures = {name: Signature(name, self.definitions[name]) for name in self._functions}

    def signature(self, name: str) -> Signature:
        """The signature of that name, "" being `serving_default`; ServingError when there is none."""
        name = name or DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise UnknownSignature(name, self.signatures)
        return self.signatures[name]

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs a signature on checked inputs.

        Args:
            signature: its name.
            inputs: by name, with the signature's types and shapes; strings as arrays of bytes objects.

        Returns:
            The outputs in the same form.

        Raises:
            tf.errors.OpError: when the graph refuses the inputs.
        """
        expected = self.signatures[signature].inputs
        tensors = {name: tf.constant(value, expected[name].dtype) for name, value in inputs.items()}
        outputs = self._functions[signature](**tensors)
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    def warm_up(self, folder: Path) -> int:
        """Runs the recorded requests of a version folder, so that the first real request is not slow.

        Args:
            folder: may hold `assets.extra/tf_serving_warmup_requests`, a TFRecord file of `PredictionLog`.

        Returns:
            How many were run.

        Raises:
            Exception: when the file is damaged or holds too many, or a request fails.
        """
        path = folder / WARMUP_FILE
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
        signature = self.signature(request.model_spec.signature_name)
        inputs = {name: array_of(name, proto) for name, proto in request.inputs.items()}
        signature.check(inputs, max_pixels=1 << 62)
        self.run(signature.name, inputs)


def _checked_graph(folder: Path, trust: bool) -> SavedModel:
    try:
        graph = read_graph(folder)
        if not trust:
            check_operations(graph)
        return graph
    except UnreadableGraph as error:
        raise bad_request(str(error)) from error
    except ForeignOperations as error:
        raise ServingError(
            "PERMISSION_DENIED", f"{error}; kind serve --trust runs it, if you trust its author"
        ) from error


def _definitions(folder: Path, saved_model: SavedModel) -> dict:
    for graph in saved_model.meta_graphs:
        if "serve" in graph.meta_info_def.tags:
            return dict(graph.signature_def)
    raise ServingError("NOT_FOUND", f"{folder}: no graph in it is tagged to serve")
