"""Networks that take the weights of a trained detector: for other classes, and for its features alone."""

from __future__ import annotations

from collections.abc import Sequence

from tensorflow import keras

from kind.data.annotations.reading import check_class_names
from kind.detection.model import Detector, build_detector, proportions_of
from kind.errors import UserError


def with_classes(net: Detector, class_names: Sequence[str]) -> Detector:
    """The same detector for other classes: all weights but those of the last class layers are kept.

    Args:
        net: a trained detector; stays as it is.
        class_names: of the new detector.

    Returns:
        A detector with the same proportions, whose last class layers are new.

    Raises:
        UserError: when a class name is given twice.
    """
    check_class_names(class_names)
    other = build_detector(
        proportions_of(net),
        class_names,
        class_channels=net.class_channels,
        downsample_depth=net.downsample_depth,
        name=net.name,
    )
    other.canvas = net.canvas
    copy_weights(net, other, but=other.class_layers)
    return other


def feature_network(net: Detector) -> keras.Model:
    """A frozen copy of a detector's backbone that gives its features, for perceptual losses.

    All normalisations use their stored statistics, also when it is called with `training=True`; gradients
    reach the image, and no weight is trainable.

    Args:
        net: a detector of any architecture; stays as it is.

    Returns:
        A model float32 [N, H, W, 3], RGB in [0, 1], sides multiples of 32 → a list of five feature maps
        [N, h, w, C]: of YOLOX at strides 2, 4, 8, 16 and 32, of YOLOv8 at 4, 4, 8, 16 and 32 (KerasCV's P1 is
        the end of the stem).

    Raises:
        UserError: of a detector that is only there to find objects, such as a RetinaNet.

    Example:
        >>> features = feature_network(load_detector())
        >>> terms = [tf.reduce_mean(abs(a - b)) for a, b in zip(features(dark), features(bright))]
    """
    if not isinstance(net, Detector):
        raise UserError(f"features are those of YOLOv8 and YOLOX detectors; received a {net.title}")
    backbone = type(net.backbone).from_config(net.backbone.get_config())
    backbone.set_weights(net.backbone.get_weights())
    names = backbone.pyramid_level_inputs
    features = [backbone.get_layer(names[f"P{level}"]).output for level in range(1, 6)]
    frozen = keras.Model(backbone.input, features, name="detector_features")
    frozen.trainable = False
    return frozen


def copy_weights(source: keras.Model, target: keras.Model, but: Sequence[str] = ()) -> None:
    """Copies the weights of all layers that `target` has, by name.

    Args:
        source: has a layer of the same name and shapes for each layer with weights of `target`.
        target: receives them.
        but: names of layers to leave as they are.

    Raises:
        ValueError: when `source` lacks a layer, or one has other shapes.
    """
    for layer in target.layers:
        if layer.weights and layer.name not in but:
            layer.set_weights(source.get_layer(layer.name).get_weights())
