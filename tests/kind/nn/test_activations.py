"""The activation of our networks leaves nothing behind of image sizes that are gone."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from kind.nn.activations import leaky_relu

# TensorFlow keeps a convolution's code for the last 1,024 sizes of each of its threads.
_GROWTH = """
import kind, numpy as np, tensorflow as tf
from tensorflow import keras
from kind.nn.layers import leaky_conv

image = keras.Input([None, None, 8])
run = tf.function(keras.Model(image, leaky_conv(image, 8, "conv")), reduce_retracing=True)


def machine_code():
    pages, is_code = 0, False
    for line in open("/proc/self/smaps"):
        words = line.split()
        if "-" in words[0]:
            is_code = "x" in words[1] and len(words) == 5
        elif is_code and words[0] == "Rss:":
            pages += int(words[1])
    return pages / 1024


for number, (height, width) in enumerate(np.random.default_rng(0).integers(8, 128, (5000, 2))):
    run(tf.zeros([1, height, width, 8]))
    if number == 3500:
        before = machine_code()
print(machine_code() - before)
"""


def test_the_slope_is_a_fifth():
    given = np.float32([[-1.0, 0.0, 2.0]])
    np.testing.assert_allclose(leaky_relu(tf.constant(given)), [[-0.2, 0.0, 2.0]])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_sizes_that_are_gone_leave_no_machine_code():
    done = subprocess.run([sys.executable, "-c", _GROWTH], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 4  # MiB; joined to the convolution: 34
