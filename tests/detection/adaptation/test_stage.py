"""The adaptation: which term moves what, what stands still, and what is said when it fails."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.detection.adaptation.config import WEIGHTS, AdaptationConfig
from kind.detection.adaptation.model import adaptation_net, early_feature, reflectance_decoder
from kind.detection.adaptation.stage import NAMES, AdaptationStage, check_stepped, frozen
from kind.detection.adaptation.terms import Twins
from kind.detection.model import build_detector
from kind.detection.predictor import load_detector
from kind.detection.sizes import Proportions
from kind.errors import UserError
from kind.nn.saving import load_net, save_net

TINY = Proportions((8, 8, 16, 16), (1, 1, 1, 1), 1)
SIZE = 64
EARLY = ("stem", "stack1")
"""How the names of the layers before the decoder's feature begin."""


def config(**changes):
    settings = {"image_size": SIZE, "batch": 2, "epochs": 4, "warmup_epochs": 0, "average_decay": 0.0}
    return AdaptationConfig(**{**AdaptationConfig.defaults(changes), **settings, **changes})


def decomposition():
    """R = √S and I = a convolution of S: what is frozen has weights, so that a leak would show."""
    image = keras.Input((None, None, 3))
    light = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="light")(image)
    return keras.Model(image, [keras.layers.Activation(tf.nn.relu)(image), light])


@pytest.fixture(scope="module")
def sample():
    """Two canvases and their dark twins, of which one has an outside."""
    generator = np.random.default_rng(0)
    bright = generator.uniform(0.2, 1.0, (2, SIZE, SIZE, 3)).astype(np.float32)
    dark = np.clip(bright / 6 + generator.normal(0, 0.02, bright.shape), 0, 1).astype(np.float32)
    bright[1, 40:] = dark[1, 40:] = -1.0
    boxes = [[[5, 6, 40, 44], [30, 30, 60, 60]], [[8, 4, 60, 38], [0, 0, 0, 0]]]
    return {
        "image": tf.constant(dark),
        "bright": tf.constant(bright),
        "boxes": tf.constant(boxes, tf.float32),
        "classes": tf.constant([[0, 1], [1, -1]]),
    }


@pytest.fixture(scope="module")
def detector():
    tf.keras.utils.set_random_seed(0)
    return build_detector(TINY, ["a", "b"])


def made(detector, reference="retinex", decom=None, **changes):
    decoder = reflectance_decoder(early_feature(detector).shape[-1], reference)
    decompose = frozen(decom or decomposition())
    return AdaptationStage(
        adaptation_net(detector, decoder), config(reference=reference, **changes), decompose
    )


@pytest.fixture(scope="module")
def decom():
    return decomposition()


@pytest.fixture(scope="module")
def stage(detector, decom):
    return made(detector, decom=decom, gram_weight=0.1, sobel_weight=0.1)


@pytest.fixture(scope="module")
def moved(stage, decom, sample):
    """For each term the names of the weights that it moves."""
    weights = [*stage.net.trainable_variables, *decom.variables]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(weights)
        found = stage.terms_of(sample, training=True)
    parts = {name: tape.gradient(term, weights) for name, term in found.items()}
    return {
        name: {w.name for w, part in zip(weights, own) if part is not None and np.abs(part).max() > 0}
        for name, own in parts.items()
    }


def is_early(name):
    return name.startswith(EARLY)


def is_decoder(name):
    return name.startswith(("hidden", "decoded"))


@pytest.mark.parametrize("branch", ["dark", "bright"])
def test_either_detection_branch_moves_the_whole_detector_and_no_decoder(stage, moved, branch):
    every = {weight.name for weight in stage.detector.trainable_variables}
    still = every - moved[branch]
    assert all("box" in name for name in still), still  # of levels that have no object
    assert moved[branch] <= every


@pytest.mark.parametrize("term", ["reference", "agreement", "reconstruction", "interchange", "sobel"])
def test_terms_of_the_decoding_move_decoder_and_early_layers_only(stage, moved, term):
    assert {name for name in moved[term] if is_decoder(name)} == {
        weight.name for weight in stage.net.get_layer("decoder").trainable_variables
    }
    assert any(map(is_early, moved[term]))
    assert all(is_early(name) or is_decoder(name) for name in moved[term])


@pytest.mark.parametrize("term", ["alignment", "gram"])
def test_terms_of_the_features_move_early_layers_only(moved, term):
    assert moved[term] and all(map(is_early, moved[term]))


def test_the_frozen_decomposition_is_never_moved(stage, decom, moved):
    own = {weight.name for weight in decom.variables}
    assert own and not own & set().union(*moved.values())
    assert not {id(weight) for weight in stage.weights} & {id(weight) for weight in decom.variables}


def test_all_terms_are_logged_and_make_the_total(stage, sample):
    found = stage.losses(sample, training=False)
    assert tuple(found) == ("loss", *NAMES) == stage.loss_names
    assert all(np.isfinite(value) for value in found.values())
    settings = stage.config
    weights = {name: getattr(settings, f"{name}_weight") for name in NAMES}
    scale = {name: 1 if name in ("dark", "bright") else settings.batch for name in NAMES}
    total = sum(weights[name] * scale[name] * float(found[name]) for name in NAMES)
    assert float(found["loss"]) == pytest.approx(total, rel=1e-5)


def test_edges_are_learned_without_a_decomposition_and_unbounded(detector, sample):
    stage = made(detector, "ciconv")
    found = stage.losses(sample, training=False)
    assert float(found["reference"]) > 0.5
    assert float(found["interchange"]) == float(found["reconstruction"]) == 0
    assert stage.net.get_layer("decoder").layers[-1].activation is keras.activations.linear
    with pytest.raises(ValueError, match="retinex expects a decomposition"):
        AdaptationStage(stage.net, config())


def test_the_decoder_has_its_own_rate_and_the_detector_waits(detector):
    stage = made(detector, decoder_epochs=3, decoder_rate=0.2)
    stage.set_up(steps_per_epoch=2)
    optimizer = stage.grouped_optimizer
    groups = zip(optimizer.schedules, optimizer.variable_groups)
    found = {(s.factor, s.first_step): {weight.name for weight in group} for s, group in groups}
    assert set(found) == {(0.2, 0), (1.0, 6)}
    assert all(map(is_decoder, found[0.2, 0])) and not any(map(is_decoder, found[1.0, 6]))


@pytest.mark.slow
def test_the_decoder_learns_alone_first(sample):
    stage = made(build_detector(TINY, ["a", "b"]), decoder_epochs=1, optimizer="sgd", learning_rate=0.01)
    stage.set_up(steps_per_epoch=2)
    before = {weight.name: weight.numpy() for weight in stage.net.weights}
    data = tf.data.Dataset.from_tensors(sample).repeat()
    stage.fit(data, steps_per_epoch=2, verbose=0)
    changed = {w.name for w in stage.net.weights if not np.array_equal(w, before[w.name])}
    assert changed and all(map(is_decoder, changed)), changed
    stage.fit(data, steps_per_epoch=2, verbose=0)
    changed = {w.name for w in stage.net.weights if not np.array_equal(w, before[w.name])}
    assert any(map(is_early, changed)) and any("moving_mean" in name for name in changed)


def test_a_weight_that_no_optimizer_steps_is_named(stage):
    every = stage.net.trainable_variables
    check_stepped(stage.net, every)
    with pytest.raises(ValueError, match=f"does not step 1 trained weights, such as {every[0].name}"):
        check_stepped(stage.net, every[1:])


BLACK = "the decoder's output is black or flat in all 2 validation images"
CONSTANT = "the alignment is 0 in all 2 validation images"
NOTHING = "predicts everything as nothing: its highest score is"


def fill(layer, kernel, bias):
    """Sets all of a layer's kernel and bias (of a normalisation: scale and offset)."""
    first, second, *others = layer.get_weights()
    layer.set_weights([first * 0 + kernel if kernel is not None else first, second * 0 + bias, *others])


def seasoned(reference="retinex"):
    """A stage as after some training: a new decoder is flat, a new detector scores low everywhere."""
    tf.keras.utils.set_random_seed(0)
    stage = made(build_detector(TINY, ["a", "b"]), reference)
    last = stage.net.get_layer("decoder").get_layer("decoded")
    last.set_weights([300 * last.kernel, last.bias])
    for name in stage.detector.class_layers:
        fill(stage.detector.get_layer(name), None, 0.0)
    return stage


def black_decoder(stage):
    fill(stage.net.get_layer("decoder").get_layer("decoded"), None, -6.0)


def flat_decoder(stage):
    fill(stage.net.get_layer("decoder").get_layer("decoded"), 0.0, 0.0)


def dead_features(stage):
    for layer in stage.detector.layers:
        if layer.name.startswith("stack1") and isinstance(layer, keras.layers.BatchNormalization):
            fill(layer, 0.0, 0.0)


def blind_detector(stage):
    for name in stage.detector.class_layers:
        fill(stage.detector.get_layer(name), 0.0, -20.0)


def images_of(sample):
    """Batches of one; the second has an outside."""
    return [{name: part[place : place + 1] for name, part in sample.items()} for place in (0, 1)]


@pytest.mark.parametrize(
    ("reference", "broken", "named"),
    [
        ("retinex", lambda stage: None, set()),
        ("ciconv", lambda stage: None, set()),
        ("retinex", black_decoder, {BLACK}),
        ("retinex", flat_decoder, {BLACK}),
        ("ciconv", flat_decoder, {BLACK}),
        ("retinex", dead_features, {BLACK, CONSTANT}),
        ("retinex", blind_detector, {NOTHING}),
    ],
)
def test_known_failures_are_named(sample, reference, broken, named):
    stage = seasoned(reference)
    broken(stage)
    text = "; ".join(stage.complaints([stage.validation_values(one) for one in images_of(sample)]))
    assert {words for words in (BLACK, CONSTANT, NOTHING) if words in text} == named, text


def test_a_black_decoding_has_a_range_of_its_own_and_the_outside_has_none(sample):
    stage = seasoned()
    black_decoder(stage)
    values = [stage.validation_values(one) for one in images_of(sample)]
    assert all(value["decoded_range"] > 1e-3 for value in values)
    reference = stage._reference(Twins(sample["image"], sample["bright"]))[0][1, :40]
    assert float(values[1]["reference_range"]) == pytest.approx(np.ptp(reference), rel=1e-6)
    assert float(values[1]["reference_mean"]) == pytest.approx(np.abs(reference).mean(), rel=1e-5)


def test_the_best_network_is_chosen_and_shown(stage, sample):
    one = images_of(sample)[0]
    value = stage.validation_values(one)
    assert set(stage.validation_metrics([value])) > {*stage.loss_names, "map_50"}
    shown = stage.visualisations(one)
    assert [image.shape for image in shown] == [(1, SIZE, SIZE, 3)] * 4


def test_both_networks_are_saved_and_the_detector_is_used(stage, tmp_path):
    save_net(stage.net, tmp_path / "best.keras")
    loaded = load_net(tmp_path / "best.keras")
    for one, other in zip(loaded.get_weights(), stage.net.get_weights(), strict=True):
        assert np.array_equal(one, other)
    (tmp_path / "config.json").write_text("{}")
    assert load_detector(tmp_path).class_names == ("a", "b")
    assert set(stage.parts(stage.net)) == {"detector", "decoder"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alignment_weight": -1}, "--alignment-weight expects 0 or more, received -1"),
        ({"decoder_epochs": -1}, "--decoder-epochs expects 0 or more"),
        ({"decoder_rate": 0}, "--decoder-rate expects more than 0"),
        ({"darken": "none"}, "--darken none leaves no bright photographs"),
        ({"twins": 2}, "--twins is a setting of the stage detection"),
        (
            {"reference": "ciconv", "interchange_weight": 1.0},
            "--interchange-weight expects --reference retinex",
        ),
    ],
)
def test_settings_that_do_not_fit_are_named(settings, message):
    with pytest.raises(UserError, match=message):
        config(**settings)


def test_every_weight_is_a_flag_with_its_published_default():
    published = {"reference": 1.0, "agreement": 0.001, "reconstruction": 0.1, "interchange": 1e-4}
    published |= {"alignment": 0.1, "dark": 1.0}
    for name, value in published.items():
        assert getattr(AdaptationConfig(), f"{name}_weight") == value and f"{name}_weight" in WEIGHTS
