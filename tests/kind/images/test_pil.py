"""Pillow images to floats and back."""

import numpy as np
from PIL import Image

from kind.images.pil import from_pil, to_pil


def test_eight_bits_survive_the_way_there_and_back():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colour = np.stack([levels, levels.T, 255 - levels], axis=-1)
    np.testing.assert_array_equal(np.asarray(to_pil(from_pil(Image.fromarray(colour)))), colour)


def test_values_are_rounded_and_clipped():
    pixels = np.array([[[-1.0], [0.4 / 255], [0.6 / 255], [2.0]]])
    image = to_pil(pixels)
    assert image.mode == "RGB" and np.asarray(image)[0, :, 0].tolist() == [0, 0, 1, 255]
