"""Requests that a server answers by itself before it takes a new version into service."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from kind.export.contract import WARMUP_FILE


def write_warmup_requests(saved_model: Path, name: str, requests: dict[str, dict[str, tf.Tensor]]) -> None:
    """Writes the requests as a TFRecord file of PredictionLog messages.

    Args:
        saved_model: the folder of a SavedModel.
        name: of the model.
        requests: for each signature, its inputs by name.
    """
    path = saved_model / WARMUP_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            for key, value in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())
