"""The enhancement as one float function, for runtimes other than TensorFlow, and how far they are from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kind.constants import DEFAULT_ALPHA
from kind.enhancing.enhancer import Enhancer
from kind.errors import UserError
from kind.files import atomic_write
from kind.metrics.psnr import psnr
from kind.nn.graphs import as_graph

_ODD = (37, 61)  # sides that no stride of a network divides
_ALPHA = DEFAULT_ALPHA  # of comparisons, and all that an 8-bit model is calibrated with


class Portable(NamedTuple):
    """The whole enhancement from image and α to the relit image.

    Attributes:
        function: image float32 [1, H, W, 3] in [0, 1], alpha float32 [1] → relit float32 [1, H, W, 3].
        module: holds the weights that the function uses.
        size: (H, W), or None for any.
    """

    function: tf.types.experimental.GenericFunction
    module: tf.Module
    size: tuple[int, int] | None

    def inputs(self, photographs: Sequence[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Photographs, float [H, W, 3] in [0, 1], as the function takes them, scaled where it must be."""
        for photograph in photographs:
            image = tf.convert_to_tensor(photograph[np.newaxis], tf.float32)
            if self.size:
                image = tf.clip_by_value(tf.image.resize(image, self.size, antialias=True), 0.0, 1.0)
            yield image.numpy(), np.float32([_ALPHA])


class Written(NamedTuple):
    """A model that was written, and the worst that its rounding did to some photographs.

    Attributes:
        path: the file.
        largest: largest absolute difference from the float32 pipeline, of the range 0 to 1.
        psnr: decibels between the two, mean over the photographs.
    """

    path: Path
    largest: float
    psnr: float


def make_portable(enhancer: Enhancer, size: tuple[int, int] | None) -> Portable:
    """Makes the function.

    Args:
        enhancer: the pipeline.
        size: (H, W) of all images, or None for any.
    """
    height, width = size or (None, None)

    signature = [
        tf.TensorSpec([1, height, width, 3], tf.float32, "image"),
        tf.TensorSpec([1], tf.float32, "alpha"),
    ]
    enhance = as_graph(lambda image, alpha: {"relit": enhancer(image, alpha).relit}, signature)
    module = tf.Module()
    module.enhance = enhance
    module.weights = list(enhance.get_concrete_function().graph.variables)
    return Portable(enhance, module, size)


def publish(
    path: Path,
    content: bytes,
    portable: Portable,
    run: Callable[[np.ndarray, np.ndarray], np.ndarray],
    photographs: Sequence[np.ndarray],
    largest: float = 1.0,
    least_psnr: float = 0.0,
) -> Written:
    """Runs a converted model and the pipeline on photographs, and writes it when they agree.

    Args:
        path: the file to write.
        content: of the file.
        portable: what it was made of; where it takes any size, an image of one pixel and one of odd sides
            are tried, too.
        run: the converted model: image and alpha → relit.
        photographs: float [H, W, 3] in [0, 1].
        largest: the largest difference from the pipeline that is allowed, of the range 0 to 1.
        least_psnr: the least PSNR between the two that is allowed, decibels.

    Returns:
        How far they are apart.

    Raises:
        UserError: when the converted model cannot be run or is too far from the pipeline; nothing is written.
        OSError: when the file cannot be written.
    """
    if portable.size is None:
        photographs = [*photographs, photographs[0][:1, :1], photographs[0][: _ODD[0], : _ODD[1]]]
    try:
        written = compare(path, portable, run, photographs)
    except Exception as error:  # each runtime has errors of its own
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"{path}: not written: its runtime fails on it ({type(error).__name__}: {reason}); export "
            "--format saved_model instead, and report this"
        ) from error
    if not written.largest <= largest:  # NaN is not
        raise UserError(
            f"{path}: not written: it differs from the pipeline by {written.largest:.2g} (of 0 to 1), "
            f"more than {largest:g}; export --format saved_model instead, and report this"
        )
    if written.psnr < least_psnr:
        raise UserError(
            f"{path}: not written: PSNR to the pipeline is {written.psnr:.1f} dB, less than {least_psnr:g}: "
            "these networks cannot be computed in so few bits; use the file of 16 bits"
        )
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
    return written


def compare(
    path: Path,
    portable: Portable,
    run: Callable[[np.ndarray, np.ndarray], np.ndarray],
    photographs: Sequence[np.ndarray],
) -> Written:
    """Runs a converted model and the pipeline on photographs.

    Args:
        path: of the file.
        portable: what it was made of.
        run: the converted model: image and alpha → relit.
        photographs: float [H, W, 3] in [0, 1].

    Returns:
        How far they are apart.
    """
    largest, decibels = 0.0, []
    for image, alpha in portable.inputs(photographs):
        expected = np.clip(portable.function(image, alpha)["relit"].numpy(), 0.0, 1.0)  # as it is shown
        relit = np.clip(run(image, alpha), 0.0, 1.0)
        largest = float(np.maximum(largest, np.abs(relit - expected).max()))  # NaN stays
        decibels.append(psnr(relit[0], expected[0]))
    return Written(path, largest, float(np.mean(decibels)))
