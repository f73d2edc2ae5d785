"""What a SavedModel of the pipeline can be asked for: image bytes in, image bytes and boxes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from kind.constants import MAX_PIXELS
from kind.enhancing.enhancer import Enhanced, Enhancer
from kind.export.changes import ServedChanges, changes_of, changes_spec
from kind.export.contract import AFTER_BYTES, BEFORE_BYTES, IMAGE_BYTES
from kind.export.detections import ServedDetector, boxes_of, boxes_spec
from kind.export.graph_images import decode_in_graph, decode_photos, encode_png
from kind.export.input_checks import checked_numbers, checked_partners, checked_size
from kind.export.merged_functions import merge_functions
from kind.export.merged_nodes import leave_out_saving, merge_nodes
from kind.export.operations import GRAPH_FILE, read_graph
from kind.export.shared_functions import with_shared_steps
from kind.export.stacked_weights import StackedWeights
from kind.nn.graphs import as_graph

_FINGERPRINT = "fingerprint.pb"


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
    enhancer: Enhancer,
    detector: ServedDetector | None = None,
    max_pixels: int = MAX_PIXELS,
    changes: ServedChanges | None = None,
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
    - `detect_changes`, only with change detection: before_bytes and after_bytes string [N], photographs of
      one place in the same position → probability_bytes and mask_bytes string [N] (PNG, one channel): the
      probability of a change, and white where a region is; boxes float32 [N, M, 4], areas int32 [N, M] in
      pixels and scores float32 [N, M], their mean probabilities, of the largest regions; number int32 [N].
      Rows without a region are 0.
    - `enhance_tensor`: images float32 [N, H, W, 3] in [0, 1], alpha float32 [N] → relit, the same shape

    The images of a batch of bytes may have different sizes and formats, see `decode_photos`. All images
    are enhanced one after another, because one keeps all cores busy, and large ones in tiles.

    Args:
        enhancer: the pipeline. Without α it is called with the image alone.
        detector: finds objects; None leaves them out.
        max_pixels: of an image; larger ones are an error that names the index.
        changes: finds what has changed between two photographs; None leaves it out.

    Returns:
        The functions. When they run, they raise tf.errors.InvalidArgumentError for what is wrong with an
        input, beginning with its name, "image_bytes[3]: " or "images: ".
    """
    served = _Served(enhancer, detector, max_pixels, changes)
    image_bytes, *dates = (
        tf.TensorSpec([None], tf.string, name) for name in (IMAGE_BYTES, BEFORE_BYTES, AFTER_BYTES)
    )
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
        **({served.detect_changes: dates} if changes else {}),
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

    def __init__(
        self,
        enhancer: Enhancer,
        detector: ServedDetector | None,
        max_pixels: int,
        changes: ServedChanges | None,
    ) -> None:
        self._detector, self._changes, self._max_pixels = detector, changes, max_pixels
        self._enhancer = with_shared_steps(enhancer, StackedWeights(enhancer.networks.values()))
        self._decode = as_graph(lambda data: decode_in_graph(data, max_pixels))
        self._encode = as_graph(encode_png)
        weights = StackedWeights(detector.networks if detector else ())
        self._find = as_graph(weights.used_by(self._find_in))
        weights = StackedWeights(changes.networks if changes else ())
        self._compare = as_graph(weights.used_by(lambda *seen: changes.find(*seen)))
        self._see = as_graph(self._seen_of_date)

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

        spec = {"enhanced_bytes": _BYTES, "alpha": tf.TensorSpec([]), **boxes_spec(detector)}
        return self._for_each_image(make, image_bytes, spec)

    def enhance(self, image_bytes: tf.Tensor, alpha: tf.Tensor) -> dict[str, tf.Tensor]:
        checked = checked_numbers(alpha, "alpha", tf.shape(image_bytes)[0], IMAGE_BYTES)

        def make(pixels, gray, index):
            relit = self._enhancer.in_graph(
                pixels, tf.expand_dims(tf.gather(checked, index), 0), parts=("relit",)
            ).relit
            return {"enhanced_bytes": self._encode(tf.squeeze(relit, 0), gray)}

        return self._for_each_image(make, image_bytes, {"enhanced_bytes": _BYTES})

    def enhance_to_brightness(self, image_bytes: tf.Tensor, brightness: tf.Tensor) -> dict[str, tf.Tensor]:
        checked = checked_numbers(brightness, "brightness", tf.shape(image_bytes)[0], IMAGE_BYTES, most=1.0)

        def make(pixels, gray, index):
            alpha = self._enhancer.alpha_in_graph(pixels, tf.gather(checked, index))
            relit = self._enhancer.in_graph(pixels, alpha, parts=("relit",)).relit
            return {"enhanced_bytes": self._encode(tf.squeeze(relit, 0), gray), "alpha": tf.squeeze(alpha, 0)}

        return self._for_each_image(make, image_bytes, {"enhanced_bytes": _BYTES, "alpha": tf.TensorSpec([])})

    def blend(self, image_bytes: tf.Tensor, strength: tf.Tensor) -> dict[str, tf.Tensor]:
        checked = checked_numbers(strength, "strength", tf.shape(image_bytes)[0], IMAGE_BYTES, most=1.0)

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
            return self._find(pixels, self._parts(pixels, detector.parts))

        return self._for_each_image(make, image_bytes, boxes_spec(detector))

    def _find_in(self, pixels: tf.Tensor, parts: list[tf.Tensor]) -> dict[str, tf.Tensor]:
        detector = self._detector
        enhanced = Enhanced(**dict(zip(detector.parts, parts)))
        return boxes_of(detector, detector.find(pixels, lambda: enhanced))

    def detect_changes(self, before_bytes: tf.Tensor, after_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        before = decode_photos(before_bytes, self._decode, BEFORE_BYTES)
        after = decode_photos(checked_partners(after_bytes, before_bytes), self._decode, AFTER_BYTES)

        def make(index):
            first = before.pixels(index)
            dates = first, checked_size(after.pixels(index), first, index)
            return changes_of(self._compare(*(self._see(tf.expand_dims(date, 0)) for date in dates)))

        return _for_each(make, tf.shape(before_bytes)[0], changes_spec(self._changes))

    def _seen_of_date(self, pixels: tf.Tensor) -> tf.Tensor:
        changes = self._changes
        enhanced = Enhanced(**dict(zip(changes.parts, self._parts(pixels, changes.parts))))
        return changes.seen(pixels, lambda: enhanced)

    def _parts(self, pixels: tf.Tensor, names: Sequence[str]) -> list[tf.Tensor]:
        """Parts of what the pipeline makes of an image."""
        if not names:
            return []
        # Where `decompose` makes them, one graph does for both.
        made = _DECOMPOSED if set(names) <= set(_DECOMPOSED) else names
        enhanced = self._enhancer.in_graph(pixels, parts=made)
        return [getattr(enhanced, name) for name in names]

    def enhance_tensor(self, images: tf.Tensor, alpha: tf.Tensor) -> dict[str, tf.Tensor]:
        shape = tf.shape(images)
        size = tf.strings.join([tf.strings.as_string(shape[2]), "x", tf.strings.as_string(shape[1])])
        problem = tf.strings.join(["images: ", size, f" pixels; the limit is {self._max_pixels}"])
        within = tf.reduce_prod(tf.cast(shape[1:3], tf.int64)) <= self._max_pixels
        with tf.control_dependencies([tf.debugging.Assert(within, [problem])]):
            checked = checked_numbers(alpha, "alpha", shape[0], "images")

        def make(number):
            image, factor = (tf.expand_dims(tf.gather(each, number), 0) for each in (images, checked))
            return tf.squeeze(self._enhancer.in_graph(image, factor, parts=("relit",)).relit, 0)

        # No images have no size that could be stacked.
        spec = tf.TensorSpec([None, None, 3])
        relit = tf.cond(shape[0] > 0, lambda: _for_each(make, shape[0], spec), lambda: tf.identity(images))
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

        return _for_each(make_one, tf.shape(image_bytes)[0], spec)


def _for_each(make, count: tf.Tensor, spec):
    """Calls a function with each index, one after another, and stacks its outputs."""
    return tf.map_fn(make, tf.range(count), fn_output_signature=spec, parallel_iterations=1)


_BYTES = tf.TensorSpec([], tf.string)
_DECOMPOSED = ("reflectance", "illumination")
