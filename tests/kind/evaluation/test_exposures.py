"""Figures of photographs whose right exposure is known."""

import numpy as np
import pytest
import skimage.data

from kind.evaluation.exposures import _over, auto_exposure, exposure_figures, score


@pytest.fixture(scope="module")
def photograph():
    return skimage.data.astronaut()[100:180, 60:160].astype(np.float32) / 255


def test_the_truth_itself_is_perfect(photograph):
    figures = exposure_figures(photograph, photograph)
    assert figures.psnr == np.inf and figures.ssim == pytest.approx(1)
    assert (figures.delta_e, figures.blown, figures.hue) == (0, 0, 0)
    assert figures.chroma == pytest.approx(1)


def test_grey_has_no_chroma_and_no_hue(photograph):
    grey = np.repeat(photograph.mean(axis=-1, keepdims=True), 3, axis=-1)
    figures = exposure_figures(grey, photograph)
    assert figures.chroma < 0.01 and np.isnan(figures.hue)


def test_blown_pixels_are_those_that_were_not_blown_before(photograph):
    truth = np.full((20, 20, 3), 0.5, np.float32)
    truth[:5] = 1.0
    output = truth.copy()
    output[:10, :, 0] = 1.0
    assert exposure_figures(output, truth).blown == pytest.approx(0.25)


def test_an_error_along_the_border_shows(photograph):
    output = np.clip(photograph + 0.01, 0, 1)
    framed = output.copy()
    framed[0] = framed[-1] = 0.0
    plain, worse = (exposure_figures(image, photograph).border for image in (output, framed))
    assert plain == pytest.approx(1, rel=0.2) and worse > 2 * plain


@pytest.mark.parametrize("stops", [0, 2, 5])
def test_auto_exposure_reaches_the_mean_whatever_the_exposure(photograph, stops):
    light = np.where(photograph <= 0.04045, photograph / 12.92, ((photograph + 0.055) / 1.055) ** 2.4)
    light = light / 2**stops
    dark = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    assert auto_exposure(dark.astype(np.float32)).mean() == pytest.approx(0.42, abs=1e-3)
    black = np.zeros((12, 12, 3), np.float32)
    np.testing.assert_array_equal(auto_exposure(black), black)


def test_scores_are_means_by_group_and_method(photograph):
    cases = [
        ("a", photograph, photograph),
        ("a", 0.5 * photograph, photograph),
        ("b", photograph, photograph),
    ]
    found = score(cases, {"input": lambda image: image})
    assert found["b"]["input"].psnr == 60
    half = exposure_figures(np.rint(0.5 * photograph * 255).astype(np.float32) / 255, photograph)
    assert found["a"]["input"].psnr == pytest.approx((60 + half.psnr) / 2)
    assert found["a"]["input"].psnr_lowest == pytest.approx(half.psnr)


def test_images_that_are_better_left_alone_are_counted(photograph):
    cases = [("a", share * photograph, photograph) for share in (1.0, 0.5, 0.25)]
    methods = {"input": lambda image: image, "double": lambda image: np.minimum(2 * image, 1)}
    methods["one level"] = lambda image: image - np.float32(1 / 255)
    found = score(cases, methods)["a"]
    # An error of one level cannot be seen in a right photograph, but is further from the truth in dark ones.
    assert [found[name].worse for name in methods] == [0, 1, 2]


def test_only_psnr_is_limited_to_60(photograph):
    far = exposure_figures(photograph, photograph)._replace(hue=120.0, delta_e=80.0)
    means = _over([far, far], [np.inf, np.inf])
    assert means.psnr == means.psnr_mean == 60 and means.hue == 120 and means.delta_e == 80
