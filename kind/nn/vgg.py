"""VGG16 and VGG19 without their top, from the weight files that Keras publishes, as they are."""

from __future__ import annotations

from pathlib import Path

import h5py
from tensorflow import keras

from kind.errors import UserError
from kind.nn.weights_file import UnreadableWeights, read_arrays

_WIDTHS = (64, 128, 256, 512, 512)
_DEPTHS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
_LAST_OF_19 = "block3_conv4"
_MEANS = (123.68, 116.779, 103.939)  # of ImageNet's red, green and blue, out of 255
#: How an array is called in the published files, and in those of `save_weights("….h5")`.
_SPELLINGS = (
    ("{0}/{0}_W_1:0", "{0}/{0}_b_1:0"),
    ("{0}/{0}/kernel:0", "{0}/{0}/bias:0"),
)
_MOST_BYTES = 1 << 30


def load_vgg(path: str | Path) -> keras.Model:
    """Reads `vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5` or VGG19's; nothing in it is executed.

    Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015.

    Args:
        path: of the `.h5` file, which says by its layers which of the two it is.

    Returns:
        A frozen model from float32 [N, H, W, 3], RGB in [0, 1] and scaled inside, any size from 32×32, to the
        last layer's features. Layers are named as in Keras: `block3_conv3`, `block4_pool`.

    Raises:
        UserError: when the file is missing, damaged or holds other weights.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UnreadableWeights(f"it is larger than {_MOST_BYTES >> 20} MiB")
        content = path.read_bytes()
        net = _build("vgg19" if _has(path, _LAST_OF_19) else "vgg16")
        _fill(net, content)
    except OSError as error:
        raise UserError(f"{path}: cannot be read as an HDF5 file of weights: {error}") from error
    except UnreadableWeights as error:
        raise UserError(f"{path}: not weights of VGG16 or VGG19 without top: {error}") from error
    net.trainable = False
    return net


def _has(path: Path, layer: str) -> bool:
    with h5py.File(path, "r") as file:
        return layer in file


def _build(name: str) -> keras.Model:
    image = keras.Input((None, None, 3), name="image")
    values = keras.layers.Rescaling(255.0, [-mean for mean in _MEANS], name="centred")(image)
    for block, (width, depth) in enumerate(zip(_WIDTHS, _DEPTHS[name]), start=1):
        for number in range(1, depth + 1):
            values = keras.layers.Conv2D(
                width, 3, padding="same", activation="relu", name=f"block{block}_conv{number}"
            )(values)
        values = keras.layers.MaxPooling2D(name=f"block{block}_pool")(values)
    return keras.Model(image, values, name=name)


def _fill(net: keras.Model, content: bytes) -> None:
    for layer in net.layers:
        if not layer.weights:
            continue
        kernel, bias = _arrays(content, layer)
        if layer.name == "block1_conv1":  # published: blue, green, red
            kernel = kernel[:, :, ::-1]
        layer.set_weights([kernel, bias])


def _arrays(content: bytes, layer: keras.layers.Layer) -> list:
    shapes = [tuple(weight.shape) for weight in layer.weights]
    for spelling in _SPELLINGS:
        names = [text.format(layer.name) for text in spelling]
        try:
            arrays = read_arrays(content, dict(zip(names, shapes)))
        except UnreadableWeights as error:
            reason = error
        else:
            return [arrays[name] for name in names]
    raise reason
