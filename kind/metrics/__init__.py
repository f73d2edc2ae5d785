"""Figures of merit of images and of detections: pure functions, and Keras metrics over some of them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kind.metrics.keras_metrics import PSNR, SSIM

__all__ = ["PSNR", "SSIM"]


def __getattr__(name: str):
    """Imports the Keras metrics on first use: some metrics are needed where there is no TensorFlow."""
    if name in __all__:
        from kind.metrics import keras_metrics

        return getattr(keras_metrics, name)
    raise AttributeError(f"module 'kind.metrics' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, for `help`, `dir` and completion."""
    return sorted({*globals(), *__all__})
