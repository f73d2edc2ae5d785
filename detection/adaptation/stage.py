"""Training of the adaptation: dark twin and bright photograph → boxes, classes and one reflectance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf
from tensorflow import keras

from kind.constants import SCORED_CONFIDENCE
from kind.detection.adaptation import terms
from kind.detection.adaptation.config import WEIGHTS, AdaptationConfig
from kind.detection.adaptation.model import decoder_of, early_feature
from kind.detection.adaptation.terms import Twins
from kind.detection.canvas import filled, on_grey
from kind.detection.joint import detector_of
from kind.detection.optimizer import DetectionOptimizer
from kind.detection.stage import DetectionStage, preprocessing
from kind.ops.colour_invariants import as_detector_input, invariant_edges
from kind.ops.stretch import stretched_by, value_range
from kind.training.layer_names import rate_groups

Decomposition = Callable[[tf.Tensor], Sequence[tf.Tensor]]
"""Images, float32 [N, S, S, 3], stretched → [reflectance, illumination]."""

NAMES = tuple(name.removesuffix("_weight") for name in WEIGHTS)
"""The terms, in the order of their weights."""

_SMALLEST_DECODING, _SMALLEST_ALIGNMENT, _LOWEST_SCORE = 1 / 20, 1e-9, 0.01
_SPAN = {"retinex": 1.0, "ciconv": 8.0}  # of the reference's values, for SSIM
_DECODER_GROUP = "decoder/*"


class AdaptationStage(DetectionStage):
    """Learns from batches `{image, bright, boxes, classes}`: `image` is the dark twin of `bright`.

    The best network has the highest mAP50 on the dark twins.
    """

    loss_names = ("loss", *NAMES)
    shown = ("bright photograph", "found in its dark twin", "decoded of the twin", "reference")
    config: AdaptationConfig

    def __init__(self, net: keras.Model, config: AdaptationConfig, decompose: Decomposition | None = None):
        """Wraps a network.

        Args:
            net: of `detection.adaptation.model.adaptation_net`.
            config: the run's settings.
            decompose: the frozen decomposition; None will do with the reference "ciconv".

        Raises:
            ValueError: when it is missing.
        """
        if decompose is None and config.reference == "retinex":
            raise ValueError("the reference retinex expects a decomposition; received None")
        super().__init__(net, config, preprocessing("raw"))
        self._decompose = decompose
        self._decoder = decoder_of(net)
        outputs = {**self.detector.output, "early": early_feature(self.detector)}
        self._whole = keras.Model(self.detector.input, outputs, name="whole_detector")
        self._early = keras.Model(self.detector.input, outputs["early"], name="early_half")

    def set_up(self, steps_per_epoch):
        """As every stage, and proves that the optimizer steps all that is trained."""
        super().set_up(steps_per_epoch)
        check_stepped(self.net, self.grouped_optimizer.all_weights)

    def make_optimizer(self, steps_per_epoch, groups):
        """The decoder at its own rate, and the detector after the epochs that are the decoder's alone."""
        config = self.config
        slower = f"{_DECODER_GROUP}={config.decoder_rate}"
        groups = rate_groups(self.net, (slower, *config.learning_rate_multipliers))
        self._first_step = config.decoder_epochs * steps_per_epoch
        late = self.detector.trainable_variables if self._first_step else ()
        return DetectionOptimizer(config, steps_per_epoch, groups, late, self._first_step)

    def losses(self, sample, training):
        """The weighted total, and every term by its name and without its weight."""
        return self._totalled(self.terms_of(sample, training))

    def terms_of(self, sample: dict[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        """The terms of a batch, float32 scalars by name; 0 where the weight is 0 and the term costs time."""
        canvases = Twins(sample["image"], sample["bright"])
        seen = tf.concat([on_grey(one, one) for one in canvases], axis=0)
        outputs = self._outputs(seen, training)
        halves = {name: Twins.of(values) for name, values in outputs.items()}
        found = {
            name: self.losses_of(seen, {key: halves[key][half] for key in ("boxes", "classes")}, sample)[
                "loss"
            ]
            for half, name in enumerate(("dark", "bright"))
        }
        features = halves["early"]
        found["alignment"] = terms.alignment_term(features)
        found["gram"] = self._unless_off("gram", lambda: terms.gram_term(features))
        return {**found, **self._reflectance_terms(canvases, features, found["alignment"], training)}

    def validation_values(self, sample):
        """Losses, what was found on the dark twin, and what the checks of `complaints` need."""
        found = self.terms_of(sample, training=False)
        outputs = self._whole(self.seen(sample["image"]), training=False)
        return {
            **self._totalled(found),
            **self._compared(outputs, sample, SCORED_CONFIDENCE),
            **self._extents(sample, self._decoder(outputs["early"], training=False)),
            "highest_score": tf.reduce_max(outputs["classes"]),
        }

    def complaints(self, values):
        """Names the failures that this way of training is known for."""
        found = list(super().complaints(values))
        count = len(values)
        if all(map(_is_black_or_flat, values)):
            found.append(
                f"the decoder's output is black or flat in all {count} validation images: below 1/20 of the "
                "reference's mean or range"
            )
        if self.config.alignment_weight and max(float(v["alignment"]) for v in values) < _SMALLEST_ALIGNMENT:
            found.append(
                f"the alignment is 0 in all {count} validation images: dark and bright features are constant"
            )
        highest = max(float(value["highest_score"]) for value in values)
        if highest < _LOWEST_SCORE:
            found.append(f"the detector predicts everything as nothing: its highest score is {highest:.2g}")
        return found

    def visualisations(self, sample):
        """What `shown` names."""
        outputs = self._whole(self.seen(sample["image"]), training=False)
        decoded = self._decoder(outputs["early"], training=False)
        reference = self._reference(Twins(sample["image"], sample["bright"]))[0]
        shown = [decoded, reference]
        if self.config.reference == "ciconv":
            shown = [as_detector_input(one) for one in shown]
        return [self.seen(sample["bright"]), *DetectionStage.visualisations(self, sample)[1:], *shown]

    def outputs_of(self, images, training):
        """Raw outputs of the detector, and its early features."""
        return self._outputs(images, training)

    def parts(self, net):
        """Both networks as files of their own: `kind detect` takes `detector.keras`."""
        return {"detector": detector_of(net), "decoder": decoder_of(net)}

    def _outputs(self, images: tf.Tensor, training: bool) -> dict[str, tf.Tensor]:
        """Raw outputs and early features; statistics stand still while the decoder learns alone."""
        if not (training and self._first_step):
            return dict(self._whole(images, training=training))
        return tf.cond(
            self.grouped_optimizer.steps < self._first_step,
            lambda: dict(self._whole(images, training=False)),
            lambda: dict(self._whole(images, training=True)),
        )

    def _extents(self, sample: dict[str, tf.Tensor], decoded: tf.Tensor) -> dict[str, tf.Tensor]:
        """Range and mean absolute value of a decoding and of its reference, where the photograph is."""
        reference, _ = self._reference(Twins(sample["image"], sample["bright"]))
        inside = sample["bright"][..., 0] >= 0.0
        found = {}
        for name, values in (("decoded", decoded), ("reference", reference)):
            values = tf.cast(tf.boolean_mask(values, inside), tf.float32)
            found[f"{name}_range"] = tf.reduce_max(values) - tf.reduce_min(values)
            found[f"{name}_mean"] = tf.reduce_mean(tf.abs(values))
        return found

    def _unless_off(self, name: str, term: Callable[[], tf.Tensor]) -> tf.Tensor:
        return term() if getattr(self.config, f"{name}_weight") else tf.constant(0.0)

    def _reflectance_terms(
        self, canvases: Twins, features: Twins, alignment: tf.Tensor, training: bool
    ) -> dict[str, tf.Tensor]:
        """The terms of the decodings, and the alignment with that of the interchanged images."""
        config = self.config
        reference, illumination = self._reference(canvases)
        inside = canvases.bright[..., :1] >= 0.0
        # Where no photograph is, there is nothing to be learned: the reference stands for the decoding.
        decoded = Twins(
            *(tf.where(inside, self._decoder(one, training=training), reference) for one in features)
        )
        found = {
            "reference": terms.reference_term(decoded, reference, _SPAN[config.reference]),
            "agreement": terms.agreement_term(decoded),
            "sobel": self._unless_off("sobel", lambda: terms.sobel_term(decoded, reference)),
            "reconstruction": tf.constant(0.0),
            "interchange": tf.constant(0.0),
        }
        if illumination is None or not (config.reconstruction_weight or config.interchange_weight):
            return found
        images = Twins(*map(filled, canvases))
        ranges = Twins(*map(value_range, images))
        stretched = Twins(*(stretched_by(one, *ends) for one, ends in zip(images, ranges)))
        found["reconstruction"] = terms.reconstruction_term(decoded, illumination, stretched)
        if not config.interchange_weight:
            return found
        swapped = terms.interchanged(decoded, illumination)
        # The decomposition sees stretched images and the detector does not.
        restored = [one * (high - low) + low for one, (low, high) in zip(Twins.of(swapped), ranges)]
        seen = [on_grey(one, canvas) for one, canvas in zip(restored, canvases)]
        # Statistics are those of photographs: these are none.
        again = Twins.of(self._early(tf.concat(seen, axis=0), training=False))
        found["alignment"] = alignment + terms.alignment_term(again)
        decoded_again = Twins(
            tf.where(inside, self._decoder(again.dark, training=training), decoded.bright),
            tf.where(inside, self._decoder(again.bright, training=training), decoded.dark),
        )
        found["interchange"] = terms.interchange_term(decoded, decoded_again)
        return found

    def _reference(self, canvases: Twins) -> tuple[tf.Tensor, Twins | None]:
        """What both decodings shall be, and the illuminations of both."""
        images = Twins(*map(filled, canvases))
        if self.config.reference == "ciconv":
            return invariant_edges(images.bright, "W", 0.0, repeat_border=True), None
        stretched = tf.concat([stretched_by(one, *value_range(one)) for one in images], axis=0)
        reflectance, illumination = (Twins.of(part) for part in self._decompose(stretched))
        return reflectance.bright, illumination

    def _totalled(self, found: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        config = self.config
        scale = {name: 1.0 if name in ("dark", "bright") else float(config.batch) for name in NAMES}
        total = tf.add_n([getattr(config, f"{name}_weight") * scale[name] * found[name] for name in NAMES])
        return {"loss": total, **{name: found[name] for name in NAMES}}


def check_stepped(net: keras.Model, stepped: Sequence[tf.Variable]) -> None:
    """Proves that an optimizer has all weights that are trained.

    Raises:
        ValueError: naming the weights that it lacks; they would keep their first values without a word.
    """
    known = {variable.ref() for variable in stepped}
    missing = [variable.name for variable in net.trainable_variables if variable.ref() not in known]
    if missing:
        raise ValueError(f"the optimizer does not step {len(missing)} trained weights, such as {missing[0]}")


def _is_black_or_flat(value: dict[str, tf.Tensor]) -> bool:
    """Whether a decoding has next to nothing of its reference, by `validation_values`."""
    return any(
        float(value[f"decoded_{what}"]) < _SMALLEST_DECODING * float(value[f"reference_{what}"])
        for what in ("range", "mean")
    )


def frozen(net: keras.Model) -> Decomposition:
    """A decomposition that no step changes, as a function."""
    net.trainable = False
    # Its parts are what is learned from: the loss shall not fall because they become easier.
    return lambda images: [tf.stop_gradient(part) for part in net(images, training=False)]
