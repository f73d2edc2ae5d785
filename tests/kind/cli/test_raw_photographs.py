"""Raw photographs on the command line: their names, and how bright their noise lets them be."""

from types import SimpleNamespace

import numpy as np
import pytest

from kind.cli.planning import plan
from kind.cli.relighting import MOST_NOISE, alpha_within_noise
from kind.images.finding import photos_in
from kind.images.noise import shot_noise
from kind.images.photo import StoredPhoto


def suggesting(alpha):
    """Stands for an enhancer."""
    return SimpleNamespace(suggested_alpha=lambda image: alpha)


def photograph(noise):
    """A flat dark raw photograph; `noise` is the variance for each unit of light."""
    light = np.full((160, 160, 3), 0.004)
    light += np.random.default_rng(0).normal(0, 1, light.shape) * np.sqrt(noise * light)
    levels = np.where(light < 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    return StoredPhoto(np.rint(np.clip(levels, 0, 1) * 65535).astype(np.uint16), is_raw=True)


def test_a_clean_one_gets_the_suggested_light():
    photo = photograph(1e-6)
    assert alpha_within_noise(suggesting(60), photo) == (None, photo)


def test_a_noisy_one_gets_less_and_a_note():
    photo = photograph(1e-3)
    alpha, noted = alpha_within_noise(suggesting(300), photo)
    assert alpha == pytest.approx(MOST_NOISE / shot_noise(photo.levels)) and 1 < alpha < 80
    assert "not the suggested 300; --alpha decides" in noted.notes[0] and noted.levels is photo.levels
    assert alpha_within_noise(suggesting(alpha * 0.99), photo) == (None, photo)


def test_they_become_jpeg_beside_what_the_camera_made_of_them(tmp_path):
    for name in ("a.nef", "b.CR2", "b.jpg"):
        (tmp_path / name).touch()
    jobs = plan([tmp_path / name for name in ("a.nef", "b.CR2", "b.jpg")], None, None)
    assert [job.target.name for job in jobs] == ["a-relit.jpg", "b-relit-cr2.jpg", "b-relit.jpg"]
    jobs = plan([tmp_path / "a.nef"], tmp_path / "out", "tiff")
    assert jobs[0].target == tmp_path / "out" / "a.tiff"


def test_without_the_extra_they_are_passed_over_with_a_hint(tmp_path, monkeypatch, capsys):
    for name in ("a.nef", "b.jpg"):
        (tmp_path / name).touch()
    for module in ("kind.images.finding", "kind.cli.inputs"):
        monkeypatch.setattr(f"{module}.PHOTO_SUFFIXES", (".jpg", ".png"))
    assert photos_in(tmp_path).photos == [tmp_path / "b.jpg"]
    assert len(plan([tmp_path], None, None)) == 1
    assert "1 .nef (a.nef); raw files need pip install 'kind[raw]'" in capsys.readouterr().err
