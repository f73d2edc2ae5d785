"""Frames become RGB and RGB becomes frames by the formulas of ITU-R BT.601, BT.709 and BT.2020."""

import itertools

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs the extra `video`")

from kind.video.colours import Colours, colours_of, frame_of, rgb_of  # noqa: E402

WEIGHTS = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}  # of red and blue, by H.273's number


def coded(colour, matrix, value_range):
    """Luma and chroma, by the formulas."""
    red_weight, blue_weight = WEIGHTS[matrix]
    red, green, blue = np.array(colour) / 255
    luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    chroma = (blue - luma) / (2 - 2 * blue_weight), (red - luma) / (2 - 2 * red_weight)
    if value_range == 2:
        return [255 * luma, *(128 + 255 * each for each in chroma)]
    return [16 + 219 * luma, *(128 + 224 * each for each in chroma)]


@pytest.mark.parametrize("matrix, value_range", list(itertools.product(WEIGHTS, (1, 2))))
@pytest.mark.parametrize("colour", [(200, 40, 30), (10, 20, 120), (6, 6, 6)])
def test_there_and_back(matrix, value_range, colour):
    colours = Colours(matrix, value_range)
    expected = coded(colour, matrix, value_range)
    frame = frame_of(np.full((32, 64, 3), colour, np.uint8), colours, "yuv420p")
    planes = [np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[8, 8] for plane in frame.planes]
    assert np.abs(np.array(planes, float) - expected).max() <= 1.1
    made = av.VideoFrame(64, 32, "yuv420p")
    for plane, value in zip(made.planes, expected):
        plane.update(np.full(plane.buffer_size, round(value), np.uint8).tobytes())
    back = rgb_of(made, colours, (32, 64))
    assert back.shape == (32, 64, 3) and np.abs(back[16, 32] - np.array(colour, float)).max() <= 2


def test_unlabelled_video_is_taken_by_its_height():
    for height, matrix in ((480, 6), (720, 1)):
        pixels = np.full((height, 64, 3), (200, 40, 30), np.uint8)
        frame, labelled = (
            frame_of(pixels, colours, "yuv444p") for colours in (Colours(), Colours(matrix, 1))
        )
        assert bytes(frame.planes[0])[:64] == bytes(labelled.planes[0])[:64]


def test_labels():
    assert colours_of(av.VideoFrame(16, 16, "yuvj420p")).range == 2
    assert not Colours(1, 1, 1, 1).is_hdr and Colours(9, 1, 9, 16).is_hdr
