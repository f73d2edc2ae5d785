"""Networks that compute in bfloat16, made of networks that compute in float32."""

from __future__ import annotations

from tensorflow import keras

_POLICY = "bfloat16"


def in_bfloat16(net: keras.Model) -> keras.Model:
    """Copies a network so that everything but its last layers computes in bfloat16.

    The copy's weights are stored in bfloat16, so that nothing is cast at each call. Its outputs keep their
    type: a sigmoid in 8 significant bits would have no more than 256 levels of brightness to give. So does
    what is one vector for a whole image: a sum over thousands of pixels needs all its bits. And so does
    what is made of a thumbnail of fixed size: it decides about the whole image and costs next to nothing.

    Args:
        net: a functional model; it stays as it is.

    Returns:
        A model of the same architecture, inputs and outputs.
    """
    outputs = {id(tensor) for tensor in net.outputs}

    def copy_of(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        is_output = any(id(node.outputs) in outputs for node in layer.inbound_nodes)
        has_pixels = len(layer.output_shape) == 4 and layer.output_shape[1] is None
        if not is_output and has_pixels:
            config["dtype"] = _POLICY
        # Random numbers for millions of weights, which are replaced at once, would take their time.
        config.update((name, "zeros") for name in config if name.endswith("_initializer"))
        made = layer.__class__.from_config(config)
        if hasattr(layer, "activation"):
            made.activation = layer.activation  # Keras would take TensorFlow's own function of the same name
        return made

    copy = keras.models.clone_model(net, clone_function=copy_of)
    for variable, given in zip(copy.weights, net.weights):
        variable.assign(given.numpy().astype(variable.dtype.as_numpy_dtype))
    return copy
