"""The servers that have to behave alike.

The embedded one always; `tensorflow_model_server` when it is on the path; and one that runs already, named by
`KIND_TFSERVING=host:port,host:port` (REST, then gRPC), which must serve a `kind export` as the model `kind`.
"""

import contextlib
import functools
import os
import shutil
import socket
import subprocess
import time
from typing import NamedTuple

import grpc
import pytest
import urllib3

SERVERS = ("embedded", "tensorflow_model_server", "KIND_TFSERVING")

BATCHING = """\
max_batch_size { value: 4 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 16 }
num_batch_threads { value: 2 }
allowed_batch_sizes: 1
allowed_batch_sizes: 2
allowed_batch_sizes: 4
"""


class Address(NamedTuple):
    """Where a server listens."""

    rest: str
    grpc: str


@pytest.fixture(scope="session")
def exported(bright_networks, painted_detector, tmp_path_factory):
    """What `kind export` writes, of networks that are small."""
    import numpy as np
    import tensorflow as tf

    from kind.enhancing.enhancer import Enhancer
    from kind.export.detections import Found, ServedDetector
    from kind.export.saved_model import export_saved_model

    def find(images, enhanced):
        size = tf.cast(tf.shape(images), tf.float32)
        box = tf.stack([0.0, 0.0, size[2] / 2, size[1]])
        return Found(
            tf.stack([box, box])[tf.newaxis],
            tf.constant([[0.5, 0.0]]),
            tf.constant([[1, 0]]),
            tf.constant([1]),
        )

    folder = tmp_path_factory.mktemp("exported") / "kind"
    detector = ServedDetector(find, ("dot", "spot"), 2)
    photograph = np.random.default_rng(0).random((16, 24, 3), np.float32)
    export_saved_model(
        folder, Enhancer.load(bright_networks, variant="kind"), detector, photograph=photograph
    )
    (folder / "batching_params.pbtxt").write_text(BATCHING)
    (folder / "monitoring.config").write_text("prometheus_config { enable: true }")
    return folder


@pytest.fixture(scope="session", params=SERVERS)
def server(request, running):
    """The address of each server in turn."""
    if request.param == "KIND_TFSERVING":
        named = os.environ.get("KIND_TFSERVING")
        if not named:
            pytest.skip("no running server is named by KIND_TFSERVING=host:port,host:port (REST, gRPC)")
        yield Address(*named.split(","))
        return
    if request.param == "tensorflow_model_server" and not shutil.which(request.param):
        pytest.skip("tensorflow_model_server is not on the path")
    start = {"embedded": functools.partial(embedded, running), "tensorflow_model_server": real}[request.param]
    with start(request.getfixturevalue("exported")) as address:
        yield address


@contextlib.contextmanager
def embedded(running, folder):
    from kind.serving.server.app import Settings
    from kind.serving.server.parameters import read_batching
    from kind.serving.server.version_folders import ModelConfig

    settings = Settings(
        models=(ModelConfig("kind", folder),),
        allow_reload=True,
        rest_port=0,
        grpc_port=0,
        batching=read_batching(folder / "batching_params.pbtxt"),
    )
    with running(settings) as started:
        yield Address(f"127.0.0.1:{started.rest_port}", f"127.0.0.1:{started.grpc_port}")


@contextlib.contextmanager
def real(folder):
    address = Address(*(f"127.0.0.1:{free_port()}" for _ in range(2)))
    process = subprocess.Popen(
        [
            "tensorflow_model_server",
            "--model_name=kind",
            f"--model_base_path={folder}",
            f"--rest_api_port={address.rest.rpartition(':')[2]}",
            f"--port={address.grpc.rpartition(':')[2]}",
            "--enable_batching=true",
            f"--batching_parameters_file={folder / 'batching_params.pbtxt'}",
            f"--monitoring_config_file={folder / 'monitoring.config'}",
        ]
    )
    try:
        wait_until_available(address.rest, process)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_available(rest, process):
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if b"AVAILABLE" in urllib3.request("GET", f"http://{rest}/v1/models/kind", retries=False).data:
                return
        time.sleep(0.2)
    raise RuntimeError("tensorflow_model_server does not serve the export")


@pytest.fixture
def ask(server):
    """(method, path, content) → (status, answer as JSON)."""
    with urllib3.PoolManager(retries=False) as pool:

        def ask(method, path, content=None, **options):
            body = {} if content is None else {"json": content}
            response = pool.request(method, f"http://{server.rest}{path}", timeout=60, **body, **options)
            assert response.headers["Content-Type"].startswith("application/json")
            return response.status, response.json()

        yield ask


@pytest.fixture
def channel(server):
    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(server.grpc, options) as channel:
        yield channel
