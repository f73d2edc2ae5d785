"""Raw files for tests: uncompressed DNG with a Bayer pattern."""

import numpy as np
import tifffile

NEUTRAL = (0.5, 1.0, 0.6)  # what a white object gives on red, green and blue pixels
BLACK, WHITE = 512, 16383
_XYZ_OF_SRGB = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def write_dng(path, light, orientation=1, xmp=b""):
    """Writes what a camera with sRGB's primaries sees: linear light [H, W, 3], even sizes, white is 1."""
    mosaic = np.empty(light.shape[:2])
    for row, column, colour in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[row::2, column::2] = light[row::2, column::2, colour] * NEUTRAL[colour]
    values = np.clip(np.rint(BLACK + mosaic * (WHITE - BLACK)), 0, 65535).astype(np.uint16)
    byte, text, short, whole, fraction, signed = 1, 2, 3, 4, 5, 10
    tags = [
        (50706, byte, 4, (1, 4, 0, 0)),
        (50708, text, None, "Test Camera"),
        (271, text, None, "Maker"),
        (272, text, None, "Camera"),
        (33432, text, None, "Somebody"),
        (274, short, 1, orientation),
        (33421, short, 2, (2, 2)),
        (33422, byte, 4, (0, 1, 1, 2)),
        (50714, whole, 1, BLACK),
        (50717, whole, 1, WHITE),
        (50721, signed, 9, _fractions(np.linalg.inv(_XYZ_OF_SRGB).ravel())),
        (50728, fraction, 3, _fractions(NEUTRAL)),
        (50778, short, 1, 21),
    ]
    if xmp:
        tags.append((700, byte, len(xmp), xmp))
    tifffile.imwrite(path, values, photometric=32803, extratags=[(*tag, True) for tag in tags], metadata=None)
    return path


def _fractions(values):
    return [part for value in values for part in (round(value * 10000), 10000)]
