"""The features that enhancers are trained with."""

import numpy as np

from kind.detection.features import frozen_features
from kind.detection.predictor import load_detector


def test_features_are_the_backbones_at_every_level_and_stand_still():
    features = frozen_features()
    image = np.random.default_rng(0).random((1, 64, 96, 3), np.float32)
    levels = features(image, training=False)
    assert [level.shape[1:3] for level in levels] == [(64 >> n, 96 >> n) for n in range(1, 6)]
    assert not features.trainable_variables
    deepest = load_detector().backbone(image, training=False)
    np.testing.assert_allclose(levels[-1], deepest, atol=1e-5)
