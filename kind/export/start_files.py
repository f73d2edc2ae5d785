"""The files with which TensorFlow Serving is started, written beside the versions of a model."""

from __future__ import annotations

import shlex
from pathlib import Path

from kind.export.contract import GRPC_PORT, REST_PORT
from kind.files import atomic_write

IMAGE = "tensorflow/serving:2.15.1"
"""The public container image of the TensorFlow version that the models are made with."""

MAX_BATCH_SIZE = 4

# As in `kind`: TensorFlow leaves oneDNN off on some processors where it makes these networks twice as fast.
_ENVIRONMENT = "TF_ENABLE_ONEDNN_OPTS=1"

MODELS, BATCHING, MONITORING = "models.config", "batching_params.pbtxt", "monitoring.config"
COMPOSE = "docker-compose.yml"

_MODELS = """\
model_config_list {{
  config {{
    name: "{name}"
    base_path: "/models/{name}"
    model_platform: "tensorflow"
  }}
}}
"""

# Every size up to the largest is allowed: a batch is filled up to an allowed size with copies, and on a
# processor each copy takes as long as a photograph.
_BATCHING = """\
max_batch_size {{ value: {largest} }}
batch_timeout_micros {{ value: 2000 }}
max_enqueued_batches {{ value: 16 }}
num_batch_threads {{ value: 2 }}
{allowed}
"""

_MONITORING = """\
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""

_COMPOSE = """\
services:
  {name}:
    image: {image}
    command:
{arguments}
    ports:
      - "127.0.0.1:{grpc}:{grpc}"
      - "127.0.0.1:{rest}:{rest}"
    volumes:
      - .:/models/{name}:ro
    environment:
      - {environment}
    restart: unless-stopped
"""


def write_start_files(folder: Path) -> list[Path]:
    """Writes the configuration of TensorFlow Serving, but leaves alone what is there: it may have been tuned.

    Args:
        folder: of the model, with its versions; its name is the model's.

    Returns:
        The files that were written.

    Raises:
        OSError: when they cannot be written.
    """
    name = folder.resolve().name
    arguments = "\n".join(f"      - {argument}" for argument in _arguments(name))
    allowed = "\n".join(f"allowed_batch_sizes: {size}" for size in range(1, MAX_BATCH_SIZE + 1))
    contents = {
        MODELS: _MODELS.format(name=name),
        BATCHING: _BATCHING.format(largest=MAX_BATCH_SIZE, allowed=allowed),
        MONITORING: _MONITORING,
        COMPOSE: _COMPOSE.format(
            name=name,
            image=IMAGE,
            arguments=arguments,
            grpc=GRPC_PORT,
            rest=REST_PORT,
            environment=_ENVIRONMENT,
        ),
    }
    written = []
    for file, content in contents.items():
        if not (folder / file).exists():
            with atomic_write(folder / file) as temporary:
                temporary.write_text(content, encoding="utf-8")
            written.append(folder / file)
    return written


def start_commands(folder: Path) -> dict[str, str]:
    """The shell commands that serve the models of a folder, by what they start."""
    folder = folder.resolve()
    ports = " ".join(f"-p 127.0.0.1:{port}:{port}" for port in (GRPC_PORT, REST_PORT))
    volume = shlex.quote(f"{folder}:/models/{folder.name}:ro")
    docker = (
        f"docker run --rm {ports} -e {_ENVIRONMENT} -v {volume} {IMAGE} {shlex.join(_arguments(folder.name))}"
    )
    return {
        "embedded server": f"python -m kind serve {shlex.quote(str(folder))}",
        "TensorFlow Serving": docker,
        "the same, kept running": f"docker compose -f {shlex.quote(str(folder / COMPOSE))} up -d",
    }


def _arguments(name: str) -> list[str]:
    """What the container's model server is called with."""
    inside = f"/models/{name}"
    return [
        f"--model_config_file={inside}/{MODELS}",
        "--enable_batching=true",
        f"--batching_parameters_file={inside}/{BATCHING}",
        f"--monitoring_config_file={inside}/{MONITORING}",
    ]
