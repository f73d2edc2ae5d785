"""The layers that a network's file may ask for, and what it may set of each.

Keras' own layers stand in the table below. Layers of this package declare their settings where they are
written, with `saved_layer`, and functions used as activations with `saved_function`. All else is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import tensorflow as tf
from tensorflow import keras

from kind.nn.activations import leaky_relu
from kind.nn.file_schema import (
    Check,
    Known,
    Refused,
    Table,
    choice,
    either,
    flag,
    objects,
    optional,
    real,
    scope_name,
    several,
    shown,
    whole,
)

WIDEST = 1 << 14
"""Channels, and pixels of any window."""

_Class = TypeVar("_Class", bound=type)


def of_keras(module: str, **classes: dict[str, Check]) -> Table:
    """A table of classes that a module of Keras exports, each with its settings."""
    source = getattr(keras, module.rpartition(".")[2]) if module != "keras" else keras
    return {
        (module, name, None): Known(getattr(source, name), settings) for name, settings in classes.items()
    }


_POLICIES = "float32 float64 bfloat16 mixed_bfloat16 float16 mixed_float16".split()
_POLICY = Known(lambda name: name, {"name": choice(*_POLICIES)})
precision = either(choice(*_POLICIES), objects({("keras.mixed_precision", "Policy", None): _POLICY}))
"""What a layer computes in: a type, or a policy by name."""

_SEED = {"seed": optional(whole(0, 1 << 31))}
_SPREAD = {"mean": real, "stddev": real, **_SEED}
_LIMITS = {"minval": real, "maxval": real, **_SEED}
initializer = objects(
    of_keras(
        "keras.initializers",
        Zeros={},
        Ones={},
        Constant={"value": real},
        RandomNormal=_SPREAD,
        TruncatedNormal=_SPREAD,
        RandomUniform=_LIMITS,
        VarianceScaling={
            "scale": real,
            "mode": choice("fan_in", "fan_out", "fan_avg"),
            "distribution": choice("normal", "uniform", "truncated_normal", "untruncated_normal"),
            **_SEED,
        },
        **dict.fromkeys(
            "GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform".split(), _SEED
        ),
    )
)
regularizer = optional(
    objects(of_keras("keras.regularizers", L1={"l1": real}, L2={"l2": real}, L1L2={"l1": real, "l2": real}))
)
_AXES = either(whole(-1, 3), several(whole(-1, 3), 1, 4))
constraint = optional(
    objects(
        of_keras(
            "keras.constraints",
            NonNeg={},
            UnitNorm={"axis": _AXES},
            MaxNorm={"max_value": real, "axis": _AXES},
            MinMaxNorm={"min_value": real, "max_value": real, "rate": real, "axis": _AXES},
        )
    )
)

_LENGTH = whole(1, WIDEST)
_SHAPE = several(optional(_LENGTH), 1, 5)
# The last is set of the first layer of a Sequential that was made without an `Input`.
_COMMON = {"name": scope_name, "trainable": flag, "dtype": precision, "batch_input_shape": _SHAPE}
_SLOPE = optional(real)
_ACTIVATION_LAYERS = {
    "ELU": {"alpha": real},
    "LeakyReLU": {"alpha": real},
    "ReLU": {"max_value": _SLOPE, "negative_slope": _SLOPE, "threshold": _SLOPE},
    "Softmax": {"axis": _AXES},
}
_FUNCTIONS: dict[str, Callable] = {
    name: getattr(keras.activations, name)
    for name in (
        "elu exponential gelu hard_sigmoid linear mish relu selu sigmoid softmax softplus softsign swish tanh"
    ).split()
}
# Keras writes our own leaky ReLU by the name of TensorFlow's, which has the same slope.
_FUNCTIONS.update(leaky_relu=leaky_relu, relu6=tf.nn.relu6, silu=tf.nn.silu, log_softmax=tf.nn.log_softmax)
_OWN_FUNCTIONS: dict[str, Callable] = {}


def _function(value) -> Callable:
    """An activation by its name."""
    if isinstance(value, str) and value in _FUNCTIONS:
        return _FUNCTIONS[value]
    names = {"module": "builtins", "class_name": "function", "registered_name": "function"}
    if isinstance(value, dict) and {**value, **names} == value and len(value) == 4:
        name = value.get("config")
        for known in (_OWN_FUNCTIONS, _FUNCTIONS):  # Keras writes some of its own in this form, too
            if isinstance(name, str) and name in known:
                return known[name]
        raise Refused(f"function {shown(name)}")
    raise Refused(shown(value))


def _with_common(table: Table) -> Table:
    return {key: Known(known.make, {**_COMMON, **known.settings}) for key, known in table.items()}


_ACTIVATION_TABLE = _with_common(of_keras("keras.layers", **_ACTIVATION_LAYERS))


def activation(value):
    """An activation: a function by its name, or a layer that stands for one."""
    is_layer = isinstance(value, dict) and value.get("module") == "keras.layers"
    return objects(_ACTIVATION_TABLE)(value) if is_layer else _function(value)


_PAIR = either(_LENGTH, several(_LENGTH, 2, 2))
_PADDING = choice("same", "valid")
_LAST = choice("channels_last")
_EDGE = whole(0, WIDEST)


def _kernel(name: str) -> dict[str, Check]:
    """The settings of a weight."""
    return {
        f"{name}_initializer": initializer,
        f"{name}_regularizer": regularizer,
        f"{name}_constraint": constraint,
    }


_DENSE = {
    "units": _LENGTH,
    "activation": activation,
    "use_bias": flag,
    "activity_regularizer": regularizer,
    **_kernel("kernel"),
    **_kernel("bias"),
}
_CONV = {
    **{key: check for key, check in _DENSE.items() if key != "units"},
    "filters": _LENGTH,
    "kernel_size": _PAIR,
    "strides": _PAIR,
    "padding": _PADDING,
    "data_format": _LAST,
    "dilation_rate": _PAIR,
    "groups": _LENGTH,
}
_DEPTHWISE = {"depth_multiplier": _LENGTH, **_kernel("depthwise")}
_POOL = {"pool_size": _PAIR, "strides": _PAIR, "padding": _PADDING, "data_format": _LAST}
_GLOBAL = {"data_format": _LAST, "keepdims": flag}
_NORMAL = {
    "axis": _AXES,
    "epsilon": real,
    "center": flag,
    "scale": flag,
    **_kernel("beta"),
    **_kernel("gamma"),
}
_STATISTICS = {"moving_mean_initializer": initializer, "moving_variance_initializer": initializer}
_BORDERS = {"data_format": _LAST}
_SIDES = several(several(_EDGE, 2, 2), 2, 2)


def _without(settings: dict[str, Check], *names: str) -> dict[str, Check]:
    return {key: check for key, check in settings.items() if not key.startswith(names)}


LAYERS: Table = _with_common(
    of_keras(
        "keras.layers",
        Activation={"activation": activation},
        AveragePooling2D=_POOL,
        BatchNormalization={**_NORMAL, **_STATISTICS, "momentum": real},
        Concatenate={"axis": whole(-1, 4)},
        Conv2D=_CONV,
        Conv2DTranspose={**_CONV, "output_padding": optional(_PAIR)},
        Cropping2D={**_BORDERS, "cropping": _SIDES},
        Dense=_DENSE,
        DepthwiseConv2D={**_without(_CONV, "kernel_i", "kernel_r", "kernel_c", "filters"), **_DEPTHWISE},
        Dropout={"rate": real, "noise_shape": choice(None), **_SEED},
        Flatten=_BORDERS,
        GlobalAveragePooling2D=_GLOBAL,
        GlobalMaxPooling2D=_GLOBAL,
        GroupNormalization={**_NORMAL, "groups": whole(-1, WIDEST)},
        InputLayer={
            "sparse": choice(False),
            "ragged": choice(False),
        },
        LayerNormalization=_NORMAL,
        MaxPooling2D=_POOL,
        PReLU={**_kernel("alpha"), "shared_axes": optional(several(whole(1, 4), 1, 4))},
        Permute={"dims": several(whole(1, 4), 1, 4)},
        Rescaling={"scale": real, "offset": real},
        Reshape={"target_shape": several(either(whole(-1, -1), _LENGTH), 1, 5)},
        SeparableConv2D={**_CONV, **_DEPTHWISE, **_kernel("pointwise")},
        SpatialDropout2D={"rate": real, "noise_shape": choice(None), "data_format": _LAST, **_SEED},
        UnitNormalization={"axis": _AXES},
        UpSampling2D={
            "size": _PAIR,
            "data_format": _LAST,
            "interpolation": choice(
                "nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5", "gaussian"
            ),
        },
        ZeroPadding2D={**_BORDERS, "padding": _SIDES},
        **dict.fromkeys("Add Average Maximum Minimum Multiply Subtract".split(), {}),
        **_ACTIVATION_LAYERS,
    )
)
"""All layers that a file may ask for; `saved_layer` adds to it."""


def saved_layer(
    package: str, *, former: Sequence[tuple[str, str]] = (), **settings: Check
) -> Callable[[_Class], _Class]:
    """Registers a layer of this package, for our own files and with Keras.

    Args:
        package: part of the name that Keras registers it under.
        former: modules and class names that files of earlier versions know it by.
        settings: a check for each argument of its constructor that a file may give.

    Returns:
        A decorator that returns the class unchanged.
    """

    def register(layer: _Class) -> _Class:
        for module, name in ((layer.__module__, layer.__name__), *former):
            LAYERS[module, name, f"{package}>{name}"] = Known(layer, {**_COMMON, **settings})
        return keras.utils.register_keras_serializable(package)(layer)

    return register


def saved_function(package: str) -> Callable[[Callable], Callable]:
    """Registers a function that stands in files as an activation; returns a decorator."""

    def register(function: Callable) -> Callable:
        _OWN_FUNCTIONS[f"{package}>{function.__name__}"] = function
        return keras.utils.register_keras_serializable(package)(function)

    return register
