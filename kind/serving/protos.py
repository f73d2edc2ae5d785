"""TensorFlow's and TensorFlow Serving's messages, without TensorFlow.

Their modules need nothing but protobuf, and importing TensorFlow takes seconds and half a gigabyte. Python
imports a package before what is in it, though; so an empty one stands in for `tensorflow` meanwhile.
"""

# ruff: noqa: F401  (imported for others)
from __future__ import annotations

import contextlib
import importlib.util
import sys
import types
from collections.abc import Iterator


@contextlib.contextmanager
def _no_tensorflow() -> Iterator[None]:
    found = importlib.util.find_spec("tensorflow")
    if "tensorflow" in sys.modules or found is None:
        yield
        return
    package = types.ModuleType("tensorflow")
    package.__path__ = list(found.submodule_search_locations)
    sys.modules["tensorflow"] = package
    try:
        yield
    finally:
        del sys.modules["tensorflow"]


with _no_tensorflow():
    from tensorflow.core.framework.tensor_pb2 import TensorProto
    from tensorflow.core.framework.types_pb2 import DT_STRING, DataType
    from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
    from tensorflow_serving.apis import (
        classification_pb2,
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_management_pb2,
        predict_pb2,
        regression_pb2,
    )
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig
