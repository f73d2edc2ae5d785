"""Networks' files of version 0.1.0, of which the descriptions are kept here: they go on being read."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from kind.nn.saving import load_net
from kind.nn.weights_folder import SHIPPED_WEIGHTS

EARLIER = Path(__file__).parent / "earlier"


@pytest.mark.parametrize("stage", ["decom", "restoration", "illumination"])
def test_a_network_of_0_1_0_is_read(stage, tmp_path):
    shipped, file = SHIPPED_WEIGHTS / f"{stage}.keras", tmp_path / f"{stage}.keras"
    with zipfile.ZipFile(shipped) as now, zipfile.ZipFile(file, "w") as then:
        then.writestr("metadata.json", now.read("metadata.json"))
        then.writestr("config.json", (EARLIER / f"{stage}-0.1.0.json").read_bytes())
        then.writestr("model.weights.h5", now.read("model.weights.h5"))
    for before, after in zip(
        load_net(file, stage).get_weights(), load_net(shipped).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(before, after)
