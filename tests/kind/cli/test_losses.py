"""The command that lists losses and shows what they penalise, and its document."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.cli.feature_files import load_features
from kind.cli.loss_document import MEASURED, document, measured_in
from kind.cli.loss_gallery import REFERENCE, SUFFIX, losses_of, read_record, stale_pictures
from kind.cli.loss_pictures import DEGRADATIONS, degraded, red_blue, shown, takes_images
from kind.cli.main import main
from kind.errors import UserError
from kind.images.photo import read_photo, write_photo
from kind.losses.catalogue import CATALOGUE
from kind.nn.saving import save_net

DOCUMENT = Path(__file__).parents[3] / "docs" / "losses.md"
PICTURES = DOCUMENT.with_suffix("")
LARGEST = 600_000  # bytes, of all pictures together
STALE = "docs/losses.md is stale: run `kind losses markdown --out docs/losses.md`"


def test_the_document_is_what_the_docstrings_say():
    expected = document(read_record(PICTURES), PICTURES.name, measured_in(DOCUMENT))
    assert DOCUMENT.read_text(encoding="utf-8") == expected, STALE


def test_its_pictures_are_of_the_losses_as_they_are():
    assert stale_pictures(PICTURES) == [], STALE
    files = {path.stem for path in PICTURES.glob(f"*{SUFFIX}")}
    assert files == {*read_record(PICTURES), REFERENCE}, STALE
    assert sum(path.stat().st_size for path in PICTURES.iterdir()) < LARGEST


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, entry in CATALOGUE.items() if takes_images(entry)])
def test_recorded_losses_are_computed_again(name):
    """What the code of one module does not tell: everything that a loss is made of."""
    expected = read_record(PICTURES)[name]["losses"]
    assert losses_of(name) == pytest.approx(expected, rel=0.02, abs=1e-6), STALE


def test_a_picture_is_stale_when_its_code_changes_and_not_when_its_docstring_does(monkeypatch):
    import inspect

    from kind.cli import loss_gallery

    entry, source = CATALOGUE["l1"], inspect.getsource
    before = loss_gallery._digest(entry)

    def changed(old, new):
        monkeypatch.setattr(inspect, "getsource", lambda module: source(module).replace(old, new))
        return loss_gallery._digest(entry)

    assert changed("tf.abs(", "tf.square(") != before
    assert changed("Mean |d|: less", "The mean |d|: less") == before


def test_a_document_keeps_the_section_that_was_measured(tmp_path):
    text = document(
        {"l1": {"digest": "", "losses": [0, *range(1, 9)]}}, "losses", f"{MEASURED}\n\nA table.\n"
    )
    assert "![Gradients of l1](losses/l1.webp)\n\nLosses: none 0, noise 1, blur 2, shift 3" in text
    (tmp_path / "losses.md").write_text(text)
    assert measured_in(tmp_path / "losses.md") == f"{MEASURED}\n\nA table.\n"
    assert measured_in(tmp_path / "none.md") == ""


def test_a_damaged_record_of_pictures_is_one_line(tmp_path):
    (tmp_path / "pictures.json").write_text("[1]")
    with pytest.raises(UserError, match="not a record of pictures; remove the folder"):
        read_record(tmp_path)


def test_the_document_has_every_loss_with_its_arguments():
    text = document({}, "losses")
    for name in CATALOGUE:
        assert f"\n### {name}\n" in text
    assert "`dark_weight`: w\\_L (default: 4.0)." in text and "None" not in text


def test_the_list_has_one_line_for_each_loss(capsys):
    assert main(["losses"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CATALOGUE)
    assert all(len(line.split(maxsplit=1)[1]) > 10 for line in lines)


@pytest.fixture(scope="module")
def image():
    grid = np.linspace(0, 1, 40, dtype=np.float32)
    waves = 0.5 + 0.3 * np.sin(20 * grid[:, np.newaxis, np.newaxis] + 9 * grid[:, np.newaxis] * [1, 2, 3])
    return tf.constant(waves[np.newaxis], tf.float32)


def test_degradations_grow(image):
    same, found = shown(CATALOGUE["l1"], image)
    assert same == 0 and len(DEGRADATIONS) == 8 and len(found) == 24
    for start in range(0, 24, 3):
        slight, middle, strong = (one.loss for one in found[start : start + 3])
        assert 0 < slight < middle < strong, found[start].degradation
    for _, _, other in degraded(image):
        assert (
            other.shape == image.shape
            and 0 <= float(tf.reduce_min(other)) <= float(tf.reduce_max(other)) <= 1
        )


def test_the_gradient_is_the_losses(image):
    _, found = shown(CATALOGUE["l2"], image)
    noise = found[0]
    difference = (noise.image - image[0].numpy()).mean(axis=-1)
    np.testing.assert_allclose(noise.gradient, 2 * difference / image.numpy().size, atol=1e-8)


def test_red_is_up_and_blue_is_down_on_one_scale():
    picture = red_blue(np.array([[0.0, 2.0, -1.0, -2.0]]))
    np.testing.assert_allclose(picture[0], [[1, 1, 1], [1, 0, 0], [0.5, 0.5, 1], [0, 0, 1]], atol=0.02)
    assert (red_blue(np.zeros([2, 2])) == 1).all()


def test_show_writes_a_picture(tmp_path, capsys, image):
    write_photo(tmp_path / "photo.png", image[0].numpy())
    command = [
        "losses",
        "show",
        "charbonnier",
        "--out",
        str(tmp_path),
        "--image",
        str(tmp_path / "photo.png"),
    ]
    assert main(command) == 0
    assert read_photo(tmp_path / "charbonnier.png").pixels.shape[0] > 600
    printed = capsys.readouterr().out
    assert "none" in printed and "0.001\n" in printed and printed.count("times the unsharp mask") == 3


@pytest.mark.parametrize(
    "name, message",
    [
        ("l3", "l3: no such loss; `kind losses` lists them"),
        ("hinge-generator", "takes scores of generated images"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(tmp_path, capsys, name, message):
    assert main(["losses", "show", name, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_features_of_files(tmp_path):
    values = keras.Input((None, None, 3), name="image")
    first = keras.layers.Conv2D(4, 3, padding="same", name="first")(values)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(first)
    net = keras.Model(values, keras.layers.Dense(2, name="classes")(pooled), name="classifier")
    save_net(net, tmp_path / "classifier.keras")
    image = tf.random.stateless_uniform([1, 9, 7, 3], [0, 0])
    (found,) = load_features(tmp_path / "classifier.keras", ["first"])(image)
    np.testing.assert_allclose(found, net.get_layer("first")(image), atol=1e-6)
    grey = load_features(tmp_path / "classifier.keras", ["first"])(image[..., :1])
    assert grey[0].shape == found.shape
    with pytest.raises(UserError, match="name the layer to compare, FILE:LAYER; it has first"):
        load_features(tmp_path / "classifier.keras")
    with pytest.raises(UserError, match="has no layer 'second'; it has first"):
        load_features(tmp_path / "classifier.keras", ["second"])


@pytest.mark.slow
def test_features_of_the_detector_that_ships():
    features = load_features()
    levels = features(tf.random.stateless_uniform([1, 33, 20, 3], [0, 0]))
    assert [level.shape[1] for level in levels] == [32, 16, 8, 4, 2]  # of 64×32
