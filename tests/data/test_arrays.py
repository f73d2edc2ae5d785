import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kind.data.arrays import (
    default_cache,
    default_memory,
    find_unusable,
    pack,
    read_array,
    to_float,
    unpacker,
    write_array,
    writing_to_cache,
)
from kind.errors import UserError
from kind.images.photo import write_photo


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
    read = unpacker(pack(paths, 3), 3)
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


def test_packing_takes_little_more_memory_than_the_arrays(tmp_path):
    """In a process of its own, whose peak the kernel tells; it was three times the arrays' size."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak of a process's memory is Linux's to tell")
    script = """
import sys, tensorflow as tf
from pathlib import Path
from kind.data.arrays import pack, unpacker
paths = sys.argv[1:]
next(iter(tf.data.Dataset.range(1).map(unpacker(pack(paths[:1], 3), 3))))
told = lambda word: next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(word))
before = told("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
packed = pack(paths, 3)
for array in tf.data.Dataset.range(len(paths)).map(unpacker(packed, 3)):
    pass
print(told("VmHWM") - before)
"""
    paths = [str(tmp_path / f"{number}.u16") for number in range(32)]
    for path in paths:
        write_array(path, np.zeros((700, 600, 3), np.float32))
    size = sum(Path(path).stat().st_size for path in paths)  # 80 MB
    done = subprocess.run(
        [sys.executable, "-c", script, *paths], stdout=subprocess.PIPE, text=True, check=True
    )
    assert int(done.stdout) * 1024 < 1.5 * size


def spoil(path, change):
    content = bytearray(path.read_bytes())
    path.unlink()
    if change == "folder":
        path.mkdir()
    elif change != "missing":
        content[len(content) // 2] ^= 4
        changed = {
            "flipped": content,
            "cut": content[: len(content) // 2],
            "empty": b"",
            "tail": content[:-1],
        }
        path.write_bytes(changed[change])


@pytest.mark.parametrize("change", ["flipped", "cut", "empty", "tail", "folder"])
def test_damaged_arrays_are_found_and_named_in_one_line(tmp_path, capsys, change):
    files = {str(tmp_path / f"{number}.u16"): 3 for number in range(3)}
    for path in files:
        write_array(path, random_array(9, 7, 3))
    assert find_unusable(files) == set() and capsys.readouterr().err == ""
    spoil(tmp_path / "1.u16", change)
    assert find_unusable(files) == {str(tmp_path / "1.u16")}
    assert capsys.readouterr().err == f"{tmp_path}: damaged in the cache, made anew: 1.u16\n"


def test_missing_arrays_and_those_of_the_format_without_digests_are_made_in_silence(tmp_path, capsys):
    path = tmp_path / "a.u16"
    write_array(path, random_array(9, 7, 3))
    path.write_bytes(path.read_bytes()[:-8])
    assert find_unusable({str(path): 3, str(tmp_path / "b.u16"): 1}) == {str(path), str(tmp_path / "b.u16")}
    assert capsys.readouterr().err == ""


def test_another_number_of_channels_is_another_array(tmp_path):
    write_array(tmp_path / "a.u16", random_array(9, 7, 1))
    assert find_unusable({str(tmp_path / "a.u16"): 3}) == {str(tmp_path / "a.u16")}


def test_a_full_disk_is_one_line(tmp_path):
    resource = pytest.importorskip("resource", reason="limits on file sizes are POSIX's")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # writing more fails, like a full disk
    try:
        with pytest.raises(UserError, match="a.u16: cannot be written .*: make room") as caught:
            write_array(tmp_path / "a.u16", random_array(9, 7, 3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_cache_that_cannot_be_written_is_named_with_its_flag(tmp_path, monkeypatch, code):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("kind.files.os.replace", fail)
    for write in (
        lambda: write_array(tmp_path / "a.u16", random_array(9, 7, 3)),
        lambda: write_photo(tmp_path / "a.png", random_array(9, 7, 3)),
    ):
        with pytest.raises(UserError) as caught, writing_to_cache(tmp_path):
            write()
        assert os.strerror(code) in str(caught.value) and str(caught.value).startswith(str(tmp_path))
        assert str(caught.value).endswith("or give another --cache") and not list(tmp_path.iterdir())


def test_a_file_in_the_caches_way_is_one_line(tmp_path, capsys):
    (tmp_path / "cache").write_text("")
    path = tmp_path / "cache" / "images" / "a.u16"
    assert find_unusable({str(path): 3}) == {str(path)} and capsys.readouterr().err == ""
    with pytest.raises(UserError, match="cache/images: cannot be written .Not a directory.*--cache"):
        write_array(path, random_array(9, 7, 3))


def test_other_mistakes_are_not_the_caches(tmp_path):
    with pytest.raises(UserError, match="^other$"), writing_to_cache(tmp_path):
        raise UserError("other")


def test_a_user_without_a_home_gives_a_cache(monkeypatch):
    def fail():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", fail)
    with pytest.raises(UserError, match="give --cache DIR"):
        default_cache()
