"""The light network cut at its named layers: what each part needs and gives."""

from __future__ import annotations

from typing import NamedTuple

from tensorflow import keras


class Branches(NamedTuple):
    """Parts of the light network that share its weights.

    Attributes:
        exposure: thumbnail [N, 128, 128, 3] → [grid [N, 16, 16, 8], colour [N, 3], summary [N, 64],
            log α [N, 1]].
        stops: [image [N, H, W, 3], grid, place [N, 4]] → stops E [N, H, W, 1].
        exposed: [image, stops, colour] → exposed image X [N, H, W, 3].
        restoration: [image, stops, colour, summary] → restored reflectance R̂ [N, H, W, 3].
        thumbnail: image → thumbnail.
    """

    exposure: keras.Model
    stops: keras.Model
    exposed: keras.Model
    restoration: keras.Model
    thumbnail: keras.Model


def branches(net: keras.Model) -> Branches:
    """Cuts the network.

    Args:
        net: what `lite.model.lite_net` builds, at any precision.

    Returns:
        Its parts.

    Raises:
        ValueError: when it is another network.
    """

    def output(name: str):
        return net.get_layer(name).output

    image, thumbnail = net.input, output("thumbnail")
    grid, colour, summary, place = map(output, ("grid", "colour", "summary_2", "place"))
    stops = output("stops")
    return Branches(
        keras.Model(thumbnail, [grid, colour, summary, output("log_alpha")], name="exposure"),
        keras.Model([image, grid, place], stops, name="stops"),
        keras.Model([image, stops, colour], output("exposed"), name="exposed"),
        keras.Model([image, stops, colour, summary], output("restored"), name="restoration"),
        keras.Model(image, thumbnail, name="thumbnail"),
    )
