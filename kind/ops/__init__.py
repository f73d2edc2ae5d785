"""Pure tensor functions: no state, no variables, usable eagerly, in a graph and inside `tf.data`."""
