"""The colour coding of a video's frames, and the way to RGB and back; after ITU-T H.273."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_UNKNOWN = 2  # of matrix, primaries and transfer in H.273
_LIMITED, _FULL = 1, 2  # ranges as FFmpeg numbers them; 0 is unknown
_BT709, _BT601, _SMPTE240, _BT2020 = 1, 5, 7, 9  # matrices as swscale numbers them
_MATRICES = {1: _BT709, 4: 4, 5: _BT601, 6: _BT601, 7: _SMPTE240, 9: _BT2020, 10: _BT2020}
_HD_HEIGHT = 720  # from here on players take unlabelled video for BT.709
_HDR = (16, 18)  # transfer characteristics: PQ and HLG
_EXACT = 4 | 0x2000 | 0x40000  # bicubic, chroma at full width, accurate rounding


class Colours(NamedTuple):
    """How the numbers of a frame stand for colours, as a stream labels it.

    Attributes:
        matrix: of luma and chroma, H.273's number; 2 is unknown.
        range: 1 limited (16 to 235), 2 full, 0 unknown.
        primaries: H.273's number.
        transfer: likewise.
    """

    matrix: int = _UNKNOWN
    range: int = 0
    primaries: int = _UNKNOWN
    transfer: int = _UNKNOWN

    @property
    def is_hdr(self) -> bool:
        """Whether values follow a curve for high dynamic range."""
        return self.transfer in _HDR


def colours_of(frame) -> Colours:
    """The labels of a decoded frame; J formats such as yuvj420p are full range."""
    is_full = frame.format.name.startswith("yuvj")
    values = int(frame.colorspace), int(frame.color_range), int(frame.color_primaries), int(frame.color_trc)
    return Colours(*values)._replace(range=_FULL) if is_full else Colours(*values)


def rgb_of(frame, colours: Colours, size: tuple[int, int]) -> np.ndarray:
    """Converts a decoded frame.

    Args:
        frame: `av.VideoFrame`.
        colours: of the video.
        size: height and width to scale to, those of the frame as a rule.

    Returns:
        uint8 [H, W, 3], RGB.
    """
    height, width = size
    return frame.to_ndarray(
        format="rgb24",
        width=width,
        height=height,
        src_colorspace=_matrix(colours, frame.height),
        dst_colorspace=_BT601,  # of RGB, which has none
        src_color_range=colours.range or _LIMITED,
        dst_color_range=_FULL,
        interpolation=_EXACT,
    )


def frame_of(pixels: np.ndarray, colours: Colours, pixel_format: str):
    """The way back: uint8 [H, W, 3], RGB → `av.VideoFrame`."""
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    return frame.reformat(
        format=pixel_format,
        src_colorspace=_BT601,
        dst_colorspace=_matrix(colours, len(pixels)),
        src_color_range=_FULL,
        dst_color_range=colours.range or _LIMITED,
        interpolation=_EXACT,
    )


def _matrix(colours: Colours, height: int) -> int:
    return _MATRICES.get(colours.matrix, _BT709 if height >= _HD_HEIGHT else _BT601)
