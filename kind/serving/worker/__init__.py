"""The process that holds one version of a model; the server's other parts need no TensorFlow."""
