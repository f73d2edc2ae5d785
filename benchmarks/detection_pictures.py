"""What detectors see in `benchmarks.detection_inputs`: photographs, dark twins, and inputs made of them.

Every picture is a file of 8 bits, made once at full size and kept: a BMP, which takes no time to compress.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from kind.data.annotations.annotated import AnnotatedImage, Annotations
    from kind.data.darkening import Darkness
    from kind.enhancing.enhancer import Enhancer

EXPOSURES = {"dim": "dusk", "dark": "moderate"}
"""How much light is left, as in a preset of `kind.data.darkening`."""

NOISES = {"little": "dusk", "moderate": "moderate", "strong": "published"}
"""How much noise there is, likewise."""

_VERSION = 1  # raise it when pictures come about in another way


class Light(NamedTuple):
    """Dark twins, of an exposure and a noise of the tables above; without a noise photographs as they are."""

    exposure: str = ""
    noise: str = ""

    @property
    def name(self) -> str:
        """What the command line and files call it: "bright", or as "dark-little"."""
        return f"{self.exposure}-{self.noise}" if self.noise else self.exposure or "bright"

    @property
    def title(self) -> str:
        """What tables call it."""
        return f"{self.exposure}, {self.noise} noise" if self.noise else self.name

    @property
    def darkness(self) -> Darkness | None:
        """What twins are drawn from; None where there are none."""
        from kind.data.darkening import PRESETS

        if not self.noise:
            return None
        exposed = PRESETS[EXPOSURES[self.exposure]]
        noisy = PRESETS[NOISES[self.noise]]
        return replace(noisy, light=exposed.light, light_range=exposed.light_range)


BRIGHT, AS_TAKEN = Light(), Light("as taken")
TWINS = tuple(Light(exposure, noise) for exposure in EXPOSURES for noise in NOISES)
LIGHTS = {light.name: light for light in (BRIGHT, *TWINS)}


class Input(NamedTuple):
    """An image that a detector may be given.

    Attributes:
        name: what tables call it.
        kind: a key of `kind.detection.inputs.INPUTS`, or "CLAHE".
        enhancer: name of the networks that make it; empty for none.
    """

    name: str
    kind: str
    enhancer: str = ""


PLAIN_INPUTS = (Input("raw", "raw"), Input("stretched", "stretched"), Input("CLAHE", "CLAHE"))
RAW = PLAIN_INPUTS[0]


def inputs_of(enhancers: Sequence[str]) -> list[Input]:
    """The inputs that need no network, then the relit image and the reflectance of every enhancer."""
    made = [Input(f"{name} {kind}", kind, name) for name in enhancers for kind in ("relit", "reflectance")]
    return [*PLAIN_INPUTS, *made]


class Division(NamedTuple):
    """Annotated photographs by what they may be used for."""

    training: list[AnnotatedImage]
    validation: list[AnnotatedImage]
    test: list[AnnotatedImage]


RULE = (
    "of each 16 photographs by sorted name the 1st, 6th and 11th: training on mixtures holds them out "
    "(kind.data.photographs), and the shipped weights were trained so"
)


def divided(images: Sequence[AnnotatedImage], most: int | None = None) -> Division:
    """Divides a data set as the training of the enhancers that ship does.

    Args:
        images: all of the data set.
        most: test photographs, evenly spaced by name; None takes them all.

    Returns:
        The division, each part by sorted name.
    """
    import numpy as np

    from kind.data.photographs import Photograph, split_photographs

    of_path = {image.path: image for image in images}
    split = split_photographs([Photograph(path.stem, path) for path in of_path])
    parts = [[of_path[photograph.path] for photograph in part] for part in split]
    training, validation, test = parts
    if most is not None and most < len(test):
        test = [test[place] for place in np.linspace(0, len(test) - 1, most).round().astype(int)]
    return Division(training, validation, test)


class Pictures:
    """The pictures of one set of photographs in one light."""

    def __init__(
        self,
        name: str,
        images: Sequence[AnnotatedImage],
        light: Light,
        folder: Path,
        enhancers: Mapping[str, Callable[[], Enhancer]],
        seed: int,
    ) -> None:
        """Makes nothing yet.

        Args:
            name: of the set, for the names of folders.
            images: the photographs.
            light: which twins of them.
            folder: where pictures are kept.
            enhancers: gives the networks by name.
            seed: of the twins; each depends on it and on its photograph's bytes alone.
        """
        self.images, self.light, self.seed = images, light, seed
        self.enhancers, self._name, self._folder = enhancers, name, folder

    @cached_property
    def _contents(self) -> list[str]:
        return [_digest(image.path.read_bytes()) for image in self.images]

    def identity(self, wanted: Input) -> str:
        """All that an input of all photographs depends on, boxes included."""
        boxes = hashlib.sha256()
        for image in self.images:
            boxes.update(image.boxes.tobytes() + image.classes.tobytes())
        return f"{self._made_by(wanted)} {self._contents} {boxes.hexdigest()}"

    def of(self, inputs: Sequence[Input], progress=None) -> dict[str, list[AnnotatedImage]]:
        """Makes what is missing of some inputs.

        Args:
            inputs: which.
            progress: called with how many photographs are done and how many there are.

        Returns:
            By the name of the input, the photographs with other files.

        Raises:
            UserError: when a photograph cannot be read or a picture cannot be written.
        """
        files = {wanted.name: self._files(wanted) for wanted in inputs}
        for number in range(len(self.images)):
            missing = [wanted for wanted in inputs if not files[wanted.name][number].is_file()]
            if missing:
                self._make(number, missing, files)
            if progress:
                progress(number + 1, len(self.images))
        return {
            name: [replace(image, path=path) for image, path in zip(self.images, paths)]
            for name, paths in files.items()
        }

    def _files(self, wanted: Input) -> list[Path]:
        if wanted.kind == "raw" and not self.light.noise:
            return [image.path for image in self.images]
        made_by = _digest(self._made_by(wanted).encode())
        folder = self._folder / f"{self._name}-{self.light.name}-{wanted.name.replace(' ', '-')}-{made_by}"
        return [
            folder / f"{image.path.stem}-{content}.bmp" for image, content in zip(self.images, self._contents)
        ]

    def _made_by(self, wanted: Input) -> str:
        """All that a picture depends on beside the photograph."""
        parts = [_VERSION, wanted.kind]
        if self.light.noise:
            parts += [self.light.darkness, self.seed]
        if wanted.enhancer:
            enhancer = self.enhancers[wanted.enhancer]()
            parts += [enhancer.variant, *sorted(enhancer.digests().items())]
        return " ".join(map(str, parts))

    def _make(self, number: int, inputs: Sequence[Input], files: dict[str, list[Path]]) -> None:
        """Makes some inputs of one photograph; each enhancer's networks run once."""
        from kind.images.encoding import write_photo
        from kind.images.photo import read_photo

        twin = self._files(RAW)[number]
        if not twin.is_file():
            write_photo(twin, self._twin(read_photo(self.images[number].path).pixels, number))
        seen = read_photo(twin).pixels
        for enhancer in dict.fromkeys(wanted.enhancer for wanted in inputs):
            own = [wanted for wanted in inputs if wanted.enhancer == enhancer]
            networks = self.enhancers[enhancer]() if enhancer else None
            for wanted, pixels in zip(own, _made(seen, [wanted.kind for wanted in own], networks)):
                if not files[wanted.name][number].is_file():
                    write_photo(files[wanted.name][number], pixels)

    def _twin(self, pixels: np.ndarray, number: int) -> np.ndarray:
        """The dark twin, float32 [H, W, 3], rounded to 8 bits."""
        import tensorflow as tf

        from kind.detection.sources import dark_twin

        seed = tf.constant([self.seed, int(self._contents[number][:7], 16)], tf.int32)
        return dark_twin(tf.constant(pixels), seed, self.light.darkness).numpy()


def _made(pixels: np.ndarray, kinds: Sequence[str], enhancer: Enhancer | None) -> list[np.ndarray]:
    """Inputs of one photograph, float32 [H, W, 3]; α of "relit" is the networks' own."""
    import numpy as np

    from kind.detection.inputs import detector_inputs
    from kind.evaluation.baselines import clahe

    plain = [kind for kind in kinds if kind != "CLAHE"]
    made = detector_inputs(enhancer, pixels[np.newaxis], plain) if plain else {}
    return [clahe(pixels) if kind == "CLAHE" else np.asarray(made[kind][0]) for kind in kinds]


def known_to(annotations: Annotations, class_names: Sequence[str], of: str) -> Annotations:
    """A data set without the objects of classes that a detector does not know.

    Args:
        annotations: the data set.
        class_names: the detector's.
        of: the detector's name, for messages.

    Raises:
        UserError: when they have no class in common.
    """
    from kind.data.annotations.chosen_classes import only_classes
    from kind.detection.evaluation.class_matching import match_classes

    unknown = match_classes(class_names, annotations.class_names, of).unknown
    known = [name for name in annotations.class_names if name not in unknown]
    return only_classes(annotations, known) if unknown else annotations


def digest_of(files: Sequence[Path]) -> str:
    """Changes with any byte of any of the files."""
    return _digest("".join(_digest(path.read_bytes()) for path in files).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
