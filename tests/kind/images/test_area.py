import numpy as np
import pytest
import tensorflow as tf

from kind.images import area
from kind.ops.area import area_resized


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.uint16])
def test_an_array_gives_what_a_tensor_gives_in_blocks(monkeypatch, dtype):
    monkeypatch.setattr(area, "_PART", 16)
    levels = np.random.default_rng(3).integers(0, 256, (50, 41, 3)).astype(dtype)
    floats = levels / np.float32(255 if dtype == np.float32 else np.iinfo(dtype).max)
    given = floats if dtype == np.float32 else levels
    expected = area_resized(tf.constant(floats[np.newaxis]), 8, 8)[0]
    np.testing.assert_allclose(area.area_resized_array(given, 8, 8), expected, atol=1e-6)
