"""The weights that ship: small, whole, and of use on photographs that they were not trained on."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from kind.data.samples import builtin_samples
from kind.enhancing.enhancer import Enhancer
from kind.enhancing.three_networks import STAGES
from kind.nn.saving import SHIPPED_WEIGHTS, load_net
from kind.nn.weights_folder import find_weights

LARGEST = 25e6


def test_they_are_the_networks_of_both_variants_and_small():
    counts = [load_net(path).count_params() for path in find_weights((*STAGES, "lite")).values()]
    assert counts == [235_876, 7_760_739, 19_393, 398_021]
    assert sum(path.stat().st_size for path in SHIPPED_WEIGHTS.iterdir()) <= LARGEST
    assert {f"{stage}.keras" for stage in STAGES} <= {path.name for path in SHIPPED_WEIGHTS.iterdir()}


@pytest.mark.parametrize(("variant", "left"), [("kind", 0.6), ("lite", 0.8)])
def test_the_built_in_dark_photographs_come_nearer_to_the_well_exposed_ones(variant, left):
    enhancer = Enhancer.load(variant=variant)
    for sample in builtin_samples():
        if sample.name == "rocket":  # at night: well exposed it is dark, and networks make dusk of it
            continue
        low, high = (image[:240, :240] / np.float32(255) for image in (sample.low, sample.high))
        relit = enhancer(low).relit

        def likeness(image, high=high):
            return structural_similarity(image, high, channel_axis=2, data_range=1.0)

        assert np.abs(relit - high).mean() < left * np.abs(low - high).mean(), sample.name
        assert likeness(relit) > likeness(low), sample.name
