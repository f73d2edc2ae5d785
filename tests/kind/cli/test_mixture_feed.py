"""What a mixture is validated on has to be large enough for the losses that are added."""

from types import SimpleNamespace

import numpy as np
import pytest

from kind.cli.mixture_feed import is_mixture, open_mixture
from kind.errors import UserError
from kind.images.photo import write_photo
from kind.lite.config import LiteConfig


@pytest.mark.parametrize("loss, least", [("ms-ssim=1", 176), ("l1=1", None)])
def test_small_validation_photographs_are_refused_where_a_loss_needs_larger_ones(monkeypatch, loss, least):
    small = SimpleNamespace(smallest_side=lambda: (60, "held_out/7.png"))
    part = SimpleNamespace(validation=small)
    monkeypatch.setattr("kind.data.mixture_parts.open_part", lambda *_: part)

    def reached(part, patch):
        raise UserError("the photographs are large enough")

    monkeypatch.setattr("kind.data.mixture_parts.fitting", reached)
    expected = f"held_out/7.png: .*60 pixels; expected {least}" if least else "large enough"
    with pytest.raises(UserError, match=expected):
        open_mixture(["p=x:1"], LiteConfig(loss=(loss,)), 1, None)


def test_images_that_are_smaller_than_the_crops_are_counted(tmp_path, capsys):
    photographs = np.random.default_rng(0).random((20, 80, 80, 3))
    for number, photograph in enumerate(photographs):
        side = 48 if number < 3 else 80
        write_photo(tmp_path / "p" / f"{number:02}.png", photograph[:side])
    config = LiteConfig(patch=64, batch=2, steps=1)
    mixture = open_mixture([f"p={tmp_path / 'p'}:1"], config, 1, tmp_path / "cache")
    assert next(iter(mixture.datasets.batches(0, 1, 0)))["high"].shape[1:3] == (64, 64)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("p:")]
    assert line.endswith("training images are not used: their shorter side is below --patch 64")
    assert 1 <= int(line.split()[1]) <= 3


def test_a_mixture_takes_no_other_split():
    with pytest.raises(UserError, match="--validation-every expects 10 with a mixture, .*; received 5"):
        open_mixture(["p=x:1"], LiteConfig(validation_every=5), 1, None)


def test_several_folders_need_names_and_weights(tmp_path):
    assert not is_mixture(["pairs"]) and is_mixture(["a=pairs:1"]) and is_mixture(["a=pairs:1", "b=more:2"])
    (tmp_path / "day=1").mkdir()
    assert not is_mixture([str(tmp_path / "day=1")])
    with pytest.raises(UserError, match="one folder of pairs, or NAME=DIR:WEIGHT for each part"):
        is_mixture(["pairs", "a=more:2"])
