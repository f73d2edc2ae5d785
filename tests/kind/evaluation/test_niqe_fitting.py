import numpy as np
import pytest
from PIL import Image
from skimage import data

from kind.errors import UserError
from kind.evaluation.niqe_fitting import fit_to_photographs
from kind.metrics.niqe_features import block_features


def test_a_model_names_its_photographs_and_what_was_left_out(tmp_path, capsys):
    big = np.random.default_rng(0).integers(0, 255, (96 * 7, 96 * 7, 3), np.uint8)
    Image.fromarray(big).save(tmp_path / "noise.png")
    Image.fromarray(data.astronaut()[:95]).save(tmp_path / "small.png")
    (tmp_path / "broken.png").write_bytes(b"nothing")
    paths = [tmp_path / name for name in ("broken.png", "noise.png", "small.png")]
    model, left_out = fit_to_photographs(paths, "a folder")
    assert model.name == "a folder (1 photographs, 49 blocks, T = 0.75)"
    features, _ = block_features(big / 255)  # noise is equally sharp everywhere
    np.testing.assert_allclose(model.mean, features.mean(axis=0), rtol=1e-6)
    assert [reason.split(":")[0] for reason in left_out] == [str(paths[0]), str(paths[2])]
    assert capsys.readouterr().err.splitlines()[-1].startswith("3 of 3 photographs, ")


def test_too_little_is_an_error(tmp_path):
    Image.fromarray(data.astronaut()[:200, :200]).save(tmp_path / "one.png")
    with pytest.raises(UserError, match="more than 36 sharp blocks"):
        fit_to_photographs([tmp_path / "one.png"], "one")
