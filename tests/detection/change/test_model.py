"""The network of change detection: its switches, any size, files, and what it costs."""

import numpy as np
import pytest
from tensorflow import keras

from kind.detection.change.architecture import Architecture
from kind.detection.change.model import change_net
from kind.detection.change.predictor import load_change_net
from kind.errors import UserError
from kind.nn.saving import load_net, save_net

SMALL = (4, 8)
SWITCHES = [
    {"encoder": "separate", "join": "fusion", "edges": "gaussian-learned", "deep_supervision": True},
    {"encoder": "early", "join": "squeeze", "edges": "scharr", "attention": False},
    {"difference": "signed", "edges": "none"},
]


def pair(height, width, batch=1):
    random = np.random.default_rng(height + width)
    return [random.random((batch, height, width, 3), dtype=np.float32) for _ in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize("switches", SWITCHES)
def test_every_switch_gives_a_network_for_any_size_that_a_file_keeps(switches, tmp_path):
    net = change_net(Architecture(widths=SMALL, **switches))
    save_net(net, tmp_path / "change.keras")
    loaded = load_change_net(tmp_path / "change.keras")
    for size in ((1, 1), (17, 22)):
        given = pair(*size)
        found, again = net(given, training=False), loaded(given, training=False)
        masks = found if isinstance(found, list) else [found]
        assert len(masks) == (2 if switches.get("deep_supervision") else 1)
        for mask, other in zip(masks, again if isinstance(again, list) else [again]):
            assert mask.shape == (1, *size, 1) and mask.dtype == np.float32
            np.testing.assert_allclose(mask, other, atol=1e-5)


def test_the_default_network_fits_in_four_megabytes_and_sees_equal_dates_alike():
    net = change_net()
    assert net.count_params() < 700_000  # 2 bytes each in a packed file
    first, second = pair(12, 9)
    differing = keras.Model(net.inputs, net.get_layer("difference_1_absolute").output)
    assert np.abs(differing([first, first], training=False)).max() == 0
    assert np.abs(differing([first, second], training=False)).max() > 0


def test_another_network_is_named(tmp_path):
    image = keras.Input((None, None, 3))
    save_net(keras.Model(image, keras.layers.ReLU()(image), name="other"), tmp_path / "other.keras")
    with pytest.raises(UserError, match="holds the network 'other'; expected one of the stage change"):
        load_change_net(tmp_path / "other.keras")
    assert load_net(tmp_path / "other.keras").name == "other"
