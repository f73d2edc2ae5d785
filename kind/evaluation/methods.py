"""Methods that are scored: networks, other programs' images and baselines, behind one interface."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kind.enhancing.enhancer import Enhancer
from kind.errors import UserError, listed
from kind.images.finding import find_photos
from kind.images.photo import opened, read_photo


class Sample(NamedTuple):
    """One image to score.

    Attributes:
        name: what tables call it.
        low: the dark image's file.
        high: the target's file, or None for a photograph without one.
    """

    name: str
    low: Path
    high: Path | None = None


class Output(NamedTuple):
    """What a method made of one image.

    Attributes:
        image: float32 [H, W, 3], RGB in [0, 1].
        seconds: it took, reading and writing left out; None when another program made it.
        alpha: α that the illumination was adjusted by, None for other methods.
    """

    image: np.ndarray
    seconds: float | None = None
    alpha: float | None = None


class Method:
    """Something that turns a dark image into a brighter one.

    Attributes:
        name: what tables call it.
        is_baseline: whether it is a reference only, of which the report shows no pictures.
    """

    name = ""
    is_baseline = False

    def identity(self, sample: Sample) -> str:
        """Everything that the output depends on beside the image: what kept results are keyed by."""
        raise NotImplementedError

    def enhance(self, sample: Sample, dark: np.ndarray) -> Output:
        """The output without any knowledge of the target, from float32 [H, W, 3] in [0, 1]."""
        raise NotImplementedError

    def enhance_to(self, sample: Sample, dark: np.ndarray, target: np.ndarray) -> Output | None:
        """The output under the GT-ratio protocol, or None where the method has no α to set."""
        return None


class Network(Method):
    """The pipeline, of whichever variant."""

    def __init__(
        self,
        enhancer: Enhancer,
        alpha: float | None = None,
        fusion: str = "plain",
        name: str = "networks",
    ) -> None:
        """Wraps an enhancer.

        Args:
            enhancer: the networks.
            alpha: of the raw and GT-mean protocols; None is what the variant chooses itself.
            fusion: of the raw and GT-mean protocols; GT-ratio is plain by definition.
            name: what tables call it.
        """
        self.name = name
        self.enhancer, self.alpha, self.fusion = enhancer, alpha, fusion
        self.digests = enhancer.digests()
        self._run(np.zeros((16, 16, 3), np.float32), alpha, fusion)  # traces the graph outside the clock

    def identity(self, sample: Sample) -> str:
        """The weights' digests and the settings."""
        precision = "" if self.enhancer.precision == "float32" else f" {self.enhancer.precision}"
        return f"networks {self.digests} {self.alpha} {self.fusion}{precision}"

    def enhance(self, sample: Sample, dark: np.ndarray) -> Output:
        """Runs the pipeline with the α of the settings."""
        return self._run(dark, self.alpha, self.fusion)

    def enhance_to(self, sample: Sample, dark: np.ndarray, target: np.ndarray) -> Output | None:
        """Runs it with the α that the enhancer takes from the target, if any, and the plain product."""
        alpha = self.enhancer.alpha_to(dark, target)
        return None if alpha is None else self._run(dark, alpha, "plain")

    def _run(self, dark: np.ndarray, alpha: float | None, fusion: str) -> Output:
        start = time.perf_counter()
        enhanced = self.enhancer(dark, alpha=alpha, fusion=fusion, parts=("relit",))
        used = float(enhanced.alpha) if alpha is None else alpha
        return Output(enhanced.relit, time.perf_counter() - start, used)


class Folder(Method):
    """Images that some other program made, matched by stem."""

    def __init__(self, folder: Path, samples: Sequence[Sample], name: str | None = None) -> None:
        """Finds the images.

        Args:
            folder: holds one image for every sample, of the dark image's stem.
            samples: what will be scored.
            name: what tables call it, by default the folder's name.

        Raises:
            UserError: when the folder is missing, two files share a stem, or samples lack an image; the
                message names them.
        """
        self.name = name or folder.resolve().name
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder of outputs")
        self._files: dict[str, Path] = {}
        for path in find_photos([folder]):
            if path.stem in self._files:
                raise UserError(f"{self._files[path.stem]} and {path.name} share a stem; keep one of them")
            self._files[path.stem] = path
        stems = [sample.low.stem for sample in samples]
        if twice := {stem for stem in stems if stems.count(stem) > 1}:
            raise UserError(f"two images have the stem {min(twice)}, which {folder} cannot tell apart")
        missing = [stem for stem in stems if stem not in self._files]
        if missing:
            raise UserError(f"{folder}: holds no output of the stem {listed(missing)}")

    def identity(self, sample: Sample) -> str:
        """The file's content."""
        return f"file {file_digest(self._files[sample.low.stem])}"

    def enhance(self, sample: Sample, dark: np.ndarray) -> Output:
        """Reads the image.

        Raises:
            UserError: when it cannot be read or has another size than the dark image.
        """
        path = self._files[sample.low.stem]
        pixels = read_photo(path).pixels
        if pixels.shape != dark.shape:
            raise UserError(
                f"{path}: is {pixels.shape[1]}x{pixels.shape[0]}, expected the dark image's "
                f"{dark.shape[1]}x{dark.shape[0]}"
            )
        return Output(pixels)


def file_digest(path: Path) -> str:
    """SHA-256 of an image file's bytes.

    Raises:
        ImageError: when it is empty or cannot be read.
    """
    with opened(path) as file:
        return hashlib.sha256(file.read()).hexdigest()
