"""A server for one machine that speaks TensorFlow Serving's protocols."""
