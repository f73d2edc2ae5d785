"""What a mixture is validated on has to be large enough for the losses that are added."""

from types import SimpleNamespace

import pytest

from kind.cli.mixture_feed import is_mixture, open_mixture
from kind.errors import UserError
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


def test_a_mixture_takes_no_other_split():
    with pytest.raises(UserError, match="--validation-every expects 10 with a mixture, .*; received 5"):
        open_mixture(["p=x:1"], LiteConfig(validation_every=5), 1, None)


def test_several_folders_need_names_and_weights(tmp_path):
    assert not is_mixture(["pairs"]) and is_mixture(["a=pairs:1"]) and is_mixture(["a=pairs:1", "b=more:2"])
    (tmp_path / "day=1").mkdir()
    assert not is_mixture([str(tmp_path / "day=1")])
    with pytest.raises(UserError, match="one folder of pairs, or NAME=DIR:WEIGHT for each part"):
        is_mixture(["pairs", "a=more:2"])
