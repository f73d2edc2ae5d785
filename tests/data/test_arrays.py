import numpy as np
import pytest
import tensorflow as tf

from kind.data.arrays import default_cache, default_memory, pack, read_array, to_float, unpacker, write_array


def random_array(height, width, channels, seed=0):
    return np.random.default_rng(seed).random((height, width, channels), np.float32)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 3), (7, 2, 1), (33, 17, 3)])
def test_an_array_comes_back_within_half_a_step_of_16_bits(tmp_path, shape):
    path, array = tmp_path / "a.u16", random_array(*shape)
    write_array(path, array)
    values = read_array(str(path), shape[-1])
    assert values.dtype == tf.uint16 and values.shape == shape
    assert np.max(np.abs(to_float(values) - array)) <= 0.5 / 65535 + 1e-7
    in_dataset = next(iter(tf.data.Dataset.from_tensors(str(path)).map(lambda p: read_array(p, shape[-1]))))
    assert np.array_equal(in_dataset, values)


def test_all_8_bit_and_16_bit_levels_survive(tmp_path):
    for levels in (256, 65536):
        array = np.linspace(0, 1, levels, dtype=np.float64).astype(np.float32).reshape(16, -1, 1)
        write_array(tmp_path / "a.u16", array)
        values = to_float(read_array(str(tmp_path / "a.u16"), 1)).numpy()
        assert np.array_equal(np.rint(values * (levels - 1)), np.arange(levels).reshape(array.shape))


def test_values_outside_the_range_are_clipped(tmp_path):
    write_array(tmp_path / "a.u16", np.array([[[-0.5], [1.5]]], np.float32))
    assert read_array(str(tmp_path / "a.u16"), 1).numpy().ravel().tolist() == [0, 65535]


def test_packed_arrays_of_all_sizes_equal_those_in_files(tmp_path):
    shapes = [(1, 1, 3), (5, 7, 3), (32, 1, 3), (2, 16, 3), (9, 4, 3)]
    paths = [str(tmp_path / f"{number}.u16") for number in range(len(shapes))]
    for number, (path, shape) in enumerate(zip(paths, shapes)):
        write_array(path, random_array(*shape, seed=number))
    read = unpacker(pack(paths), 3)
    packed = list(tf.data.Dataset.range(len(paths)).map(read))
    for path, shape, array in zip(paths, shapes, packed):
        assert array.shape == shape
        assert np.array_equal(array, read_array(path, 3))


def test_the_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "kind"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache() == tmp_path / "home" / ".cache" / "kind"


def test_memory_is_less_than_there_is():
    psutil = pytest.importorskip("psutil", reason="an independent look at the memory needs psutil")
    assert 0 < default_memory() < psutil.virtual_memory().total
