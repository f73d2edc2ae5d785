"""The networks of detection as `kind.export` takes them, which knows nothing of detection."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorflow import keras

    from kind.detection.model import Detector
    from kind.detection.predictor import Thresholds
    from kind.export.changes import ServedChanges
    from kind.export.detections import ServedDetector

_MAX_REGIONS = 100


def load_served_detector(
    path: Path | None, thresholds: Thresholds, detector_input: str
) -> ServedDetector | None:
    """The given detector, or the one that ships; None, with a notice, where none ships."""
    from kind.detection import predictor

    if path is None and not predictor.SHIPPED_DETECTOR.is_file():
        print("kind: no detector ships with this installation: exporting without objects", file=sys.stderr)
        return None
    return served_detector(predictor.load_detector(path), thresholds, detector_input)


def served_detector(net: Detector, thresholds: Thresholds, input_name: str) -> ServedDetector:
    """Wraps a detector.

    Args:
        net: the network.
        thresholds: what becomes a box.
        input_name: the detector's input, one of `kind.detection.inputs.INPUTS`.

    Returns:
        What `kind.export.signatures.make_signatures` takes.
    """
    from kind.detection.inputs import detector_input, enhanced_parts
    from kind.export.detections import Found, ServedDetector

    def find(images, enhanced):
        # Whether or not the pipeline has run already, detection's own function selects the input.
        seen = detector_input(lambda *_: enhanced(), images, input_name)
        return Found(*thresholds.search(net, seen))

    return ServedDetector(
        find, tuple(net.class_names), thresholds.max_detections, enhanced_parts([input_name]), (net,)
    )


def load_served_changes(path: Path | None, threshold: float, smallest: int) -> ServedChanges:
    """The given network of change detection, or the one that ships; see `served_changes`."""
    from kind.detection.change.predictor import input_of, load_change_net

    return served_changes(load_change_net(path), input_of(path), threshold, smallest)


def served_changes(net: keras.Model, input_name: str, threshold: float, smallest: int) -> ServedChanges:
    """Wraps a network of change detection.

    Args:
        net: the network.
        input_name: what it compares, one of `kind.detection.inputs.INPUTS`.
        threshold: pixels of a higher probability have changed.
        smallest: regions of fewer pixels are left out.

    Returns:
        What `kind.export.signatures.make_signatures` takes.
    """
    from kind.detection.change.graph_regions import found_changes
    from kind.detection.change.predictor import change_probability
    from kind.detection.inputs import detector_input, enhanced_parts
    from kind.export.changes import ServedChanges

    return ServedChanges(
        lambda images, enhanced: detector_input(lambda *_: enhanced(), images, input_name),
        lambda *seen: found_changes(change_probability(net, *seen), threshold, smallest, _MAX_REGIONS),
        _MAX_REGIONS,
        enhanced_parts([input_name]),
        (net,),
    )
