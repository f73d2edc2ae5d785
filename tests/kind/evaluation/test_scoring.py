import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from kind.errors import UserError
from kind.evaluation.methods import Sample
from kind.evaluation.scoring import MORE_METRICS, Metrics, figures_of, outputs_by_protocol, read_sample
from kind.images.photo import read_photo
from kind.metrics.niqe_model import NiqeModel

LUMA = np.array([0.299, 0.587, 0.114])
NIQE_MODEL = NiqeModel(np.zeros(36), np.eye(36), "none")


def scored(method, sample, metrics=Metrics()):  # noqa: B008  (frozen)
    dark, target = read_sample(sample)
    outputs = outputs_by_protocol(method, sample, dark, target)
    return {name: figures_of(output, dark, target, metrics) for name, output in outputs.items()}


def test_every_protocol_equals_scikit_image_by_hand(make_samples, multiplied):
    (sample,) = make_samples(1)
    figures = scored(multiplied(2.293, ratio=3.137), sample)
    low, high = (read_photo(path).pixels.astype(float) for path in (sample.low, sample.high))
    raw = np.round(np.clip(low * 2.293, 0, 1) * 255) / 255
    expected = {
        "raw": raw,
        "GT-mean": np.clip(raw * (high @ LUMA).mean() / (raw @ LUMA).mean(), 0, 1),
        "GT-ratio": np.round(np.clip(low * 3.137, 0, 1) * 255) / 255,
    }
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1}
    assert list(figures) == list(expected)
    for protocol, image in expected.items():
        row = figures[protocol]
        assert row["psnr"] == pytest.approx(peak_signal_noise_ratio(high, image, data_range=1), abs=1e-5)
        assert row["ssim"] == pytest.approx(
            structural_similarity(high, image, channel_axis=2, **window), abs=1e-4
        )
        gray = structural_similarity(high @ LUMA, image @ LUMA, **window)
        assert row["ssim_gray"] == pytest.approx(gray, abs=1e-4)
        assert row["mae"] == pytest.approx(np.abs(high - image).mean(), abs=1e-6)
        assert row["seconds"] == 0.25
    assert [row["alpha"] for row in figures.values()] == [None, None, 3.137]


def test_the_protocols_are_not_one_number(make_samples, multiplied):
    figures = scored(multiplied(2.0, ratio=3.0), make_samples(1)[0])
    assert len({row["psnr"] for row in figures.values()}) == 3


def test_without_a_ratio_to_set_there_is_no_gt_ratio(make_samples, multiplied):
    assert list(scored(multiplied(2.0), make_samples(1)[0])) == ["raw", "GT-mean"]


def test_a_photograph_without_target_has_the_raw_protocol_alone(make_samples, multiplied):
    figures = scored(multiplied(2.0, ratio=3.0), make_samples(1)[0]._replace(high=None))
    assert list(figures) == ["raw"] and set(figures["raw"]) == {
        *("loe", "blown", "hue", "noise", "halo", "seconds", "alpha")
    }


def test_columns_follow_what_was_brought():
    assert Metrics().columns(True) == ["psnr", "ssim", "ssim_gray", "mae", "loe"]
    assert Metrics(NIQE_MODEL, object()).columns(True)[-2:] == ["niqe", "lpips"]
    assert Metrics(NIQE_MODEL, object()).columns(False) == [
        *("loe", "blown", "hue", "noise", "halo", "niqe", "seconds")
    ]


def test_further_metrics_are_columns_where_they_are_asked_for(make_samples, multiplied):
    more = tuple(MORE_METRICS)
    metrics = Metrics(NIQE_MODEL, more=more)
    assert metrics.columns(True)[3:9] == ["mae", *more]
    assert Metrics().identity == "2 niqe None lpips None"  # results that were kept before still count
    assert metrics.identity != Metrics(NIQE_MODEL).identity
    assert Metrics(more=("mse", "fsim")).identity.endswith(
        " mse fsim2"
    )  # of the first definition they do not
    facts = dict(metrics.facts(True))
    assert "FSIM of luma" in facts["Figures"] and facts["PI"].startswith("left out: ")
    (sample,) = make_samples(1, (48, 50))
    row = scored(multiplied(2.0), sample, metrics)["raw"]
    high = read_photo(sample.high).pixels
    output = np.round(np.clip(2.0 * read_photo(sample.low).pixels, 0, 1) * 255) / 255
    assert row["mse"] == pytest.approx(np.mean((output - high) ** 2), rel=1e-4)
    assert row["ms_ssim"] is None  # needs 176 pixels
    assert all(row[name] > 0 for name in ("vif", "fsim", "delta_e2000"))


def test_the_flags_of_further_metrics_are_their_columns():
    from kind.cli.evaluate_enhance import _METRICS

    assert tuple(name.replace("-", "_") for name in _METRICS) == tuple(MORE_METRICS)


def test_the_header_names_what_the_figures_rest_on():
    facts = dict(Metrics(NIQE_MODEL).facts(True))
    assert facts["NIQE model"].startswith("none, digest ") and "σ 1.5" in facts["Figures"]
    assert "no NIQE" in dict(Metrics().facts(True))["NIQE model"]
    assert "LPIPS" not in dict(Metrics().facts(False))


def test_a_report_of_some_figures_defines_these_alone():
    metrics = Metrics(NIQE_MODEL)
    (figures,) = metrics.facts(True, shown=("psnr", "ssim", "lpips"))
    assert "PSNR" in figures[1] and not any(name in figures[1] for name in ("MAE", "SSIM-gray", "LOE"))
    assert [name for name, _ in metrics.facts(False, shown=("loe", "niqe"))] == ["Figures", "NIQE model"]


def test_niqe_is_undefined_on_a_small_image_and_not_a_number(make_samples, multiplied):
    figures = scored(multiplied(2.0), make_samples(1)[0], Metrics(NIQE_MODEL))
    assert figures["raw"]["niqe"] is None


def test_black_images_have_figures(write, tmp_path, multiplied):
    black = np.zeros((15, 11, 3), np.uint8)
    sample = Sample("black", write(tmp_path / "l.png", black), write(tmp_path / "h.png", black))
    for row in scored(multiplied(5.0), sample).values():
        assert (row["psnr"], row["mae"], row["loe"]) == (np.inf, 0, 0)
        assert row["ssim"] == pytest.approx(1)


def test_pairs_of_different_sizes_are_an_error_that_names_both(write, tmp_path):
    sample = Sample(
        "x",
        write(tmp_path / "l.png", np.zeros((20, 30, 3), np.uint8)),
        write(tmp_path / "h.png", np.zeros((20, 31, 3), np.uint8)),
    )
    with pytest.raises(UserError, match="l.png and .*h.png differ in size: 30x20 and 31x20"):
        read_sample(sample)


def test_pairs_smaller_than_the_window_are_an_error(make_samples):
    with pytest.raises(UserError, match="at least 11x11 pixels.*received 40x10"):
        read_sample(make_samples(1, (10, 40))[0])


def test_an_output_with_nan_is_an_error_that_names_the_method(make_samples, multiplied):
    with pytest.raises(UserError, match="low/0.png: multiplied made NaN"):
        scored(multiplied(np.nan), make_samples(1)[0])
