"""Training of the joint network with terms that keep its reflectance a reflectance."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras

from kind.detection.adaptation.model import early_feature
from kind.detection.adaptation.terms import Twins, alignment_term
from kind.detection.canvas import filled, on_grey
from kind.detection.config import DetectionConfig
from kind.detection.joint import parts_of
from kind.detection.loss import TERMS
from kind.detection.stage import DetectionStage
from kind.losses.pixel import l1
from kind.ops.stretch import min_max_stretch

NAMES = ("reconstruction", "similarity", "alignment")
"""The terms besides the detector's."""


class ReflectanceStage(DetectionStage):
    """Learns as `DetectionStage`, and that R∘L is the image and R that of the bright twin.

    A detector alone may turn what is before it into anything that it likes to look at. Batches have `bright`
    beside `image` where the config says `needs_bright`.
    """

    loss_names = (*TERMS, *NAMES)

    def __init__(self, net: keras.Model, config: DetectionConfig) -> None:
        """Wraps a network of `detection.joint.joint_net`."""
        super().__init__(net, config)
        nets = parts_of(net)
        self._decom, self._restoration = nets["decom"], nets["restoration"]
        self._early = keras.Model(self.detector.input, early_feature(self.detector), name="early_half")

    def losses(self, sample, training):
        """The detector's terms, and the three others by their names and without their weights."""
        config = self.config
        photograph, reflectance, illumination, restored = self._inside(sample["image"])
        images = on_grey(restored, sample["image"])
        terms = self.losses_of(images, self.outputs_of(images, training), sample)
        found = {
            "reconstruction": l1(reflectance * illumination, photograph),
            "similarity": tf.constant(0.0),
            "alignment": tf.constant(0.0),
        }
        if config.needs_bright:
            found.update(self._compared_with_bright(images, restored, sample["bright"]))
        extra = tf.add_n([getattr(config, f"{name}_weight") * found[name] for name in NAMES])
        return {**terms, **found, "loss": terms["loss"] + config.batch * extra}

    def validation_values(self, sample):
        """As of `DetectionStage`, with all terms."""
        return {**super().validation_values(sample), **self.losses(sample, training=False)}

    def _compared_with_bright(
        self, images: tf.Tensor, restored: tf.Tensor, bright: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        _, reflectance, _, seen = self._inside(bright)
        # The bright twin is what the dark one shall become: if it moved as well, both could meet in grey.
        target = tf.stop_gradient(reflectance)
        # Likewise, of the features: those of the bright photograph stand still.
        aim = tf.stop_gradient(self._early(on_grey(seen, bright), training=False))
        features = self._early(images, training=False)
        return {
            "similarity": l1(restored, target),
            "alignment": alignment_term(Twins(features, aim)),
        }

    def _inside(self, canvases: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Photographs as the decomposition takes them, R, L and restored R: what the joint network makes."""
        photographs = min_max_stretch(filled(canvases))
        reflectance, illumination = self._decom(photographs, training=False)
        restored = self._restoration([reflectance, illumination], training=False)
        return photographs, reflectance, illumination, restored
