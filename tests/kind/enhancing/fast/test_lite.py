import numpy as np
import pytest

pytest.importorskip("openvino", reason="the extra fast is not installed")

from kind.enhancing.fast.lite import FastLite, Look


@pytest.mark.parametrize("factor, dims", [(1.0, False), (3.0, False), (0.9, True)])
def test_the_longer_way_is_for_less_than_the_suggested_alpha_alone(factor, dims):
    seen = Look(np.zeros((16, 16, 8), np.float32), np.zeros(3), np.zeros(64), 4.3210987)
    alpha = float(np.float32(factor * 2.0**seen.stops))  # which is rounded
    inputs = FastLite.from_files().inputs(
        np.zeros((32, 32, 3), np.uint8), seen, alpha, 1.0, (0, 0), (32, 32, 3)
    )
    assert ("share" in inputs) == dims
