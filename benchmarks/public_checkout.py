"""Networks built by a checkout of the published code, which was written for TensorFlow 1.

Nothing of it is part of this repository: its own `model.py` is imported when a profile is asked for. It gets
TensorFlow's compatibility module in place of TensorFlow, and stand-ins for the few layers of tf.contrib.slim
that it uses and that no longer exist.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from benchmarks.public_networks import Builders
from kind.errors import UserError

tf1 = tf.compat.v1

_FILE = "model.py"
_FUNCTIONS = {
    "decom": ("DecomNet", "DecomNet_simple"),
    "restoration": ("Restoration_net",),
    "illumination": ("Illumination_adjust_net",),
}


def networks_of_checkout(folder: str | Path) -> Builders:
    """Imports the functions that build the networks from a checkout of KinD's repository.

    Args:
        folder: has a `model.py` with the functions DecomNet (or DecomNet_simple), Restoration_net and
            Illumination_adjust_net. It is executed.

    Returns:
        The functions.

    Raises:
        UserError: when the file or a function is missing, or the file cannot be imported.
    """
    path = Path(folder) / _FILE
    if not path.is_file():
        raise UserError(f"{path}: no such file; --reference expects a checkout of the published code")
    with _tensorflow_1():
        module = _imported(path)
    found = {}
    for stage, names in _FUNCTIONS.items():
        functions = [getattr(module, name) for name in names if hasattr(module, name)]
        if not functions:
            raise UserError(f"{path}: has no function {' or '.join(names)}; expected KinD's {_FILE}")
        found[stage] = _at_inference(functions[0])
    return Builders(**found, description=f"the published code in {Path(folder).resolve().name}/")


def _imported(path: Path) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("kind_public_model", path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever other people's code raises
        raise UserError(f"{path}: cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _at_inference(function):
    """KinD++'s restoration has a third argument, whether it is being trained."""
    extra = len(inspect.signature(function).parameters) - 2
    return function if extra < 1 else lambda first, second: function(first, second, False)


@contextlib.contextmanager
def _tensorflow_1() -> Iterator[None]:
    """Makes `import tensorflow` and `import tensorflow.contrib.slim` give what old code expects."""
    tensorflow = _module("tensorflow", tf1)
    slim = importlib.import_module("tf_slim") if importlib.util.find_spec("tf_slim") else _slim()
    tensorflow.contrib = _module("tensorflow.contrib")
    tensorflow.contrib.slim = slim
    tensorflow.contrib.layers = _module("tensorflow.contrib.layers")
    tensorflow.contrib.layers.xavier_initializer = tf1.glorot_uniform_initializer
    standing_in = {
        "tensorflow": tensorflow,
        "tensorflow.contrib": tensorflow.contrib,
        "tensorflow.contrib.slim": slim,
        "tensorflow.contrib.layers": tensorflow.contrib.layers,
        "tf_slim": slim,
    }
    parent = tensorflow.contrib.layers
    for name in ("python", "layers", "initializers"):
        module = _module(f"{parent.__name__}.{name}")
        setattr(parent, name, module)
        standing_in[module.__name__] = parent = module
    parent.xavier_initializer = tf1.glorot_uniform_initializer
    before = {name: sys.modules.get(name) for name in standing_in}
    sys.modules.update(standing_in)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _module(name: str, behind: object = None) -> types.ModuleType:
    """An empty module that is a package, or one that shows what another has."""
    module = types.ModuleType(name)
    module.__path__ = []
    if behind is not None:
        module.__getattr__ = lambda attribute: getattr(behind, attribute)
    return module


def _slim() -> types.ModuleType:
    """What KinD's code uses of tf.contrib.slim, with slim's defaults."""
    slim = types.ModuleType("tf_slim")

    def conv2d(inputs, num_outputs, kernel_size, stride=1, padding="SAME", rate=1, **options):
        activation_fn, scope = options.pop("activation_fn", tf.nn.relu), options.pop("scope", None)
        if options:
            raise TypeError(f"slim.conv2d's {min(options)} has no stand-in here; install tf-slim")
        height, width = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        with tf1.variable_scope(scope, "Conv", reuse=tf1.AUTO_REUSE):
            kernel = tf1.get_variable("weights", [height, width, inputs.shape[-1], num_outputs])
            offset = tf1.get_variable("biases", [num_outputs], initializer=tf1.zeros_initializer())
        values = tf.nn.bias_add(tf.nn.conv2d(inputs, kernel, stride, padding, dilations=rate), offset)
        return activation_fn(values) if activation_fn else values

    def max_pool2d(inputs, kernel_size, stride=2, padding="VALID", scope=None):
        return tf.nn.max_pool2d(inputs, kernel_size, stride, padding)

    def missing(name: str):
        raise AttributeError(f"it uses slim.{name}, which has no stand-in here; install tf-slim")

    slim.conv2d, slim.max_pool2d, slim.__getattr__ = conv2d, max_pool2d, missing
    return slim
