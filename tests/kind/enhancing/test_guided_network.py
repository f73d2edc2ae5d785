"""The guided variants through the pipeline: tiles, parts, brightness, files that are not there."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.cli.main import main
from kind.constants import BRIGHTNESS, BT601
from kind.enhancing import brightness, guided_network
from kind.enhancing.enhancer import Enhancer
from kind.enhancing.tiling import plan
from kind.enhancing.variants import VARIANTS, shipped_variants
from kind.errors import UserError
from kind.export.portable import make_portable
from kind.guided.model import NAMES, NETWORKS, Design
from kind.nn.saving import save_net
from kind.ops.light import expose

TINY = Design(widths=(4, 6, 8, 8))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    keras.utils.set_random_seed(0)
    for name in NAMES[:2]:
        save_net(NETWORKS[name](TINY), folder / f"{name}.keras")
    return folder


@pytest.fixture(scope="module", params=NAMES[:2])
def enhancer(request, weights):
    return Enhancer.load(weights, variant=request.param)


@pytest.fixture(scope="module")
def image():
    rows, columns = np.mgrid[0:70, 0:91].astype(np.float32) / 91
    noise = np.random.default_rng(0).random((70, 91, 3), dtype=np.float32)
    return np.stack([rows, columns, (rows + columns) / 2], axis=-1) * 0.3 + noise * 0.01 + 0.02


def test_the_result_is_the_networks(enhancer, image):
    constant = np.full((1, 70, 91, 1), BRIGHTNESS, np.float32)
    output, _ = enhancer.originals[enhancer.variant]([image[np.newaxis], constant], training=False)
    np.testing.assert_allclose(enhancer(image).relit, np.clip(output[0], 0, 1), atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"norm": "batch", "radius": 3},
        {"norm": "adaptive", "guide": "image"},
        {"guide": "none", "scale": 0.5},
        {"norm": "adaptive", "radius": 3, "scale": 0.5},
    ],
    ids=lambda change: " ".join(map(str, change.values())),
)
def test_the_result_of_every_design_is_the_networks(change, image, tmp_path):
    net = NETWORKS["guided-y"](TINY._replace(**change))
    random = np.random.default_rng(0)  # statistics and mixtures that are not those of a new network
    net.set_weights([each + 0.1 * random.random(each.shape, np.float32) for each in net.get_weights()])
    save_net(net, tmp_path / "guided-y.keras")
    constant = np.full((1, 70, 91, 1), BRIGHTNESS, np.float32)
    output, _ = net([image[np.newaxis], constant], training=False)
    relit = Enhancer.load(tmp_path, variant="guided-y")(image, parts=("relit",)).relit
    np.testing.assert_allclose(relit, np.clip(output[0], 0, 1), atol=1e-4)


@pytest.mark.parametrize("blend", [{"fusion": "published"}, {"strength": 0.5}], ids=str)
def test_the_brightness_of_a_blended_result_is_searched_on_it(enhancer, image, blend, monkeypatch):
    """By the search of the other variants, on results that are blended alike."""
    searched = []

    def solved(brightness_of, wanted):
        searched.append((float(brightness_of(tf.constant(2.0))), wanted))
        return tf.constant(2.0)

    monkeypatch.setattr("kind.enhancing.enhancer.solved_alpha", solved)
    assert enhancer.alpha_for_brightness(image, 0.3, **blend) == 2.0
    made = enhancer(image, 2.0, **blend, parts=("relit",)).relit
    assert searched == [(pytest.approx(float(brightness.luma(made))), 0.3)]
    enhancer.alpha_for_brightness(image, 0.3)
    assert len(searched) == 1  # of what the network gives itself it is asked for


def test_the_parts_multiply_to_the_image_and_to_the_result(enhancer, image):
    made = enhancer(image)
    np.testing.assert_allclose(made.restored * made.adjusted, made.relit, atol=1e-6)
    np.testing.assert_allclose(made.reflectance * made.illumination, image, atol=2e-4)


@pytest.mark.slow
def test_tiles_give_what_the_whole_gives_outside_and_inside_a_graph(weights, image, monkeypatch):
    monkeypatch.setattr(guided_network, "_SEEN_PIXELS", 2000)  # so it is averaged over squares as well
    enhancer = Enhancer.load(weights, variant="guided-y")
    expected = enhancer(image, alpha=3.0, parts=("relit",))
    monkeypatch.setattr(plan, "WORKING_MEMORY", 1600 * enhancer.windows._bytes_per_pixel)
    assert len(enhancer.windows.of(1, 70, 91)) > 1
    tiled = enhancer(image, alpha=3.0, parts=("relit",))
    in_graph = enhancer.in_graph(tf.constant(image[np.newaxis]), 3.0, parts=("relit",))
    for made in (tiled, in_graph):
        np.testing.assert_allclose(np.squeeze(made.relit), expected.relit, atol=1e-5)
    wide = np.concatenate([image, image], axis=1)
    assert enhancer(wide, alpha=3.0, parts=("relit",)).relit.shape == wide.shape  # in the same graph


def test_alpha_is_the_light_whose_mean_luma_is_asked_for(enhancer, image):
    suggested = float(enhancer(image).alpha)
    if enhancer.variant == "guided":
        exposed = expose(tf.constant(image), tf.constant(np.log2(suggested), tf.float32)).numpy()
        assert np.mean(exposed @ np.array(BT601)) == pytest.approx(BRIGHTNESS, abs=0.02)
    alpha = enhancer.alpha_for_brightness(image, 0.3)
    curve = brightness.light_curve(tf.constant(image[np.newaxis]))
    assert float(brightness.luma_under(curve, tf.constant([alpha]))[0]) == pytest.approx(0.3, abs=0.01)
    target = np.full_like(image, 0.3)
    assert enhancer.alpha_to(image, target) == pytest.approx(alpha, rel=1e-5)


def test_other_runtimes_find_nothing_that_they_round_or_branch_in_another_way(enhancer):
    """ONNX rounds quotients of negative whole numbers up, and tf2onnx knows no `switch_case`."""
    graph = make_portable(enhancer, None).function.get_concrete_function().graph.as_graph_def()
    for part in (graph.node, *(function.node_def for function in graph.library.function)):
        of = {node.name: node.op for node in part}
        assert not {"Case", "StatelessCase"} & set(of.values())
        divided = [node.input[0].partition(":")[0] for node in part if node.op in ("FloorDiv", "FloorMod")]
        assert "Neg" not in [of.get(name) for name in divided]


def test_the_curve_and_its_inverse_agree():
    curve = brightness.light_curve(tf.random.stateless_uniform([2, 4, 5, 3], [0, 0]) * 0.3)
    wanted = tf.constant([0.2, 0.6])
    alpha = brightness.alpha_for_luma(curve, wanted)
    np.testing.assert_allclose(brightness.luma_under(curve, alpha), wanted, atol=1e-5)
    black = brightness.light_curve(tf.zeros([1, 2, 2, 3]))
    assert float(brightness.alpha_for_luma(black, tf.constant([0.5]))[0]) == pytest.approx(4096)


@pytest.mark.parametrize("wanted", [0.05, 0.3, 0.7])
@pytest.mark.parametrize("power", [0.4, 1.0, 3.0])
def test_alpha_is_found_on_the_output(power, wanted):
    trials = []

    def output(alpha):
        trials.append(alpha)
        return 1 - np.exp(-0.1 * alpha**power)

    assert output(brightness.solved_alpha(output, wanted)) == pytest.approx(wanted, abs=1 / 512)
    assert len(trials) <= 17


def test_a_brightness_that_no_alpha_gives_comes_as_close_as_it_can():
    found = brightness.solved_alpha(lambda alpha: min(0.1 * alpha, 0.4), 0.9)
    assert found >= 4


def test_one_pixel_is_enough(enhancer, image):
    assert enhancer(image[:1, :1]).relit.shape == (1, 1, 3)


def test_without_weights_one_line_says_which_command_trains_them(capsys, tmp_path):
    assert set(shipped_variants()) <= set(VARIANTS)
    for name in set(NAMES) - set(shipped_variants()):
        with pytest.raises(
            UserError, match=f"kind train guided --network {name} --data DIR --run runs/{name}"
        ):
            Enhancer.load(variant=name)
        assert main(["enhance", "x.png", "--out", str(tmp_path / "y.png"), "--variant", name]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_another_network_in_its_place_is_refused(weights, tmp_path):
    (tmp_path / "guided.keras").write_bytes((weights / "guided-y.keras").read_bytes())
    with pytest.raises(UserError, match="guided.keras: holds 'guided-y'; expected 'guided'"):
        Enhancer.load(tmp_path, variant="guided")
