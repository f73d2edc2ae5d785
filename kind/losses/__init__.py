"""The loss catalogue: pure functions of tensors, one idea a file."""
