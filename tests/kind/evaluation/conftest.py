"""Pairs on disk and methods whose outputs are known."""

import numpy as np
import pytest
from PIL import Image

from kind.evaluation.methods import Method, Output, Sample


@pytest.fixture
def write():
    """(path, uint8 pixels) → the path, with the picture in it."""

    def write(path, pixels):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture
def make_samples(tmp_path, write):
    """(number, size) → samples of random pairs, dark and four times as bright."""

    def make(count, size=(20, 24)):
        samples = []
        for number in range(count):
            low = np.random.default_rng(number).integers(0, 60, (*size, 3), np.uint8)
            files = [
                write(tmp_path / side / f"{number}.png", pixels)
                for side, pixels in (("low", low), ("high", low * 4))
            ]
            samples.append(Sample(str(number), *files))
        return samples

    return make


class Multiplied(Method):
    """x times a factor; counts how often it was asked."""

    def __init__(self, factor, name="multiplied", ratio=None):
        self.factor, self.name, self.ratio = factor, name, ratio
        self.asked = []

    def identity(self, sample):
        return f"times {self.factor} {self.ratio}"

    def enhance(self, sample, dark):
        self.asked.append(sample.name)
        return Output((dark * self.factor).astype(np.float32), 0.25, None)

    def enhance_to(self, sample, dark, target):
        if self.ratio is None:
            return None
        return Output((dark * self.ratio).astype(np.float32), 0.25, self.ratio)


@pytest.fixture
def multiplied():
    """The class above."""
    return Multiplied
