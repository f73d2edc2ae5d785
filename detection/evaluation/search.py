"""The loop over images, inputs and detectors; predictions are kept, so that an interrupted run continues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from kind.data.annotations.annotated import AnnotatedImage
from kind.data.darkening import PRESETS, darken
from kind.detection.evaluation.class_matching import ClassMatching
from kind.detection.inputs import detector_inputs
from kind.detection.predictor import Predictor
from kind.enhancing.enhancer import Enhancer
from kind.errors import UserError
from kind.evaluation.methods import file_digest
from kind.images.photo import read_photo
from kind.metrics.boxes import Objects, Predictions
from kind.reports.progress import Progress
from kind.reports.results import Results, result_key

_VERSION = (
    "1"  # raise it when predictions come about in another way: kept ones of another version are not used
)
_PIXEL_DIGITS, _SCORE_DIGITS = 3, 6

RECORDED = "recorded"
"""The kind of input of boxes that another program found: pictures show them on the photograph as it is."""

_NOTHING = Predictions(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))


class Sample(NamedTuple):
    """One image to search.

    Attributes:
        name: what tables call it.
        image: its file and what is in it.
        index: its place in the whole data set, which its dark twin depends on.
    """

    name: str
    image: AnnotatedImage
    index: int


class Darkening(NamedTuple):
    """How images are made dark: a name of `data.darkening.PRESETS`, and a seed."""

    preset: str
    seed: int


class Method(NamedTuple):
    """A detector on a kind of input.

    Attributes:
        detector: its name.
        input: the kind, see `detection.inputs`.
        find: the detector.
        classes: its classes and the data set's.
        identity: everything that its predictions depend on beside the input.
        recorded: what another program found, by image; then `find` is None and the input is `RECORDED`.
    """

    detector: str
    input: str
    find: Predictor | None
    classes: ClassMatching
    identity: str
    recorded: Mapping[Path, Predictions] | None = None

    @property
    def name(self) -> str:
        """Detector and input."""
        return f"{self.detector}, {self.input}"


class LeftOut(NamedTuple):
    """An image that was left out, and the one line that says why."""

    image: str
    reason: str


class Search(NamedTuple):
    """What was found.

    Attributes:
        samples: the images that were searched.
        objects: of each, what is there.
        found: for each method, of each image, with the data set's class numbers.
        left_out: the others.
    """

    samples: Sequence[Sample]
    objects: Sequence[Objects]
    found: Sequence[Sequence[Predictions]]
    left_out: Sequence[LeftOut]


class Inputs:
    """Makes the inputs of images: reads, darkens, enhances."""

    def __init__(self, enhancer: Enhancer | None, alpha: float | None, darkening: Darkening | None) -> None:
        """Settings.

        Args:
            enhancer: the networks, None when no input needs them.
            alpha: of "relit"; None is what the networks choose.
            darkening: None takes the images as they are.
        """
        self._enhancer, self._alpha, self._darkening = enhancer, alpha, darkening
        self.own_alpha = enhancer.own_alpha if enhancer else ""
        self.digests = enhancer.digests() if enhancer else {}
        if enhancer and enhancer.precision != "float32":
            self.digests["precision"] = enhancer.precision

    def identities(self, sample: Sample, kinds: Sequence[str]) -> dict[str, str]:
        """Everything that each kind of input of an image depends on.

        Raises:
            UserError: when the image cannot be read.
        """
        image = file_digest(sample.image.path)
        dark = f"{self._darkening} {sample.index}" if self._darkening else "as it is"
        return {kind: f"{image} {dark} {kind} {self._networks(kind)}" for kind in kinds}

    def photograph(self, sample: Sample) -> np.ndarray:
        """The image, or its dark twin, rounded to 8 bits as `kind darken` writes it; float32 [H, W, 3].

        Raises:
            UserError: when the file cannot be read, or is not of the size that the annotations are for.
        """
        pixels = read_photo(sample.image.path).pixels
        if pixels.shape[:2] != tuple(sample.image.size):
            sizes = ["{1}x{0}".format(*size) for size in (pixels.shape, sample.image.size)]
            raise UserError(f"{sample.image.path}: is {sizes[0]}, but its annotations are for {sizes[1]}")
        if self._darkening:
            seed = tf.constant([self._darkening.seed, sample.index])
            dark = darken(tf.constant(pixels), seed, PRESETS[self._darkening.preset])
            pixels = np.rint(dark.numpy() * 255).astype(np.float32) / 255
        return pixels

    def of(self, photograph: np.ndarray, kinds: Sequence[str]) -> dict[str, tf.Tensor]:
        """What the detector sees, float32 [H, W, 3] for each kind; the networks run once at most."""
        plain = {kind: "raw" if kind == RECORDED else kind for kind in kinds}
        wanted = list(dict.fromkeys(plain.values()))
        made = detector_inputs(self._enhancer, tf.constant(photograph[np.newaxis]), wanted, self._alpha)
        return {kind: made[made_of][0] for kind, made_of in plain.items()}

    def _networks(self, kind: str) -> str:
        """The weights and settings that make a kind of input."""
        return {"relit": f"{self.digests} {self._alpha}", "reflectance": str(self.digests)}.get(kind, "")


def search(samples: Sequence[Sample], methods: Sequence[Method], inputs: Inputs, results: Results) -> Search:
    """Searches every image by every method; what is kept from an earlier run is not searched again.

    Progress goes to stderr. An image that cannot be read is left out for all methods, so that they stay
    comparable.

    Args:
        samples: the images.
        methods: detectors on inputs.
        inputs: makes the inputs.
        results: where predictions are kept; see `kept_predictions`.

    Returns:
        What was found.
    """
    searched, left_out = [], []
    kept = 0
    with Progress("images") as progress:
        for done, sample in enumerate(samples, 1):
            before = len(results)
            try:
                searched.append((sample, _search_one(sample, methods, inputs, results)))
                kept += len(results) == before
            except UserError as error:
                left_out.append(LeftOut(sample.name, str(error)))
            progress(done, len(samples), kept)
    return Search(
        [sample for sample, _ in searched],
        [sample.image.objects() for sample, _ in searched],
        [
            [method.classes.translated(found[number]) for _, found in searched]
            for number, method in enumerate(methods)
        ],
        left_out,
    )


def _search_one(
    sample: Sample, methods: Sequence[Method], inputs: Inputs, results: Results
) -> list[Predictions]:
    """One image by every method; it is only decoded when something of it is missing."""
    kinds = list(dict.fromkeys(method.input for method in methods))
    identities = inputs.identities(sample, kinds)
    keys = [result_key(_VERSION, identities[method.input], method.identity) for method in methods]
    missing = [number for number, key in enumerate(keys) if results.get(key) is None]
    if missing:
        wanted = [methods[number].input for number in missing if methods[number].recorded is None]
        seen = inputs.of(inputs.photograph(sample), list(dict.fromkeys(wanted))) if wanted else {}
        for number in missing:
            method = methods[number]
            if method.recorded is not None:
                found = method.recorded.get(sample.image.path, _NOTHING)
            else:
                found = method.find(seen[method.input])
            results.add(keys[number], sample.name, method.name, _json_form(found))
    return [results.get(key) for key in keys]


def _json_form(found: Predictions) -> dict[str, Any]:
    """Rounded, so that a file of thousands of boxes an image stays small; what is scored is what is kept."""
    return {
        "boxes": np.round(found.boxes.astype(float), _PIXEL_DIGITS).tolist(),
        "scores": np.round(found.scores.astype(float), _SCORE_DIGITS).tolist(),
        "classes": found.classes.tolist(),
    }


def parsed_predictions(content: Any) -> Predictions:
    """Predictions from what `Results` keeps.

    Raises:
        ValueError: when it is something else; likewise KeyError and TypeError.
    """
    boxes = np.asarray(content["boxes"], np.float32).reshape(-1, 4)
    scores, classes = np.asarray(content["scores"], np.float32), np.asarray(content["classes"], np.int32)
    if not len(boxes) == len(scores) == len(classes):
        raise ValueError("an image's predictions expect as many boxes as scores and classes")
    return Predictions(boxes, scores, classes)


kept_predictions = partial(Results, field="found", parse=parsed_predictions)
"""The file (`path`, and `fresh=True` to forget what is in it) that `search` keeps its results in."""
