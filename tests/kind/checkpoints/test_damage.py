"""Cut and altered checkpoints: one line, or the right values, and never anything else."""

import numpy as np
import pytest

from kind.checkpoints.names import PUBLISHED
from kind.checkpoints.tensorflow1 import load_checkpoint
from kind.errors import UserError

SMALL = PUBLISHED["kind"]["illumination"]
DATA = ".data-00000-of-00001"


@pytest.fixture
def checkpoint(random_variables, write_checkpoint, tmp_path):
    return write_checkpoint(tmp_path / "model.ckpt", random_variables("kind", "illumination"))


@pytest.fixture
def net(build):
    return build("kind", "illumination")


@pytest.fixture
def attempt(net, checkpoint):
    """(suffix, content) → the refusal of the checkpoint with that file's content, None if it was read."""
    load_checkpoint(net, checkpoint, SMALL)
    expected = net.get_weights()

    def read(suffix, content):
        path = checkpoint.with_name(checkpoint.name + suffix)
        original = path.read_bytes()
        path.write_bytes(content)
        try:
            load_checkpoint(net, checkpoint, SMALL)
        except UserError as error:
            assert "\n" not in str(error)
            return str(error)
        finally:
            path.write_bytes(original)
            assert all(np.array_equal(old, new) for old, new in zip(expected, net.get_weights()))
        return None

    return read


def flipped(content, generator):
    content = bytearray(content)
    content[generator.integers(len(content))] ^= 1 << generator.integers(8)
    return bytes(content)


def test_every_shortened_index_is_refused(attempt, checkpoint):
    content = checkpoint.with_name("model.ckpt.index").read_bytes()
    for length in range(len(content)):
        assert attempt(".index", content[:length]) is not None, length


def test_shortened_data_is_refused(attempt, checkpoint):
    content = checkpoint.with_name(f"model.ckpt{DATA}").read_bytes()
    for length in (0, 1, len(content) // 2, len(content) - 1):
        assert f"truncated: {length} bytes, but the index expects {len(content)}" in attempt(
            DATA, content[:length]
        )


def test_flipped_bits_in_the_index_change_no_value(attempt, checkpoint):
    content = checkpoint.with_name("model.ckpt.index").read_bytes()
    generator = np.random.default_rng(0)
    refusals = [attempt(".index", flipped(content, generator)) for _ in range(300)]
    assert sum(message is not None for message in refusals) > 220  # the rest hit unused bytes


def test_overwritten_stretches_of_the_index_change_no_value(attempt, checkpoint):
    content = checkpoint.with_name("model.ckpt.index").read_bytes()
    generator = np.random.default_rng(1)
    for _ in range(150):
        start = generator.integers(len(content))
        noise = generator.bytes(min(generator.integers(1, 40), len(content) - start))
        attempt(".index", content[:start] + noise + content[start + len(noise) :])


def test_flipped_bits_in_the_data_are_always_refused(attempt, checkpoint):
    content = checkpoint.with_name(f"model.ckpt{DATA}").read_bytes()
    generator = np.random.default_rng(2)
    for _ in range(150):
        assert "cannot be read as a checkpoint" in attempt(DATA, flipped(content, generator))


def test_data_of_another_checkpoint_is_refused(attempt, random_variables, write_checkpoint, tmp_path):
    other = write_checkpoint(tmp_path / "other/model.ckpt", random_variables("kind", "illumination", seed=1))
    message = attempt(DATA, other.with_name(f"model.ckpt{DATA}").read_bytes())
    assert "cannot be read as a checkpoint" in message


@pytest.mark.parametrize("content", [b"", b"text\n" * 100, bytes(4096)])
def test_garbage_is_refused(attempt, content):
    assert "not a checkpoint's index" in attempt(".index", content)
