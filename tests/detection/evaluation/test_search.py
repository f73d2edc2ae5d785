"""What kept predictions depend on, and what is refused; the loop is tested with `evaluate.py detect`."""

import numpy as np
import pytest

from kind.data.annotations.annotated import AnnotatedImage
from kind.detection.evaluation.search import Darkening, Inputs, Sample, kept_predictions
from kind.enhancing.enhancer import Enhancer
from kind.enhancing.three_networks import KindEnhancer
from kind.errors import UserError
from kind.images.photo import read_photo, write_photo

KINDS = ("raw", "stretched", "relit", "reflectance")


@pytest.fixture
def sample(tmp_path):
    write_photo(tmp_path / "one.png", np.random.default_rng(0).random((10, 16, 3)))
    none = np.zeros(0)
    image = AnnotatedImage(tmp_path / "one.png", (10, 16), np.zeros((0, 4)), none, none, none, none)
    return Sample("one.png", image, index=3)


def test_identities_change_with_what_the_input_depends_on(sample, bright_networks):
    def changed(other_sample=sample, enhancer=None, alpha=5.0, darkening=None):
        made = Inputs(enhancer or base, alpha, darkening).identities(other_sample, KINDS)
        return {kind for kind in KINDS if made[kind] != first[kind]}

    base = Enhancer.load(bright_networks, variant="kind")
    first = Inputs(base, 5.0, None).identities(sample, KINDS)
    assert len(set(first.values())) == 4 and changed() == set()
    assert changed(alpha=4.0) == {"relit"}
    assert changed(darkening=Darkening("dusk", 0)) == set(KINDS)
    assert changed(sample._replace(index=4)) == set()  # only dark twins depend on it
    for first_net, last_net in ((base.decom, base.decom), (base.illumination, base.illumination)):
        other = KindEnhancer(first_net, base.restoration, last_net)
        assert changed(enhancer=other) == {"relit", "reflectance"}
    write_photo(sample.image.path, read_photo(sample.image.path).pixels / 2)
    assert changed() == set(KINDS)


def test_an_image_of_another_size_than_its_annotations_is_refused(sample):
    write_photo(sample.image.path, np.zeros((11, 16, 3)))
    with pytest.raises(UserError, match="is 16x11, but its annotations are for 16x10"):
        Inputs(None, 5.0, None).photograph(sample)


def test_damaged_lines_are_passed_over(tmp_path):
    def results():
        return kept_predictions(tmp_path / "found.jsonl")

    good = {"boxes": [[1, 2, 3, 4.5]], "scores": [0.25], "classes": [7]}
    results().add("good", "1", "m", good)
    results().add("empty", "1", "m", {"boxes": [], "scores": [], "classes": []})
    with (tmp_path / "found.jsonl").open("a") as file:
        for found in (
            '{"boxes": [[1, 2, 3]], "scores": [1], "classes": [1]}',
            '{"boxes": []}',
            "3",
            '"text"',
        ):
            file.write(f'{{"key": "bad", "found": {found}}}\n')
    kept = results()
    assert len(kept) == 2 and kept.get("bad") is None and kept.get("empty").boxes.shape == (0, 4)
    assert kept.get("good").boxes.tolist() == good["boxes"] and kept.get("good").classes.tolist() == [7]
