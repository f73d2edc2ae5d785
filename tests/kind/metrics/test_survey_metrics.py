"""MSE, MS-SSIM, VIF, FSIM and ΔE2000 against loops, TensorFlow, or numbers that are worked out by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from kind.metrics.delta_e import delta_e2000
from kind.metrics.fsim import fsim, phase_congruency
from kind.metrics.ms_ssim import ms_ssim
from kind.metrics.mse import mse
from kind.metrics.vif import vif

RANDOM = np.random.default_rng(0)


def smooth(height, width, sigma=2.0):
    image = ndimage.gaussian_filter(RANDOM.random((height, width, 3)), (sigma, sigma, 0))
    return (image - image.min()) / (image.max() - image.min())


@pytest.mark.parametrize("metric, best", [(mse, 0), (ms_ssim, 1), (vif, 1), (fsim, 1), (delta_e2000, 0)])
def test_identical_images_give_the_best_value_and_worse_ones_less(metric, best):
    image = smooth(176, 180)
    values = [metric(ndimage.gaussian_filter(image, (s, s, 0)), image) for s in (1, 2, 4)]
    assert metric(image, image) == pytest.approx(best, abs=1e-5)
    assert (np.diff([best, *values]) > 0).all() if best == 0 else (np.diff([best, *values]) < 0).all()
    with pytest.raises(ValueError, match="two images of one size"):
        metric(image, image[1:])


def test_mse_and_ms_ssim():
    first, second = smooth(176, 176), smooth(176, 176)
    assert mse(first, second) == pytest.approx(np.mean((first - second) ** 2))
    second = 0.7 * first + 0.3 * second
    expected = tf.image.ssim_multiscale(*(tf.constant(i[None], tf.float32) for i in (first, second)), 1.0)
    assert ms_ssim(first, second) == pytest.approx(float(expected[0]), abs=5e-5)
    with pytest.raises(ValueError, match="176x176"):
        ms_ssim(first[1:], second[1:])


def test_colour_differences():
    black, white = np.zeros([2, 2, 3]), np.ones([2, 2, 3])
    assert delta_e2000(white, black) == pytest.approx(100, abs=0.01)
    # Of greys ΔE2000 is ΔL / S_L alone: 50.5 and 49.5 lie around L = 50, where S_L is 1.
    levels = [((lightness + 16) / 116) ** 3 for lightness in (50.5, 49.5)]
    greys = [np.full([1, 1, 3], 1.055 * level ** (1 / 2.4) - 0.055) for level in levels]
    assert delta_e2000(*greys) == pytest.approx(1, abs=0.01)


def vif_by_loops(output, target):
    """The definition, window by window."""
    ours, theirs = (255 * image @ [0.299, 0.587, 0.114] for image in (output, target))
    shown, given = 0.0, 0.0
    for side, halve in ((17, False), (9, True), (5, True), (3, True)):
        axis = np.arange(side) - side // 2
        window = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * (side / 5) ** 2))
        window /= window.sum()

        def places(image, side=side):
            return np.lib.stride_tricks.sliding_window_view(image, (side, side))

        if halve:
            ours, theirs = ((places(image) * window).sum((-1, -2))[::2, ::2] for image in (ours, theirs))
        a, b = places(ours).reshape(-1, side * side), places(theirs).reshape(-1, side * side)
        for x, y in zip(a, b):
            w = window.ravel()
            dx, dy = x - w @ x, y - w @ y
            vx, vy, cov = w @ dx**2, w @ dy**2, w @ (dx * dy)
            gain = max(cov / vy, 0)
            rest = vx - gain * cov
            shown += math.log10(1 + gain**2 * vy / (rest + 2))
            given += math.log10(1 + vy / 2)
    return shown / given


def test_vif_is_its_definition():
    target = smooth(43, 46)
    output = np.clip(0.6 * target + 0.1 + 0.05 * RANDOM.random(target.shape), 0, 1)
    assert vif(output, target) == pytest.approx(vif_by_loops(output, target), rel=1e-4)
    with pytest.raises(ValueError, match="VIF expects at least 41x41"):
        vif(output[:40], target[:40])
    assert (
        math.isnan(vif(output, np.full_like(output, 0.5))) and vif(np.full_like(output, 0.5), target) < 1e-6
    )


def test_vif_rewards_contrast():
    target = 0.3 + 0.3 * smooth(48, 48)
    assert vif(0.45 + 1.5 * (target - 0.45), target) > 1 > vif(0.45 + 0.7 * (target - 0.45), target)


def test_phase_congruency_finds_an_edge_whatever_its_contrast():
    image = np.zeros([32, 64])
    image[:, 20:44] = 1.0
    found = phase_congruency(100 * image)
    middle = found[16]
    assert middle.argmax() in (19, 20, 43, 44) and middle[19:21].max() > 0.8
    assert max(middle[16], middle[24]) < middle[19:21].max()  # beside the edge
    np.testing.assert_allclose(phase_congruency(200 * image), found, atol=1e-3)


def test_fsim_of_less_contrast_is_the_similarity_of_gradients():
    """Phase congruency stays, gradients shrink to a part c: S_G = (2·c·G² + T) / (G²·(1 + c²) + T)."""
    target, part = smooth(40, 48), 0.5
    luma = 255 * target @ [0.299, 0.587, 0.114]
    kernel = np.outer([3, 10, 3], [1, 0, -1]) / 16
    padded = np.pad(luma, 1)
    view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    squares = sum((view * k).sum((-1, -2)) ** 2 for k in (kernel, kernel.T))
    similarity = (2 * part * squares + 160) / (squares * (1 + part**2) + 160)
    weights = phase_congruency(luma)
    expected = (similarity * weights).sum() / weights.sum()
    assert fsim(part * target, target) == pytest.approx(expected, abs=1e-3)
    assert fsim(target, part * target) == pytest.approx(expected, abs=1e-3)
    with pytest.raises(ValueError, match="FSIM expects at least 16x16"):
        fsim(target[:15], target[:15])
    assert fsim(np.zeros([20, 20]), np.zeros([20, 20])) == 1


def fsim_by_the_paper(output, target):
    """The definition filter by filter, from the equations of Zhang et al. 2011 and Kovesi 1999."""
    height, width = output.shape
    rows = [(y if y <= (height - 1) // 2 else y - height) for y in range(height)]
    columns = [(x if x <= (width - 1) // 2 else x - width) for x in range(width)]
    v = np.array(rows)[:, None] / (height - height % 2 * 1.0) + np.zeros((1, width))
    u = np.array(columns)[None, :] / (width - width % 2 * 1.0) + np.zeros((height, 1))
    radius = np.sqrt(u * u + v * v)
    low_pass = 1 / (1 + (radius / 0.45) ** 30)
    maps = {}
    for name, image in (("ours", output), ("theirs", target)):
        strength, amplitude = np.zeros(image.shape), np.zeros(image.shape)
        for orientation in range(4):
            theta = orientation * np.pi / 4
            along = u * np.cos(theta) - v * np.sin(theta)
            across = -u * np.sin(theta) - v * np.cos(theta)
            spread = np.exp(-(np.arctan2(across, along) ** 2) / (2 * (np.pi / 4 / 1.2) ** 2))
            even, odd, sizes, masks = [], [], [], []
            for scale in range(4):
                centre = 1 / (6 * 2**scale)
                with np.errstate(divide="ignore"):
                    radial = np.exp(-(np.log(radius / centre) ** 2) / (2 * np.log(0.55) ** 2))
                radial[0, 0] = 0
                mask = radial * low_pass * spread
                response = np.fft.ifft2(np.fft.fft2(image) * mask)
                even.append(response.real)
                odd.append(response.imag)
                sizes.append(np.hypot(response.real, response.imag))
                masks.append(mask)
            length = np.hypot(sum(even), sum(odd)) + 1e-4
            e, o = sum(even) / length, sum(odd) / length
            energy = sum(a * e + b * o - np.abs(a * o - b * e) for a, b in zip(even, odd))
            noise = -np.median(sizes[0] ** 2) / np.log(0.5) / np.sum(masks[0] ** 2)
            spatial = [np.fft.ifft2(mask).real * np.sqrt(height * width) for mask in masks]
            total = sum(np.sum(a * b) for a in spatial for b in spatial)
            tau = np.sqrt(noise * total)
            limit = (tau * np.sqrt(np.pi / 2) + 2 * np.sqrt((2 - np.pi / 2) * tau**2)) / 1.7
            strength += np.maximum(energy - limit, 0)
            amplitude += sum(sizes)
        padded = np.pad(image, 1)
        taps = {(y, x): padded[y : y + height, x : x + width] for y in range(3) for x in range(3)}
        weights = {0: 3, 1: 10, 2: 3}
        horizontal = sum(w * (taps[y, 2] - taps[y, 0]) for y, w in weights.items()) / 16
        vertical = sum(w * (taps[2, x] - taps[0, x]) for x, w in weights.items()) / 16
        maps[name] = strength / amplitude, np.hypot(horizontal, vertical)
    (p1, g1), (p2, g2) = maps.values()
    phase = (2 * p1 * p2 + 0.85) / (p1**2 + p2**2 + 0.85)
    steep = (2 * g1 * g2 + 160) / (g1**2 + g2**2 + 160)
    most = np.maximum(p1, p2)
    return np.sum(phase * steep * most) / np.sum(most)


@pytest.mark.parametrize("size", [(40, 48), (33, 37)])
def test_fsim_is_the_papers(size):
    target = smooth(*size)
    for output in (
        np.clip(target + 0.1 * RANDOM.standard_normal(target.shape), 0, 1),
        ndimage.gaussian_filter(target, (1, 1, 0)),
        0.3 * target,
    ):
        lumas = [255 * image @ [0.299, 0.587, 0.114] for image in (output, target)]
        assert fsim(output, target) == pytest.approx(fsim_by_the_paper(*lumas), abs=1e-6)


def test_fsim_of_large_images_is_that_of_blocks_means():
    target = smooth(400, 480)
    output = ndimage.gaussian_filter(target, (2, 2, 0))
    lumas = [255 * image @ [0.299, 0.587, 0.114] for image in (output, target)]
    halves = [luma.reshape(200, 2, 240, 2).mean(axis=(1, 3)) for luma in lumas]
    assert fsim(output, target) == pytest.approx(fsim_by_the_paper(*halves), abs=1e-6)
