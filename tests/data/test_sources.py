import hashlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow import keras

from kind.data.pairs import find_pairs
from kind.data.sources import DECODING_VERSION, decomposed_source, pair_source
from kind.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """Three pairs of different sizes; the second dark one is black."""
    generator = np.random.default_rng(0)
    for number, (height, width) in enumerate([(9, 12), (10, 8), (11, 11)]):
        high = generator.integers(0, 256, (height, width, 3), np.uint8)
        low = high // 8 if number != 1 else np.zeros_like(high)
        for side, image in (("low", low), ("high", high)):
            path = tmp_path / "pairs" / side / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    return tmp_path / "pairs"


def splitting_net(seed=0):
    """A stand-in for the decomposition: 1×1 convolutions, so that NumPy can do it too."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((None, None, 3))
    reflectance = keras.layers.Conv2D(3, 1, activation="sigmoid", name="reflectance")(image)
    illumination = keras.layers.Conv2D(1, 1, activation="sigmoid", name="illumination")(image)
    return keras.Model(image, [reflectance, illumination], name="decomposition")


def stretched(path):
    """The published loading: every image from its minimum to its maximum."""
    values = np.asarray(Image.open(path), np.float64) / 255
    span = values.max() - values.min()
    return (values - values.min()) / np.maximum(span, 1 / 255)


def test_pairs_are_decoded_and_stretched(folder, tmp_path):
    source = pair_source(find_pairs(folder), tmp_path / "cache")
    assert source.names == ("0", "1", "2") and len(source) == 3
    assert source.smallest_side() == (8, str(folder / "low" / "1.png"))
    assert source.images[2] == str(folder / "low" / "2.png")
    read = source.reader()
    for index, name in enumerate(source.names):
        for side, values in read(tf.constant(index, tf.int64)).items():
            expected = stretched(folder / side / f"{name}.png")
            assert np.max(np.abs(values.numpy() / 65535 - expected)) < 1e-4


def test_16_bit_images_keep_their_levels(tmp_path):
    from tifffile import imwrite

    image = np.arange(0, 65535, 257, np.uint16)[:192].reshape(8, 8, 3) + np.uint16(100)
    for side in ("low", "high"):
        (tmp_path / side).mkdir()
        imwrite(tmp_path / side / "a.tif", image)
    values = pair_source(find_pairs(tmp_path), tmp_path / "cache").reader()(tf.constant(0, tf.int64))["low"]
    expected = (image - image.min()) / float(image.max() - image.min())
    assert np.max(np.abs(values.numpy() / 65535 - expected)) < 2e-5
    assert len(np.unique(values)) == 192


def test_memory_and_files_give_the_same_samples(folder, tmp_path):
    source = pair_source(find_pairs(folder), tmp_path / "cache")
    in_memory, from_files = source.reader(memory=1 << 30), source.reader(memory=0)
    assert in_memory is not from_files
    for index in range(len(source)):
        number = tf.constant(index, tf.int64)
        for key, values in in_memory(number).items():
            assert np.array_equal(values, from_files(number)[key])


def test_images_are_decoded_once(folder, tmp_path):
    seen = []
    pairs = find_pairs(folder)
    pair_source(pairs, tmp_path / "cache", lambda *progress: seen.append(progress))
    assert seen == [("decoding images", done, 3, "pairs") for done in range(1, 4)]
    pair_source(pairs, tmp_path / "cache", lambda *progress: pytest.fail("decoded again"))


def test_digests_change_with_the_images_and_nothing_else(folder, tmp_path):
    before = pair_source(find_pairs(folder), tmp_path / "cache").digests()
    assert before == pair_source(find_pairs(folder), tmp_path / "elsewhere").digests()
    image = np.asarray(Image.open(folder / "high" / "2.png")).copy()
    image[0, 0, 0] ^= 1
    Image.fromarray(image).save(folder / "high" / "2.png")
    after = pair_source(find_pairs(folder), tmp_path / "cache").digests()
    assert {name for name in before if before[name] != after[name]} == {"2"}


def test_decompositions_are_those_of_the_whole_stretched_image(folder, tmp_path):
    net = splitting_net()
    source = decomposed_source(find_pairs(folder), net, tmp_path / "cache")
    sample = source.reader()(tf.constant(0, tf.int64))
    assert set(sample) == {
        f"{part}_{side}" for part in ("reflectance", "illumination") for side in ("low", "high")
    }
    for side in ("low", "high"):
        image = stretched(folder / side / "0.png")
        for part in ("reflectance", "illumination"):
            kernel, bias = net.get_layer(part).get_weights()
            expected = 1 / (1 + np.exp(-(image @ kernel[0, 0] + bias)))
            assert np.max(np.abs(sample[f"{part}_{side}"].numpy() / 65535 - expected)) < 1e-4


def test_the_decomposition_cache_is_kept_by_the_weights(folder, tmp_path):
    pairs, seen = find_pairs(folder), []
    count = lambda what, done, total, unit: seen.append(done)  # noqa: E731
    first = decomposed_source(pairs, splitting_net(), tmp_path / "cache", count)
    assert len(seen) == 6
    again = decomposed_source(pairs, splitting_net(), tmp_path / "cache", count)
    assert len(seen) == 6 and again.digests() == first.digests()
    other = decomposed_source(pairs, splitting_net(seed=1), tmp_path / "cache", count)
    assert len(seen) == 12
    assert not set(other.digests().values()) & set(first.digests().values())
    assert not set(other.files["reflectance_low"]) & set(first.files["reflectance_low"])


def test_a_damaged_image_is_named(folder, tmp_path):
    damaged = folder / "low" / "0.png"
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])
    with pytest.raises(UserError, match="0.png"):
        pair_source(find_pairs(folder), tmp_path / "cache")


def test_another_version_of_the_code_makes_arrays_anew(folder, tmp_path, monkeypatch):
    pairs, seen = find_pairs(folder), []
    count = lambda what, done, total, unit: seen.append(done)  # noqa: E731
    first = [pair_source(pairs, tmp_path, count), decomposed_source(pairs, splitting_net(), tmp_path, count)]
    assert len(seen) == 9  # three pairs, and six images
    recorded = [source.digests() for source in first]
    monkeypatch.setattr("kind.data.sources.DECODING_VERSION", DECODING_VERSION + 1)
    second = [pair_source(pairs, tmp_path, count), decomposed_source(pairs, splitting_net(), tmp_path, count)]
    assert len(seen) == 18 and [source.digests() for source in second] == recorded
    monkeypatch.setattr("kind.data.sources.RECORDED_VERSION", DECODING_VERSION + 1)
    for before, after in zip(recorded, second):  # so a run that goes on is told that its data are others
        assert not set(before.values()) & set(after.digests().values())


def test_this_version_keeps_the_digests_that_run_folders_record(folder, tmp_path):
    source = pair_source(find_pairs(folder), tmp_path)
    contents = {
        side: hashlib.sha256((folder / side / "0.png").read_bytes()).hexdigest()[:24]
        for side in ("low", "high")
    }
    text = "\n".join(f"{side} images/{content}.u16" for side, content in contents.items())
    assert source.digests()["0"] == hashlib.sha256(text.encode()).hexdigest()[:24]


@pytest.mark.parametrize("decomposed", [False, True])
def test_damaged_arrays_are_made_anew(folder, tmp_path, capsys, decomposed):
    def samples():
        source = decomposed_source(pairs, net, tmp_path) if decomposed else pair_source(pairs, tmp_path)
        read = source.reader(memory=0)
        return source, [
            {key: value.numpy() for key, value in read(tf.constant(number, tf.int64)).items()}
            for number in range(len(source))
        ]

    pairs, net = find_pairs(folder), splitting_net()
    source, before = samples()
    first, *_, last = source.files.values()
    paths = [Path(first[0]), Path(last[1])]
    flipped = bytearray(paths[0].read_bytes())
    flipped[20] ^= 1
    paths[0].write_bytes(flipped)
    paths[1].write_bytes(b"")
    _, after = samples()
    assert "damaged in the cache, made anew" in capsys.readouterr().err
    for ours, theirs in zip(before, after):
        assert all(np.array_equal(ours[key], theirs[key]) for key in ours)
