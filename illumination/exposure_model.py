"""The exposure head: the decomposition of a dark photograph → a map of stops, and α."""

from __future__ import annotations

from tensorflow import keras

from kind.nn.exposure_branch import SIDE, stops_grid, suggested_log_alpha
from kind.nn.exposure_layers import Thumbnail


def exposure_net() -> keras.Model:
    """Builds the exposure head, 98,928 parameters; our own, from no paper.

    KinD leaves α, one number, to the user. The head sees what the decomposition makes of a thumbnail of the
    whole photograph, and gives a bilateral grid: sliced at full size by the photograph's own luma it is a map
    of stops, so that shadows may get more light than skies. It is built as the exposure branch of the light
    network, whose weights can be a beginning (`--init-from`, `--init-partly`), and sees R ∘ L.

    Returns:
        A model named "exposure" from [reflectance float32 [N, H, W, 3], illumination float32 [N, H, W, 1]],
        both in [0, 1], of a thumbnail (inference gives it 128×128), to [grid for
        `kind.nn.exposure_layers.SlicedStops`, float32 [N, 16, 16, 8]; log α, float32 [N, 1], the mean of the
        stops over the mid-tones times ln 2, 0 or more].
    """
    reflectance = keras.Input((None, None, 3), name="reflectance")
    illumination = keras.Input((None, None, 1), name="illumination")
    product = keras.layers.Multiply(dtype="float32", name="product")([reflectance, illumination])
    thumbnail = Thumbnail(SIDE, name="thumbnail")(product)
    grid, _ = stops_grid(thumbnail)
    log_alpha = suggested_log_alpha(thumbnail, grid)
    return keras.Model([reflectance, illumination], [grid, log_alpha], name="exposure")
