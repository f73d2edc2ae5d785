"""VGG from Keras's weight files against Keras's own network."""

import h5py
import numpy as np
import pytest
from tensorflow import keras

from kind.errors import UserError
from kind.nn.vgg import load_vgg


@pytest.mark.parametrize("name, published", [("VGG16", True), ("VGG19", False)])
def test_features_are_those_of_keras(tmp_path, name, published):
    keras.utils.set_random_seed(0)
    theirs = getattr(keras.applications, name)(include_top=False, weights=None)
    file = tmp_path / "weights.h5"
    if published:  # spelt as in vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5
        with h5py.File(file, "w") as content:
            for layer in theirs.layers:
                for letter, values in zip("Wb", layer.get_weights()):
                    content[f"{layer.name}/{layer.name}_{letter}_1:0"] = values
    else:
        theirs.save_weights(file)
    ours = load_vgg(file)
    image = np.random.default_rng(0).random((1, 40, 36, 3), np.float32)
    module = getattr(keras.applications, name.lower())
    expected = theirs(module.preprocess_input(image * 255))
    np.testing.assert_allclose(ours(image), expected, rtol=1e-3, atol=1e-4)
    assert not ours.trainable_variables and ours.get_layer("block3_conv3") and ours.name == name.lower()


def test_other_files_are_refused_in_one_line(tmp_path):
    file = tmp_path / "weights.h5"
    with pytest.raises(UserError, match="cannot be read"):
        load_vgg(file)
    file.write_bytes(b"no HDF5")
    with pytest.raises(UserError, match="cannot be read"):
        load_vgg(file)
    with h5py.File(file, "w") as content:
        content["block1_conv1/block1_conv1/kernel:0"] = np.zeros([3, 3, 3, 8], np.float32)
    with pytest.raises(UserError, match="not weights of VGG16 or VGG19"):
        load_vgg(file)
