import math
import os

import numpy as np
import pytest
from scipy.io import savemat
from scipy.ndimage import correlate
from scipy.special import gamma
from scipy.stats import gennorm
from skimage import data

from kind.errors import UserError
from kind.metrics.niqe import niqe
from kind.metrics.niqe_features import block_features, halved
from kind.metrics.niqe_model import NiqeModel, fit_niqe_model, load_niqe_model, save_niqe_model

# An independent NIQE, written from the paper's formulas with loops over blocks and pixels, as slow as it is
# plain: a 2-D window, brute search for the shape, explicit neighbours, a general `imresize`.


def _fit(values):
    grid = np.arange(200, 10001) / 1000
    ratios = gamma(2 / grid) ** 2 / (gamma(1 / grid) * gamma(3 / grid))
    left = math.sqrt(np.mean(values[values < 0] ** 2))
    right = math.sqrt(np.mean(values[values > 0] ** 2))
    skew = left / right
    moment = np.mean(np.abs(values)) ** 2 / np.mean(values**2)
    moment = moment * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shape = grid[np.argmin((ratios - moment) ** 2)]
    scale = math.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * scale, right * scale


def _block_features(block):
    shape, left, right = _fit(block.ravel())
    features = [shape, (left + right) / 2]
    rows, columns = block.shape
    for down, across in ((0, 1), (1, 0), (1, 1), (-1, 1)):
        product = np.empty_like(block)
        for row in range(rows):
            for column in range(columns):
                product[row, column] = (
                    block[row, column] * block[(row - down) % rows, (column - across) % columns]
                )
        shape, left, right = _fit(product.ravel())
        features += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return features


def _cubic(x):
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0


def _resize_matrix(size):
    """MATLAB's imresize by 0.5 along one side: out[i] = Σ w(u_i - j)·in[mirror(j)]."""
    matrix = np.zeros((size // 2, size))
    for row in range(size // 2):
        centre = (row + 1) / 0.5 + 0.5 * (1 - 1 / 0.5)  # 1-based, as in MATLAB
        positions = range(math.floor(centre - 4), math.floor(centre - 4) + 10)
        weights = np.array([0.5 * _cubic(0.5 * (centre - position)) for position in positions])
        for position, weight in zip(positions, weights / weights.sum()):
            mirrored = (position - 1) % (2 * size)
            matrix[row, mirrored if mirrored < size else 2 * size - 1 - mirrored] += weight
    return matrix


def _plain_features(image):
    luma = np.rint(255 * (image * [0.2989, 0.5870, 0.1140]).sum(axis=2) / 0.9999)
    luma = luma[: luma.shape[0] // 96 * 96, : luma.shape[1] // 96 * 96]
    offsets = np.arange(-3, 4)
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    features = []
    for side in (96, 48):
        mean = correlate(luma, window, mode="nearest")
        deviation = np.sqrt(np.abs(correlate(luma * luma, window, mode="nearest") - mean**2))
        coefficients = (luma - mean) / (deviation + 1)
        coefficients[np.abs(coefficients) < 1e-9] = 0  # exact arithmetic has 0 in flat areas
        features.append(
            [
                _block_features(coefficients[top : top + side, left : left + side])
                for top in range(0, luma.shape[0], side)
                for left in range(0, luma.shape[1], side)
            ]
        )
        luma = _resize_matrix(luma.shape[0]) @ luma @ _resize_matrix(luma.shape[1]).T
    return np.concatenate(features, axis=1)


def _plain_niqe(image, mean, covariance):
    features = _plain_features(image)
    difference = mean - features.mean(axis=0)
    both = (covariance + np.cov(features.T)) / 2
    return math.sqrt(difference @ np.linalg.inv(both) @ difference)


@pytest.fixture(scope="module")
def photographs():
    return [
        image[..., :3] / 255.0 for image in (data.astronaut(), data.chelsea(), data.coffee(), data.rocket())
    ]


@pytest.fixture(scope="module")
def model(photographs):
    # Every block counts: four photographs have too few sharp ones. Good for checking, not for judging.
    return fit_niqe_model(photographs, "four photographs", threshold=0.0)[0]


def test_features_equal_the_plain_version(photographs):
    image = photographs[0][100:300, 50:350]
    ours, _ = block_features(image)
    np.testing.assert_allclose(ours, _plain_features(image), rtol=1e-6, atol=1e-9)


def test_score_equals_the_plain_version(photographs, model):
    noise = np.random.default_rng(0).normal(0, 0.1, photographs[1].shape)
    for image in (photographs[1][:200, :300], np.clip(photographs[1] + noise, 0, 1)[:200, :300]):
        expected = _plain_niqe(image, model.mean, model.covariance)
        assert niqe(image, model) == pytest.approx(expected, rel=1e-6)


def test_halving_equals_the_general_resize():
    image = np.random.default_rng(2).random((24, 32)) * 255
    expected = _resize_matrix(24) @ image @ _resize_matrix(32).T
    np.testing.assert_allclose(halved(image), expected, atol=1e-10)


def test_shape_of_known_distributions_is_found():
    from kind.metrics.niqe_features import _asymmetric_fit

    for shape in (0.8, 2.0, 4.0):
        values = gennorm.rvs(shape, size=(1, 200_000), random_state=1)
        fitted, left, right = _asymmetric_fit(values)
        assert fitted[0] == pytest.approx(shape, rel=0.03)
        assert left[0] == pytest.approx(1, rel=0.02) and right[0] == pytest.approx(1, rel=0.02)


def test_damage_raises_the_score(photographs, model):
    image = photographs[0]
    noise = np.random.default_rng(0).normal(0, 0.15, image.shape)
    assert niqe(np.clip(image + noise, 0, 1), model) > niqe(image, model) + 1


def test_what_exceeds_whole_blocks_is_cut(photographs, model):
    image = photographs[0]
    assert niqe(image[:200, :300], model) == niqe(image[:192, :288], model)


def test_flat_blocks_are_left_out(photographs):
    image = photographs[0][:192, :288].copy()
    image[:96, :96] = 1.0
    features, sharpness = block_features(image)
    assert np.isnan(features[0]).any() and not np.isnan(features[1:]).any()
    assert len(sharpness) == 6 and sharpness[0] < sharpness[1:].min()


@pytest.mark.parametrize("size", [(95, 300), (300, 95), (1, 1), (96, 96)])
def test_too_small_is_an_error(model, size):
    image = np.random.default_rng(0).random((*size, 3))
    with pytest.raises(ValueError, match="96x96"):
        niqe(image, model)


def test_all_black_is_an_error(model):
    with pytest.raises(ValueError, match="textured"):
        niqe(np.zeros((300, 300, 3)), model)


def test_only_sharp_blocks_make_a_model(photographs):
    features, sharpness = block_features(photographs[0])
    chosen = features[sharpness > 0.2 * sharpness.max()]
    fitted, blocks = fit_niqe_model([photographs[0]] * 3, "thrice", threshold=0.2)
    assert blocks == 3 * len(chosen) < 3 * len(features)
    np.testing.assert_allclose(fitted.mean, chosen.mean(axis=0))
    np.testing.assert_allclose(fitted.covariance, np.cov(np.concatenate([chosen] * 3), rowvar=False))


def test_too_few_blocks_for_a_model_are_an_error(photographs):
    with pytest.raises(UserError, match="more than 36 sharp blocks"):
        fit_niqe_model([photographs[0][:200, :300]], "small")
    with pytest.raises(UserError, match="found 0"):
        fit_niqe_model([], "none")


@pytest.mark.parametrize(
    ("suffix", "keys"),
    [
        (".mat", ("mu_prisparam", "cov_prisparam")),
        (".mat", ("pop_mu", "pop_cov")),
        (".npz", ("mu_pris_param", "cov_pris_param")),
    ],
)
def test_the_layouts_of_public_implementations_are_read(tmp_path, model, suffix, keys):
    arrays = {keys[0]: model.mean[None], keys[1]: np.asfortranarray(model.covariance)}
    path = tmp_path / f"model{suffix}"
    if suffix == ".mat":
        savemat(path, arrays)
    else:
        np.savez(path, gaussian_window=np.ones((7, 7)), **arrays)
    loaded = load_niqe_model(path)
    np.testing.assert_array_equal(loaded.mean, model.mean)
    np.testing.assert_array_equal(loaded.covariance, model.covariance)
    assert loaded.name == path.name and loaded.digest == model.digest


def test_a_saved_model_comes_back_with_its_name(tmp_path, model):
    save_niqe_model(tmp_path / "deep" / "model.npz", model)
    loaded = load_niqe_model(tmp_path / "deep" / "model.npz")
    assert loaded.name == "four photographs" and loaded.digest == model.digest


class _Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def _save_one_array(path):
    with path.open("wb") as file:
        np.save(file, np.ones(3))


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("missing.npz", lambda path: None, "no such NIQE model"),
        ("other.txt", lambda path: path.write_text("x"), ".mat or .npz"),
        ("broken.npz", lambda path: path.write_bytes(b"PK\3\4 nonsense"), "cannot be read"),
        ("broken.mat", lambda path: path.write_bytes(b"nonsense" * 40), "cannot be read"),
        ("array.npz", _save_one_array, "cannot be read"),
        ("keys.npz", lambda path: np.savez(path, a=np.ones(3)), "found a"),
        (
            "shape.npz",
            lambda path: np.savez(path, mu_prisparam=np.ones(18), cov_prisparam=np.eye(18)),
            "36",
        ),
        (
            "nan.npz",
            lambda path: np.savez(path, mu_prisparam=np.full(36, np.nan), cov_prisparam=np.eye(36)),
            "NaN",
        ),
    ],
)
def test_bad_model_files_are_one_line_errors(tmp_path, name, make, words):
    make(tmp_path / name)
    with pytest.raises(UserError, match=words) as raised:
        load_niqe_model(tmp_path / name)
    assert name in str(raised.value) and "\n" not in str(raised.value)


def test_nothing_in_a_model_file_is_executed(tmp_path):
    trap = np.empty(1, object)
    trap[0] = _Touch(tmp_path / "executed")
    np.savez(tmp_path / "trap.npz", mu_prisparam=trap, cov_prisparam=np.eye(36))
    with pytest.raises(UserError, match="cannot be read"):
        load_niqe_model(tmp_path / "trap.npz")
    assert not (tmp_path / "executed").exists()


def test_a_model_of_shared_photographs_ranks_dark_below_bright(shared):
    from kind.images.photo import read_photo

    clean = [read_photo(path).pixels for path in sorted((shared / "data/coco128/images").iterdir())[:40]]
    fitted, blocks = fit_niqe_model(clean, "40 of COCO")
    assert isinstance(fitted, NiqeModel) and blocks > 36
    sides = [sorted((shared / "data/lol_train" / side).iterdir())[:5] for side in ("low", "high")]
    low, high = (np.median([niqe(read_photo(path).pixels, fitted) for path in paths]) for paths in sides)
    assert low > high
