"""What a SavedModel of the pipeline can be asked for: image bytes in, image bytes and boxes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from kind.constants import MAX_PIXELS
from kind.enhancing.enhancer import Enhanced, Enhancer
from kind.export.contract import IMAGE_BYTES, NO_CLASS
from kind.export.graph_images import decode_in_graph, decode_photos, encode_png
from kind.export.merged_functions import merge_functions
from kind.export.merged_nodes import leave_out_saving, merge_nodes
from kind.export.operations import GRAPH_FILE, read_graph
from kind.export.shared_functions import with_shared_steps
from kind.export.stacked_weights import StackedWeights
from kind.nn.graphs import as_graph

_FINGERPRINT = "fingerprint.pb"


class Found(NamedTuple):
    """What a detector finds in a batch; rows from `counts` on hold no box, whatever they contain.

    Attributes:
        boxes: float32 [N, M, 4], left, top, right, bottom in pixels.
        scores: float32 [N, M] in [0, 1], best first.
        classes: int32 [N, M].
        counts: int32 [N].
    """

    boxes: tf.Tensor
    scores: tf.Tensor
    classes: tf.Tensor
    counts: tf.Tensor


@dataclass(frozen=True)
class ServedDetector:
    """A detector as the signatures want it.

    Attributes:
        find: called inside a graph with images, float32 [1, H, W, 3] in [0, 1], and a function that gives
            the wanted parts of what the pipeline makes of them, which runs only when it is called.
        class_names: by class number.
        max_detections: M of what `find` returns.
        parts: names of the wanted parts, of `kind.enhancing.enhancer.PARTS`; none for a detector of the
            image itself.
        networks: that `find` runs.
    """

    find: Callable[[tf.Tensor, Callable[[], Enhanced]], Found]
    class_names: tuple[str, ...]
    max_detections: int
    parts: tuple[str, ...] = ()
    networks: tuple[tf.keras.Model, ...] = ()


class Signatures(NamedTuple):
    """The functions of a SavedModel, and what it has to save for them.

    Attributes:
        functions: by the signature's name.
        module: holds the weights that the functions use.
    """

    functions: dict[str, tf.types.experimental.ConcreteFunction]
    module: tf.Module

    def save(self, folder: str) -> None:
        """Writes a SavedModel into a folder, without what only training would need."""
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(self.module, folder, self.functions, options)
        graph = read_graph(Path(folder))
        merge_nodes(graph)
        leave_out_saving(graph)
        merge_functions(graph)
        Path(folder, GRAPH_FILE).write_bytes(graph.SerializeToString(deterministic=True))
        Path(folder, _FINGERPRINT).unlink()  # of the file as it was


def make_signatures(
    enhancer: Enhancer, detector: ServedDetector | None = None, max_pixels: int = MAX_PIXELS
) -> Signatures:
    """Wraps the pipeline in signatures of which every input and output has a batch dimension N.

    - `serving_default`: image_bytes string [N] → enhanced_bytes string [N] (PNG), alpha float32 [N] that was
      chosen and, with a detector, what `detect` gives
    - `enhance`: image_bytes string [N], alpha float32 [N] → enhanced_bytes string [N]
    - `enhance_to_brightness`: image_bytes string [N], brightness float32 [N] in [0, 1] → enhanced_bytes
      string [N] with this mean luma, and alpha float32 [N] that gives it
    - `blend`: image_bytes string [N], strength float32 [N] in [0, 1] → enhanced_bytes string [N]: so much of
      the image at the model's own α, the rest is the input
    - `decompose`: image_bytes → reflectance_bytes, illumination_bytes string [N] (PNG)
    - `detect`, only with a detector: image_bytes → boxes float32 [N, M, 4] (left, top, right, bottom in
      pixels of the upright image), scores float32 [N, M], classes int32 [N, M], class_names string [N, M],
      number int32 [N]. Rows without a box have score 0, class -1, no name and corners 0.
    - `enhance_tensor`: images float32 [N, H, W, 3] in [0, 1], alpha float32 [N] → relit, the same shape

    The images of a batch of bytes may have different sizes and formats, see `decode_photos`. All images
    are enhanced one after another, because one keeps all cores busy, and large ones in tiles.

    Args:
        enhancer: the pipeline. Without α it is called with the image alone.
        detector: finds objects; None leaves them out.
        max_pixels: of an image; larger ones are an error that names the index.

    Returns:
        The functions. When they run, they raise tf.errors.InvalidArgumentError for what is wrong with an
        input, beginning "image_bytes[3]: ", "alpha[3]: ", "brightness[3]: ", "strength[3]: " or "images: ".
    """
    served = _Served(enhancer, detector, max_pixels)
    image_bytes = tf.TensorSpec([None], tf.string, IMAGE_BYTES)
    alpha = tf.TensorSpec([None], tf.float32, "alpha")
    brightness = tf.TensorSpec([None], tf.float32, "brightness")
    strength = tf.TensorSpec([None], tf.float32, "strength")
    images = tf.TensorSpec([None, None, None, 3], tf.float32, "images")
    specs = {
        served.serving_default: [image_bytes],
        served.enhance: [image_bytes, alpha],
        served.enhance_to_brightness: [image_bytes, brightness],
        served.blend: [image_bytes, strength],
        served.decompose: [image_bytes],
        **({served.detect: [image_bytes]} if detector else {}),
        served.enhance_tensor: [images, alpha],
    }
    functions = {
        function.__name__: as_graph(function, spec).get_concrete_function()
        for function, spec in specs.items()
    }
    module = tf.Module()
    module.functions = list(functions.values())
    module.weights = list({id(v): v for f in functions.values() for v in f.graph.variables}.values())
    return Signatures(functions, module)


class _Served:
    """The signatures as methods, see `make_signatures`."""

    def __init__(self, enhancer: Enhancer, detector: ServedDetector | None, max_pixels: int) -> None:
        self._detector, self._max_pixels = detector, max_pixels
        self._enhancer = with_shared_steps(enhancer, StackedWeights(enhancer.networks.values()))
        self._decode = as_graph(lambda data: decode_in_graph(data, max_pixels))
        self._encode = as_graph(encode_png)
        weights = StackedWeights(detector.networks if detector else ())
        self._find = as_graph(weights.used_by(self._find_in))

    def serving_default(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        detector = self._detector

        def make(pixels, gray, _):
            enhanced = self._enhancer.in_graph(pixels, parts={"relit", *(detector.parts if detector else ())})
            outputs = {
                "enhanced_bytes": self._encode(tf.squeeze(enhanced.relit, 0), gray),
                "alpha": tf.squeeze(enhanced.alpha, 0),
            }
            if detector:
                outputs.update(self._find(pixels, [getattr(enhanced, name) for name in detector.parts]))
            return outputs

        spec = {"enhanced_bytes": _BYTES, "alpha": tf.TensorSpec([]), **_boxes_spec(detector)}
        return self._for_each_image(make, image_bytes, spec)

    def enhance(self, image_bytes: tf.Tensor, alpha: tf.Tensor) -> dict[str, tf.Tensor]:
        checked = _checked_numbers(alpha, "alpha", tf.shape(image_bytes)[0], IMAGE_BYTES)

        def make(pixels, gray, index):
            relit = self._enhancer.in_graph(
                pixels, tf.expand_dims(tf.gather(checked, index), 0), parts=("relit",)
            ).relit
            return {"enhanced_bytes": self._encode(tf.squeeze(relit, 0), gray)}

        return self._for_each_image(make, image_bytes, {"enhanced_bytes": _BYTES})

    def enhance_to_brightness(self, image_bytes: tf.Tensor, brightness: tf.Tensor) -> dict[str, tf.Tensor]:
        checked = _checked_numbers(brightness, "brightness", tf.shape(image_bytes)[0], IMAGE_BYTES, most=1.0)

        def make(pixels, gray, index):
            alpha = self._enhancer.alpha_in_graph(pixels, tf.gather(checked, index))
            relit = self._enhancer.in_graph(pixels, alpha, parts=("relit",)).relit
            return {"enhanced_bytes": self._encode(tf.squeeze(relit, 0), gray), "alpha": tf.squeeze(alpha, 0)}

        return self._for_each_image(make, image_bytes, {"enhanced_bytes": _BYTES, "alpha": tf.TensorSpec([])})

    def blend(self, image_bytes: tf.Tensor, strength: tf.Tensor) -> dict[str, tf.Tensor]:
        checked = _checked_numbers(strength, "strength", tf.shape(image_bytes)[0], IMAGE_BYTES, most=1.0)

        def make(pixels, gray, index):
            relit, share = self._enhancer.in_graph(pixels, parts=("relit",)).relit, tf.gather(checked, index)
            relit = tf.minimum(relit, 1.0)  # as it is shown
            return {
                "enhanced_bytes": self._encode(tf.squeeze(share * relit + (1.0 - share) * pixels, 0), gray)
            }

        return self._for_each_image(make, image_bytes, {"enhanced_bytes": _BYTES})

    def decompose(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        def make(pixels, gray, _):
            enhanced = self._enhancer.in_graph(pixels, parts=_DECOMPOSED)
            return {
                "reflectance_bytes": self._encode(tf.squeeze(enhanced.reflectance, 0), gray),
                "illumination_bytes": encode_png(tf.squeeze(enhanced.illumination, 0)),
            }

        spec = {"reflectance_bytes": _BYTES, "illumination_bytes": _BYTES}
        return self._for_each_image(make, image_bytes, spec)

    def detect(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        detector = self._detector

        def make(pixels, *_):
            parts = []
            if detector.parts:
                # Where `decompose` makes them, one graph does for both.
                made = _DECOMPOSED if set(detector.parts) <= set(_DECOMPOSED) else detector.parts
                enhanced = self._enhancer.in_graph(pixels, parts=made)
                parts = [getattr(enhanced, name) for name in detector.parts]
            return self._find(pixels, parts)

        return self._for_each_image(make, image_bytes, _boxes_spec(detector))

    def _find_in(self, pixels: tf.Tensor, parts: list[tf.Tensor]) -> dict[str, tf.Tensor]:
        detector = self._detector
        enhanced = Enhanced(**dict(zip(detector.parts, parts)))
        return _boxes(detector, detector.find(pixels, lambda: enhanced))

    def enhance_tensor(self, images: tf.Tensor, alpha: tf.Tensor) -> dict[str, tf.Tensor]:
        shape = tf.shape(images)
        size = tf.strings.join([tf.strings.as_string(shape[2]), "x", tf.strings.as_string(shape[1])])
        problem = tf.strings.join(["images: ", size, f" pixels; the limit is {self._max_pixels}"])
        within = tf.reduce_prod(tf.cast(shape[1:3], tf.int64)) <= self._max_pixels
        with tf.control_dependencies([tf.debugging.Assert(within, [problem])]):
            checked = _checked_numbers(alpha, "alpha", shape[0], "images")

        def make(number):
            image, factor = (tf.expand_dims(tf.gather(each, number), 0) for each in (images, checked))
            return tf.squeeze(self._enhancer.in_graph(image, factor, parts=("relit",)).relit, 0)

        def all_of_them():
            spec = tf.TensorSpec([None, None, 3])
            return tf.map_fn(make, tf.range(shape[0]), fn_output_signature=spec, parallel_iterations=1)

        # No images have no size that could be stacked.
        relit = tf.cond(shape[0] > 0, all_of_them, lambda: tf.identity(images))
        return {"relit": tf.ensure_shape(relit, images.shape)}

    def _for_each_image(self, make, image_bytes: tf.Tensor, spec: dict[str, tf.TensorSpec]):
        """Calls a function on one decoded image of a batch after another and stacks its outputs.

        Args:
            make: takes pixels float32 [1, H, W, 3], whether the file was gray, and the index.
            image_bytes: string [N].
            spec: of what `make` returns.
        """
        photos = decode_photos(image_bytes, self._decode)

        # Here and in what it calls `gather` and `squeeze` take fewer nodes than slices.
        def make_one(index):
            return make(tf.expand_dims(photos.pixels(index), 0), tf.gather(photos.gray, index), index)

        indices = tf.range(tf.shape(image_bytes)[0])
        return tf.map_fn(make_one, indices, fn_output_signature=spec, parallel_iterations=1)


_BYTES = tf.TensorSpec([], tf.string)
_DECOMPOSED = ("reflectance", "illumination")


@as_graph
def _checked(numbers: tf.Tensor, count: tf.Tensor, most: tf.Tensor, texts: tf.Tensor) -> tf.Tensor:
    """An input after its check: one number for each image, from 0 to `most`; one graph for all inputs.

    Args:
        numbers: float32 [N].
        count: of images.
        most: the largest number.
        texts: names of this input and of that of the images, and `most` in words.
    """
    name, images, upto = tf.unstack(texts)
    counts = tf.strings.as_string(tf.stack([count, tf.shape(numbers)[0]]))
    unequal = tf.strings.join(
        [name, ": expects as many numbers as ", images, ", ", counts[0], "; received ", counts[1]]
    )
    with tf.control_dependencies([tf.debugging.Assert(tf.shape(numbers)[0] == count, [unequal])]):
        wrong = tf.logical_not((numbers >= 0.0) & (numbers <= most))  # NaN is, too
    first = tf.minimum(tf.reduce_min(tf.where(wrong, tf.range(count), count)), count)
    # A sum, because without fault there is no such element.
    value = tf.strings.as_string(tf.reduce_sum(numbers[first : first + 1]), shortest=True)
    expected = ["]: expects a number from 0 ", upto, "; received "]
    message = tf.strings.join([name, "[", tf.strings.as_string(first), *expected, value])
    with tf.control_dependencies([tf.debugging.Assert(tf.logical_not(tf.reduce_any(wrong)), [message])]):
        return tf.identity(numbers)


def _checked_numbers(
    numbers: tf.Tensor, name: str, count: tf.Tensor, images: str, most: float = tf.float32.max
) -> tf.Tensor:
    upto = "on" if most == tf.float32.max else f"to {most:g}"
    return _checked(numbers, count, tf.constant(most), tf.constant([name, images, upto]))


def _boxes(detector: ServedDetector, found: Found) -> dict[str, tf.Tensor]:
    """What was found in one image, rows without a box cleared."""
    count = tf.squeeze(found.counts, 0)
    has_box = tf.range(detector.max_detections) < count
    classes = tf.where(has_box, tf.squeeze(found.classes, 0), NO_CLASS)
    names = tf.constant([*detector.class_names, ""])  # the last one for rows without a box
    return {
        "boxes": tf.where(tf.expand_dims(has_box, 1), tf.squeeze(found.boxes, 0), 0.0),
        "scores": tf.where(has_box, tf.squeeze(found.scores, 0), 0.0),
        "classes": classes,
        "class_names": tf.gather(names, tf.where(has_box, classes, len(detector.class_names))),
        "number": count,
    }


def _boxes_spec(detector: ServedDetector | None) -> dict[str, tf.TensorSpec]:
    """The shapes and types of `_boxes`; nothing without a detector."""
    if detector is None:
        return {}
    rows = detector.max_detections
    return {
        "boxes": tf.TensorSpec([rows, 4], tf.float32),
        "scores": tf.TensorSpec([rows], tf.float32),
        "classes": tf.TensorSpec([rows], tf.int32),
        "class_names": tf.TensorSpec([rows], tf.string),
        "number": tf.TensorSpec([], tf.int32),
    }
