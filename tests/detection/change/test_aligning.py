"""Registration of two dates and the regions that are found in them."""

import json

import numpy as np
import pytest
from skimage import data
from skimage.transform import AffineTransform, warp
from tensorflow import keras

from kind.cli.main import main
from kind.detection.change.aligning import align
from kind.detection.change.model import NAME
from kind.detection.change.regions import draw_outlines, feature_collection, regions_of
from kind.errors import UserError
from kind.images.photo import read_photo, write_photo
from kind.nn.saving import save_net


@pytest.fixture(scope="module")
def place():
    return (data.astronaut() / 255).astype(np.float32)


def gray(image):
    return image.mean(axis=-1).astype(np.float32)


@pytest.mark.parametrize(
    "moved", [{"translation": (9, -14)}, {"rotation": 0.02, "scale": 1.02, "translation": (4, 3)}]
)
def test_a_moved_and_darkened_photograph_is_put_back(place, moved):
    truth = AffineTransform(**moved)
    second = warp(place, truth.inverse, mode="reflect").astype(np.float32)
    found = align(gray(place), gray(second**2.2 / 8))
    corners = np.array([[100, 100], [400, 120], [250, 400]], float)
    assert np.abs(found.in_second(corners) - truth(corners)).max() < 1.0
    aligned, covered = found.aligned(second)
    inside = covered.copy()
    inside[:40], inside[-40:], inside[:, :40], inside[:, -40:] = False, False, False, False
    assert np.abs(aligned - place)[inside].mean() < 0.02
    assert 0.85 < covered.mean() < 1


def test_a_photograph_of_another_size_is_scaled_first(place):
    found = align(gray(place[::2, ::2]), gray(place))
    points = np.array([[10.0, 20.0], [200.0, 100.0]])
    np.testing.assert_allclose(found.in_second(points), points * 2 + 0.5, atol=0.7)


def test_what_cannot_be_registered_is_refused(place):
    with pytest.raises(UserError, match="no structure in common"):
        align(gray(place)[:300, :451], gray(data.chelsea() / 255).astype(np.float32))
    with pytest.raises(UserError, match="other aspect ratios"):
        align(gray(place), gray(place[:400]))
    with pytest.raises(UserError, match="expected 128 or more"):
        align(gray(place[:100, :100]), gray(place[:100, :100]))


def test_regions_have_outlines_holes_and_areas():
    probability = np.zeros([30, 40], np.float32)
    probability[3:13, 5:25] = 0.9
    probability[6:9, 10:14] = 0.1
    probability[20:23, 30:33] = 0.8
    mask, regions = regions_of(probability, 0.5, smallest=9)
    np.testing.assert_array_equal(mask, probability > 0.5)
    assert [region.area for region in regions] == [188, 9] and regions[0].box == (5, 3, 25, 13)
    assert regions[0].probability == pytest.approx(0.9) and len(regions[0].holes) == 1
    assert regions[0].outline.min(axis=0) == pytest.approx([4.5, 2.5])
    first = feature_collection(regions)["features"][0]["geometry"]
    assert first["type"] == "Polygon" and first["coordinates"][0][0] == first["coordinates"][0][-1]
    assert len(regions_of(probability, 0.5, smallest=10)[1]) == 1
    drawn = draw_outlines(np.zeros([30, 40, 3]), [regions[0].outline])
    assert drawn[2:4, 15, 0].max() == 1 and drawn[25, 5].max() == 0


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Finds where the red channel has grown by more than a quarter."""
    dates = [keras.Input((None, None, 3), name=name) for name in ("before", "after")]
    kernel = np.zeros([1, 1, 3, 1], np.float32)
    kernel[0, 0, 0] = 100
    last = keras.layers.Conv2D(1, 1, name="logits")
    net = keras.Model(dates, last(keras.layers.Subtract()(dates[::-1])), name=NAME)
    last.set_weights([kernel, np.array([-25.0], np.float32)])
    path = tmp_path_factory.mktemp("net") / "change.keras"
    save_net(net, path)
    return path


def test_the_command_writes_everything(place, network, tmp_path, capsys):
    before, after = place.copy(), place.copy()
    before[200:260, 100:180] = [0.0, 0.0, 0.0]
    after[200:260, 100:180] = [1.0, 0.0, 0.0]
    for name, image in (("before.png", before), ("after.png", np.roll(after, 5, axis=1))):
        write_photo(tmp_path / name, image)
    command = [
        "changes",
        str(tmp_path / "before.png"),
        str(tmp_path / "after.png"),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main([*command, "--detector", str(network), "--input", "raw", "--smallest", "500"]) == 0
    assert "1 changed regions" in capsys.readouterr().out
    mask = read_photo(tmp_path / "out" / "mask.png").pixels[..., 0] > 0.5
    expected = after[..., 0] - before[..., 0] > 0.25
    assert (mask & expected).sum() > 0.95 * max(expected.sum(), mask.sum())
    (feature,) = json.loads((tmp_path / "out" / "changes.json").read_text())["features"]
    assert feature["properties"]["box"] == pytest.approx([100, 200, 180, 260], abs=3)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["shift"] == pytest.approx(5, abs=0.2) and summary["regions"] == 1
    assert read_photo(tmp_path / "out" / "after.jpg").pixels.shape == place.shape


def test_the_command_refuses_other_places_in_one_line(place, network, tmp_path, capsys):
    write_photo(tmp_path / "one.png", place[:300, :451])
    write_photo(tmp_path / "two.png", (data.chelsea() / 255).astype(np.float32))
    command = [
        "changes",
        str(tmp_path / "one.png"),
        str(tmp_path / "two.png"),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main([*command, "--detector", str(network), "--input", "raw"]) == 2
    error = capsys.readouterr().err
    assert "cannot be registered" in error and error.count("\n") == 1
