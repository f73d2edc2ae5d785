"""Classes by name, across data sets."""

import numpy as np
import pytest

from kind.data.annotations.class_names import COCO, DARK_FACE, EXDARK, PASCAL_VOC
from kind.detection.evaluation.class_matching import match_classes
from kind.errors import UserError
from kind.metrics.boxes import Predictions


@pytest.mark.parametrize("data", [COCO, PASCAL_VOC, EXDARK])
def test_a_coco_detector_knows_every_class_of_the_public_sets(data):
    matching = match_classes(COCO, data, "net")
    assert matching.unknown == ()
    assert sorted(matching.numbers[matching.numbers >= 0]) == list(range(len(data)))


def test_names_and_synonyms_meet():
    numbers = match_classes(COCO, EXDARK, "net").numbers
    pairs = {COCO[own]: EXDARK[number] for own, number in enumerate(numbers) if number >= 0}
    assert pairs["person"] == "People" and pairs["motorcycle"] == "Motorbike"
    assert pairs["dining table"] == "Table" and pairs["bus"] == "Bus" and len(pairs) == 12
    assert match_classes(["Hot-Dog"], ["hot dog"], "net").numbers.tolist() == [0]


def test_what_is_unknown_is_said_and_left_out():
    matching = match_classes(["dog", "tree", "cat"], ["cat", "cow", "dog"], "net")
    assert matching.unknown == ("cow",)
    found = Predictions(np.arange(16.0).reshape(4, 4), np.array([4, 3, 2, 1.0]), np.array([0, 1, 2, 0]))
    kept = matching.translated(found)
    assert kept.classes.tolist() == [2, 0, 2] and kept.scores.tolist() == [4, 2, 1]
    assert kept.boxes[:, 0].tolist() == [0, 8, 12]


def test_who_found_nothing_names_no_class():
    assert match_classes((), COCO, "net").unknown == COCO


def test_nothing_in_common_is_a_mistake():
    with pytest.raises(UserError, match="net: knows none of the data set's classes: it finds face; .* has"):
        match_classes(DARK_FACE, COCO, "net")
