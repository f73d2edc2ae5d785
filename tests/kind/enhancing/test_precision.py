"""bfloat16: what `auto` chooses, what changes in a network and what does not."""

import numpy as np
import pytest
import tensorflow as tf

from kind.enhancing import precision
from kind.enhancing.enhancer import PARTS, Enhancer
from kind.enhancing.tiling import plan as windows
from kind.nn.bfloat16 import in_bfloat16


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [("fpu avx512f avx512_bf16 sha", "bfloat16"), ("amx_bf16", "bfloat16"), ("fpu avx512f", "float32")],
)
def test_auto_is_bfloat16_where_the_processor_has_it(flags, chosen, tmp_path, monkeypatch):
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nflags\t\t: {flags}\n\nprocessor\t: 1\nflags\t\t: {flags}\n")
    monkeypatch.setattr(precision, "_CPU_INFO", info)
    assert precision.chosen_precision("auto") == chosen
    assert precision.chosen_precision("float32") == "float32"
    assert precision.chosen_precision("bfloat16") == "bfloat16"


def test_auto_is_float32_where_nothing_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "_CPU_INFO", tmp_path / "none")
    assert precision.chosen_precision("auto") == "float32"
    monkeypatch.setattr(precision, "_CPU_INFO", tmp_path)
    assert precision.chosen_precision("auto") == "float32"
    with pytest.raises(ValueError, match="expects one of auto, float32, bfloat16; received 'half'"):
        precision.chosen_precision("half")


@pytest.fixture(scope="module")
def enhancers(untrained_weights):
    return {name: Enhancer.load(untrained_weights, name, "kind") for name in ("float32", "bfloat16")}


def photograph(height, width):
    return np.random.default_rng(3).random((height, width, 3), dtype=np.float32) ** 2


def test_everything_but_the_heads_computes_in_bfloat16(enhancers):
    plain, half = (enhancers[name] for name in ("float32", "bfloat16"))
    assert half.decom.layers[1].compute_dtype == "float32"  # the given networks stay as they are
    for net, copy in zip(plain.originals.values(), half.networks.values()):
        assert copy.name == net.name
        assert [tensor.dtype for tensor in copy.outputs] == [tf.float32] * len(net.outputs)
        hidden = [layer for layer in copy.layers if layer.weights]
        assert hidden and all(layer.compute_dtype == "bfloat16" for layer in hidden)
        for variable, given in zip(copy.weights, net.weights):
            assert variable.dtype == tf.bfloat16
            np.testing.assert_array_equal(variable.numpy(), tf.cast(given, tf.bfloat16).numpy())


def test_the_parts_are_float32_and_differ_by_rounding_only(enhancers):
    image = photograph(45, 71)
    exact, rounded = (enhancers[name](image) for name in ("float32", "bfloat16"))
    np.testing.assert_array_equal(exact.stretched, rounded.stretched)
    for name in PARTS[1:]:
        one, other = getattr(exact, name), getattr(rounded, name)
        assert other.dtype == np.float32
        assert 0 < np.abs(one - other).max() < 0.02, name
    np.testing.assert_array_equal(rounded.relit, rounded.restored * rounded.adjusted)


@pytest.mark.parametrize("size", [(48, 470), (470, 48), (331, 323)])
def test_tiles_give_what_the_whole_image_gives_in_bfloat16_too(enhancers, monkeypatch, size):
    image = photograph(*size)
    whole = enhancers["bfloat16"](image, fusion="published")
    pixels = size[0] * size[1] - 1  # as large as can be, and the image does not fit
    monkeypatch.setattr(windows, "WORKING_MEMORY", enhancers["bfloat16"].windows._bytes_per_pixel * pixels)
    counts = []
    tiled = enhancers["bfloat16"](image, fusion="published", progress=lambda *count: counts.append(count))
    assert counts and counts[-1][0] == counts[-1][1] > 1
    for one, other in zip(whole, tiled):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_kind_plus_restoration_runs_in_bfloat16():
    from kind.restoration.msia import msia

    tf.keras.utils.set_random_seed(2)
    net = msia()
    inputs = [tf.random.stateless_uniform((1, 12, 20, channels), (1, 2)) for channels in (3, 1)]
    np.testing.assert_allclose(net(inputs), in_bfloat16(net)(inputs), atol=0.02)
