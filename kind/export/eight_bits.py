"""An export that also answers in 8 bits: the networks beside the graph, and what runs them in a server.

TensorFlow's graphs have no convolutions in 8 bits that are fast on processors. So an export for `int8` holds
the graph in float32, which any server runs, and in `assets.extra/int8` the same networks as `.keras` files
with their ranges, which `kind serve` computes with OpenVINO where that is installed.
"""

from __future__ import annotations

import json
import logging
import math
import pkgutil
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from kind.enhancing.fast.installed import check_engine
from kind.enhancing.variants import VARIANTS
from kind.errors import UserError
from kind.export.contract import IMAGE_BYTES
from kind.export.graph_images import decode_in_graph, encode_png
from kind.export.input_checks import checked_numbers
from kind.nn.graphs import as_graph

if TYPE_CHECKING:
    from kind.enhancing.fast.enhancer import FastEnhancer

FOLDER = Path("assets.extra", "int8")
_SETTINGS, _RANGES = "int8.json", "ranges.json"
_LEVELS_OF_A_BYTE = 257
_MOST = {"alpha": tf.float32.max, "brightness": 1.0, "strength": 1.0}
"""Inputs beside the images of signatures that are answered here, and their largest numbers."""


def write_eight_bits(version: Path, enhancer: FastEnhancer, max_pixels: int) -> None:
    """Writes the networks into a version's folder.

    Args:
        version: holds the SavedModel.
        enhancer: the networks, calibrated.
        max_pixels: of an image, as of the graph.

    Raises:
        OSError: when that cannot be done.
    """
    folder = version / FOLDER
    folder.mkdir(parents=True)
    for stage, path in enhancer.files.items():
        shutil.copyfile(path, folder / f"{stage}.keras")
    enhancer.write_ranges(folder / _RANGES)
    settings = {"variant": enhancer.variant, "max_pixels": max_pixels}
    (folder / _SETTINGS).write_text(json.dumps(settings) + "\n", encoding="utf-8")


def read_eight_bits(version: Path) -> EightBits | None:
    """Reads what `write_eight_bits` wrote.

    Returns:
        What answers in 8 bits; None where a version holds no such networks, or OpenVINO is not installed,
        which the log says.

    Raises:
        UserError: when the networks are damaged.
    """
    folder = version / FOLDER
    if not folder.is_dir():
        return None
    try:
        check_engine()
    except UserError as error:
        logging.getLogger(__name__).warning("%s: answering in float32: %s", version, error)
        return None
    try:
        settings = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
        fast, max_pixels = VARIANTS[settings["variant"]].in_8_bits, int(settings["max_pixels"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / _SETTINGS}: not the settings of networks in 8 bits") from error
    if fast is None:
        raise UserError(f"{folder / _SETTINGS}: names a variant that has no networks in 8 bits")
    enhancer = pkgutil.resolve_name(fast).from_files(folder)
    enhancer.calibrate(folder / _RANGES)
    return EightBits(enhancer, max_pixels)


class EightBits:
    """Answers signatures of an export, see `kind.export.signatures.make_signatures`, in 8 bits."""

    def __init__(self, enhancer: FastEnhancer, max_pixels: int) -> None:
        """Takes the networks, and how many pixels an image may have."""
        self._enhancer = enhancer
        self._decode = as_graph(
            lambda data: decode_in_graph(data, max_pixels), [tf.TensorSpec([], tf.string, "data")]
        )

    @staticmethod
    def answers(inputs: set[str], outputs: set[str]) -> bool:
        """Whether a signature is one of those: it takes image files and gives nothing but enhanced ones."""
        return (
            IMAGE_BYTES in inputs
            and inputs <= {IMAGE_BYTES, *_MOST}
            and "enhanced_bytes" in outputs
            and outputs <= {"enhanced_bytes", "alpha"}
        )

    def run(
        self,
        inputs: Mapping[str, np.ndarray],
        seconds: float = math.inf,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> dict[str, np.ndarray]:
        """Answers.

        Args:
            inputs: `image_bytes`, [N] of bytes objects, and `alpha`, `brightness` or `strength`, float32 [N].
            seconds: after which no other image is begun.
            is_stopped: asked before each image; no other is begun when it says yes.

        Returns:
            `enhanced_bytes`, [N] of bytes objects, PNG, and the α of each, float32 [N].

        Raises:
            tf.errors.InvalidArgumentError: as the graph does.
            tf.errors.DeadlineExceededError: when the time is over.
            tf.errors.CancelledError: when it was stopped.
        """
        end = time.monotonic() + seconds
        images = inputs[IMAGE_BYTES]
        numbers = {
            name: checked_numbers(tf.constant(values), name, len(images), IMAGE_BYTES, _MOST[name]).numpy()
            for name, values in inputs.items()
            if name != IMAGE_BYTES
        }
        files = np.empty(len(images), object)
        alphas = np.empty(len(images), np.float32)
        for index, data in enumerate(images):
            if is_stopped():
                raise tf.errors.CancelledError(None, None, "stopped")
            if time.monotonic() >= end:
                raise tf.errors.DeadlineExceededError(None, None, "not answered in time")
            given = {name: float(values[index]) for name, values in numbers.items()}
            files[index], alphas[index] = self._enhanced(data, index, **given)
        return {"enhanced_bytes": files, "alpha": alphas}

    def _enhanced(self, data: bytes, index: int, *, brightness: float | None = None, **settings):
        problem, levels, gray = (each.numpy() for each in self._decode(tf.constant(data)))
        if problem:
            raise tf.errors.InvalidArgumentError(None, None, f"{IMAGE_BYTES}[{index}]: {problem.decode()}")
        bytewise, rest = np.divmod(levels, _LEVELS_OF_A_BYTE)
        image = levels if rest.any() else bytewise.astype(np.uint8)
        if brightness is not None:
            settings["alpha"] = self._enhancer.alpha_for_brightness(image, brightness)
        made = self._enhancer(image, **settings, levels=True)
        if gray:
            return encode_png(
                tf.constant(made.relit / np.float32(255)), tf.constant(True)
            ).numpy(), made.alpha
        return tf.io.encode_png(made.relit).numpy(), made.alpha
