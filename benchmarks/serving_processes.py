"""The processes that `benchmarks.serving` measures: a server, and one that calls the bare SavedModel."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kind.constants import DEFAULT_ALPHA

REPOSITORY = Path(__file__).resolve().parent.parent
SIGNATURE = "enhance"
ALPHA = DEFAULT_ALPHA

_BATCHING = """\
max_batch_size {{ value: {size} }}
batch_timeout_micros {{ value: {timeout} }}
max_enqueued_batches {{ value: {queue} }}
num_batch_threads {{ value: {threads} }}
"""


class Served(NamedTuple):
    """A running server and the port of its REST."""

    process: subprocess.Popen
    port: int


def batching_arguments(**parameters: int) -> list[str]:
    """Writes a parameter file, and names it as `kind serve` wants it."""
    with tempfile.NamedTemporaryFile("w", suffix=".pbtxt", delete=False) as file:
        file.write(_BATCHING.format(**parameters))
    return ["--batching-parameters-file", file.name]


@contextlib.contextmanager
def serving(folder: Path, *more: str) -> Iterator[Served]:
    """Serves an export with these options, or without batching, until the block ends."""
    command = [sys.executable, "-m", "kind", "serve", str(folder.resolve()), "--model-name", "kind"]
    command += ["--rest-port", "0", "--grpc-port", "0", "--timeout", "120", *(more or ("--no-batching",))]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        line = process.stdout.readline()
        found = re.search(r":(\d+)/", line)
        if not found:
            raise SystemExit(f"the server did not start: python -m kind serve {folder} says why")
        yield Served(process, int(found[1]))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)


@contextlib.contextmanager
def bare_calls(folder: Path, size: tuple[int, int]) -> Iterator[Callable[[], float]]:
    """A process that calls the SavedModel once for each line that it is sent, and says how long it took."""
    command = [sys.executable, "-m", "benchmarks.serving_processes", str(folder.resolve()), *map(str, size)]
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def call() -> float:
        process.stdin.write("\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    try:
        yield call
    finally:
        process.stdin.close()
        process.wait(60)


def _serve_bare_calls(folder: Path, size: tuple[int, int]) -> int:
    import kind  # noqa: F401  (sets TensorFlow's environment before it is imported)

    import tensorflow as tf  # isort: skip

    newest = max((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    enhance = tf.saved_model.load(str(newest)).signatures[SIGNATURE]
    image = dark_png(size)
    for _ in sys.stdin:
        started = time.perf_counter()
        enhance(image_bytes=tf.constant([image]), alpha=tf.constant([ALPHA]))["enhanced_bytes"].numpy()
        print(time.perf_counter() - started, flush=True)
    return 0


def dark_png(size: tuple[int, int]) -> bytes:
    """A dark photograph of that size, from the built-in ones."""
    from kind.data.samples import builtin_samples
    from kind.images.photo import encode_photo

    width, height = size
    pixels = builtin_samples()[0].low / np.float32(255)
    rows = np.linspace(0, pixels.shape[0] - 1, height).astype(int)
    columns = np.linspace(0, pixels.shape[1] - 1, width).astype(int)
    return encode_photo(pixels[rows][:, columns], "png")


if __name__ == "__main__":
    sys.exit(_serve_bare_calls(Path(sys.argv[1]), (int(sys.argv[2]), int(sys.argv[3]))))
