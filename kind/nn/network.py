"""The class that our files name for their networks, so that Keras alone can open them."""

from __future__ import annotations

from tensorflow import keras

import kind.nn.change_layers
import kind.nn.colour_invariant
import kind.nn.exposure_layers
import kind.nn.guided_layers
import kind.nn.layers
import kind.nn.state_space
import kind.nn.subpixel  # noqa: F401  (all of them register the layers that files name)


@keras.utils.register_keras_serializable("kind")
class Network(keras.Model):
    """A functional model, as `keras.models.load_model` makes it of a file that `save_net` wrote.

    Keras imports the module of a file's outermost class, but not those of the layers inside, which must be
    registered by then. This module registers them. `load_net` makes a plain functional model instead.
    """
