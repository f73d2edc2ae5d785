"""Both variants in 8 bits, computed by OpenVINO and without TensorFlow; the extra `fast`."""
