"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest

import kind.enhancing.fast  # noqa: F401  before tests import OpenVINO, which then reports nothing

_REPOSITORY = Path(__file__).resolve().parent.parent

# Workers of pytest-xdist share the machine; TensorFlow would take all cores in each of them. It must be told
# before it is imported; processes that tests start are told as well.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _pool in ("INTRAOP", "INTEROP"):
        os.environ.setdefault(f"TF_NUM_{_pool}_THREADS", "1")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the golden files and photographs, which are not part of the repository."""
    folder = Path(os.environ.get("KIND_REFERENCE", _REPOSITORY.parent / "shared")).expanduser().resolve()
    if not (folder / "reference").is_dir():
        pytest.skip(f"no reference data: expected the folder `reference` in {folder} (set KIND_REFERENCE)")
    return folder


@pytest.fixture(scope="session")
def painted_detector():
    """Stands for a detector with two classes: a spot of 8×8 brighter than half is a `spot` of 16×16.

    Spots are seen where they lie on a grid of 8 pixels; their score is their brightness. No `dot` is found.
    """
    import tensorflow as tf

    class Painted(tf.keras.Model):
        class_names = ("dot", "spot")
        input_size = 640

        def call(self, images, training=False):
            # Only operations that real detectors consist of: exports are held to them.
            rows, columns = tf.shape(images)[1] // 8, tf.shape(images)[2] // 8
            brightest = tf.reduce_max(images, -1)[:, : rows * 8, : columns * 8]
            cells = tf.reduce_mean(tf.reshape(brightest, [-1, rows, 8, columns, 8]), [2, 4])
            found = tf.reshape(tf.where(cells > 0.5, cells, 0.0), [tf.shape(images)[0], -1, 1])
            coarser = tf.shape(found)[1] * 5 // 16  # anchors at strides 16 and 32
            scores = tf.pad(found, [[0, 0], [0, coarser], [1, 0]])
            one_stride = tf.pad(tf.ones_like(scores[..., :1]) * 100.0, [[0, 0], [0, 0], [1, 14]])
            return {"boxes": tf.tile(one_stride, [1, 1, 4]), "classes": scores}

    return Painted(name="painted")


@pytest.fixture(scope="session")
def bright_networks(tmp_path_factory):
    """A folder with three small networks: R = R̂ = S, the stretched image, L = mean(S) and L̂ = α·L."""
    from tensorflow import keras

    from kind.nn.saving import save_net

    image, reflectance = keras.Input((None, None, 3)), keras.Input((None, None, 3))
    illumination, alpha = keras.Input((None, None, 1)), keras.Input((None, None, 1))
    mean = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer=keras.initializers.Constant(1 / 3))
    same = keras.layers.Activation("linear")
    nets = {
        "decom": keras.Model(image, [same(image), mean(image)]),
        "restoration": keras.Model([reflectance, illumination], same(reflectance)),
        "illumination": keras.Model([illumination, alpha], keras.layers.Multiply()([illumination, alpha])),
    }
    folder = tmp_path_factory.mktemp("bright_networks")
    for stage, net in nets.items():
        save_net(net, folder / f"{stage}.keras")
    return folder


@pytest.fixture(scope="session")
def untrained_weights(tmp_path_factory):
    """A folder with the networks of both variants as they are before training, always the same."""
    import tensorflow as tf

    from kind.decom.model import decomposition_net
    from kind.illumination.model import adjustment_net
    from kind.lite.model import lite_net
    from kind.nn.saving import save_net
    from kind.restoration.unet import unet

    tf.keras.utils.set_random_seed(7)
    folder = tmp_path_factory.mktemp("weights")
    nets = {
        "decom": decomposition_net(),
        "restoration": unet(),
        "illumination": adjustment_net(),
        "lite": lite_net(),
    }
    for stage, net in nets.items():
        save_net(net, folder / f"{stage}.keras")
    return folder
