"""Small networks that stand in for trained ones."""

import pytest
import tensorflow as tf


@pytest.fixture(scope="session")
def untrained_weights(tmp_path_factory):
    """A folder with the networks of both variants as they are before training, always the same."""
    from kind.decom.model import decomposition_net
    from kind.illumination.model import adjustment_net
    from kind.lite.model import lite_net
    from kind.nn.saving import save_net
    from kind.restoration.unet import unet

    tf.keras.utils.set_random_seed(7)
    folder = tmp_path_factory.mktemp("weights")
    nets = {
        "decom": decomposition_net(),
        "restoration": unet(),
        "illumination": adjustment_net(),
        "lite": lite_net(),
    }
    for stage, net in nets.items():
        save_net(net, folder / f"{stage}.keras")
    return folder
