"""The pipeline as a SavedModel, for TensorFlow Lite or as ONNX."""
