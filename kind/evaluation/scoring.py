"""Figures of one image."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple, Optional

import numpy as np

from kind.errors import UserError
from kind.evaluation.methods import Method, Output, Sample
from kind.images.photo import read_photo
from kind.metrics.artefacts import flat_noise, halo_strength
from kind.metrics.delta_e import delta_e2000
from kind.metrics.fidelity import blown_share, hue_shift
from kind.metrics.fsim import fsim
from kind.metrics.loe import loe
from kind.metrics.lpips import Lpips
from kind.metrics.mae import mae
from kind.metrics.ms_ssim import ms_ssim
from kind.metrics.mse import mse
from kind.metrics.niqe import niqe
from kind.metrics.niqe_model import NiqeModel
from kind.metrics.protocols import GT_MEAN, GT_RATIO, RAW, match_mean
from kind.metrics.psnr import psnr
from kind.metrics.ssim import ssim, ssim_gray
from kind.metrics.vif import vif
from kind.ops.ssim import WINDOW

Figures = dict[str, Optional[float]]

PHOTOGRAPH_METRICS = {
    "blown": blown_share,
    "hue": hue_shift,
    "noise": flat_noise,
    "halo": halo_strength,
}
"""Of an output and its input, where there is no target."""


class MoreMetric(NamedTuple):
    """A figure of an output and its target that is computed where it is asked for."""

    function: Callable[[np.ndarray, np.ndarray], float]
    definition: str


MORE_METRICS = {
    "mse": MoreMetric(mse, "MSE of RGB in [0, 1]"),
    "ms_ssim": MoreMetric(ms_ssim, "MS-SSIM over five scales, by channel"),
    "vif": MoreMetric(vif, "VIF in the pixel domain (VIFp) of luma"),
    "fsim": MoreMetric(fsim, "FSIM of luma"),
    "delta_e2000": MoreMetric(delta_e2000, "ΔE2000, mean over pixels, D65"),
}
"""By column."""

_NO_PI = (
    "left out: it is ½·((10 - Ma) + NIQE), and the model of Ma et al. 2017, three random forests in MATLAB's "
    "format, is not read here; their program's figure and this table's NIQE give it"
)

DIGITS = 12
"""How much of a digest is shown."""

_DEFINITIONS = {
    "psnr": "PSNR of RGB in [0, 1], mean over images",
    "ssim": "SSIM of RGB by channel, with an 11×11 Gaussian of σ 1.5 where it fits",
    "ssim_gray": "SSIM-gray the same on BT.601 luma",
    "mae": "MAE of RGB in [0, 1]",
    **{name: metric.definition for name, metric in MORE_METRICS.items()},
    "loe": "LOE of max(R, G, B) against the input, shorter side 50",
    "blown": "blown, pixels clipped in the output and not in the input",
    "hue": "hue, mean shift against the input",
    "noise": "noise, standard deviation of luma in flat dark regions of the input, of 255",
    "halo": "halo, change of the gain beside strong edges, in log₂",
}
_VERSION = 2  # raise it when a definition changes: kept results of another version are not used
_VERSIONS = {"fsim": 2}  # of figures that are asked for, from the second definition on


@dataclass(frozen=True)
class Metrics:
    """Which figures are computed: NIQE and LPIPS only where the user brought what they need.

    Attributes:
        niqe_model: the pristine model, or None.
        lpips: the network, or None.
        more: columns of `MORE_METRICS`, in their order.
    """

    niqe_model: NiqeModel | None = None
    lpips: Lpips | None = None
    more: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """What kept results are keyed by."""
        model = self.niqe_model.digest if self.niqe_model else None
        more = "".join(f" {name}{_VERSIONS.get(name, '')}" for name in self.more)
        return f"{_VERSION} niqe {model} lpips {self.lpips.digest if self.lpips else None}{more}"

    def columns(self, with_target: bool) -> list[str]:
        """The figures' keys in the order of the table."""
        columns = ["psnr", "ssim", "ssim_gray", "mae", *self.more] if with_target else []
        columns += ["loe"] if with_target else ["loe", *PHOTOGRAPH_METRICS]
        columns += ["niqe"] if self.niqe_model else []
        columns += ["lpips"] if self.lpips and with_target else []
        return columns if with_target else [*columns, "seconds"]

    def facts(self, with_target: bool, shown: Collection[str] | None = None) -> list[tuple[str, str]]:
        """How the figures are defined, and which models they rest on: name and value.

        Args:
            with_target: whether the images have targets.
            shown: the figures that a report shows; None is all of `columns`, and says what is missing for
                others.
        """
        columns = self.columns(with_target)
        told = columns if shown is None else [name for name in columns if name in shown]
        figures = ("Figures", "; ".join(_DEFINITIONS[name] for name in told if name in _DEFINITIONS))
        return [figures, *(fact for name, fact in self._models(with_target) if shown is None or name in told)]

    def _models(self, with_target: bool) -> list[tuple[str, tuple[str, str]]]:
        """Facts about the models of figures, each with the column that it is about."""
        niqe_model = (
            f"{self.niqe_model.name}, digest {self.niqe_model.digest[:DIGITS]}"
            if self.niqe_model
            else "none given, so no NIQE; give --niqe-model FILE, or make one: kind evaluate fit-niqe DIR"
        )
        if not with_target:
            return [("niqe", ("NIQE model", niqe_model))]
        lpips = (
            f"AlexNet v0.1, {self.lpips.name}, digest {self.lpips.digest[:DIGITS]}"
            if self.lpips
            else "no weights given"
        )
        return [
            ("niqe", ("NIQE model", niqe_model)),
            *([("pi", ("PI", _NO_PI))] if self.niqe_model else []),
            ("lpips", ("LPIPS", lpips)),
        ]


def read_sample(sample: Sample) -> tuple[np.ndarray, np.ndarray | None]:
    """The dark image and its target, float32 [H, W, 3] in [0, 1].

    Raises:
        UserError: when a file cannot be read, sizes differ, or a pair is smaller than SSIM's window.
    """
    dark = read_photo(sample.low).pixels
    if sample.high is None:
        return dark, None
    target = read_photo(sample.high).pixels
    if dark.shape != target.shape:
        sizes = " and ".join(f"{image.shape[1]}x{image.shape[0]}" for image in (dark, target))
        raise UserError(f"{sample.low} and {sample.high} differ in size: {sizes}")
    if min(dark.shape[:2]) < WINDOW:
        raise UserError(
            f"{sample.low}: expected at least {WINDOW}x{WINDOW} pixels, the size of SSIM's window; "
            f"received {dark.shape[1]}x{dark.shape[0]}"
        )
    return dark, target


def outputs_by_protocol(
    method: Method, sample: Sample, dark: np.ndarray, target: np.ndarray | None
) -> dict[str, Output]:
    """The images that are scored, under every protocol that applies.

    Outputs are rounded to 8 bits first, as if written and read again: so that `--pred` with the written
    files gives the same figures, and other programs' files are met on equal terms.

    Args:
        method: what makes the outputs.
        sample: which image.
        dark: float32 [H, W, 3] in [0, 1].
        target: the same shape, or None for the raw protocol alone.

    Returns:
        By protocol.

    Raises:
        UserError: when an output holds NaN or infinity, or see the method.
    """
    raw = _rounded(method, sample, method.enhance(sample, dark))
    outputs = {RAW: raw}
    if target is not None:
        outputs[GT_MEAN] = raw._replace(image=match_mean(raw.image, target))
        to_target = method.enhance_to(sample, dark, target)
        if to_target is not None:
            outputs[GT_RATIO] = _rounded(method, sample, to_target)
    return outputs


def figures_of(output: Output, dark: np.ndarray, target: np.ndarray | None, metrics: Metrics) -> Figures:
    """Everything that is measured of one output.

    Args:
        output: of one protocol.
        dark: float32 [H, W, 3] in [0, 1].
        target: the same shape, or None.
        metrics: which figures.

    Returns:
        By key; None where a figure is not defined (the image is too small, or without texture).
    """
    figures: Figures = {}
    if target is not None:
        for metric in (psnr, ssim, ssim_gray, mae):
            figures[metric.__name__] = metric(output.image, target)
        for name in metrics.more:
            figures[name] = _where_defined(lambda m=MORE_METRICS[name].function: m(output.image, target))
    figures["loe"] = loe(output.image, dark)
    if target is None:
        for name, metric in PHOTOGRAPH_METRICS.items():
            figures[name] = _number(metric(output.image, dark))
    if metrics.niqe_model:
        figures["niqe"] = _where_defined(lambda: niqe(output.image, metrics.niqe_model))
    if metrics.lpips and target is not None:
        figures["lpips"] = _where_defined(lambda: metrics.lpips(output.image, target))
    figures["seconds"], figures["alpha"] = output.seconds, output.alpha
    return figures


def _rounded(method: Method, sample: Sample, output: Output) -> Output:
    if not np.isfinite(output.image).all():
        raise UserError(f"{sample.low}: {method.name} made NaN or infinity of it; have its weights diverged?")
    levels = np.rint(np.clip(output.image, 0, 1) * 255)
    return output._replace(image=(levels / 255).astype(np.float32))


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _where_defined(metric: Callable[[], float]) -> float | None:
    try:
        return _number(metric())
    except ValueError:
        return None
