"""Each loss of the catalogue against NumPy, SciPy, TensorFlow's own or a number worked out by hand."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage, special

from kind.losses.catalogue import CATALOGUE
from kind.losses.pixel import log_squared_error
from kind.ops.ms_ssim import SMALLEST_SIDE, ms_ssim

RANDOM = np.random.default_rng(0)
A, B = RANDOM.random((2, 2, 13, 10, 3)).astype(np.float32)
D = (A - B).astype(np.float64)


def value(name, *inputs, **settings):
    tensors = [tf.constant(part) if isinstance(part, np.ndarray) else part for part in inputs]
    return float(CATALOGUE[name](*tensors, **settings))


def close(expected):
    return pytest.approx(float(expected), rel=1e-5)


def test_losses_of_single_pixels():
    size = np.abs(D)
    assert value("l1", A, B) == close(size.mean())
    assert value("l2", A, B) == close((D**2).mean())
    assert value("charbonnier", A, B, epsilon=0.1) == close(np.sqrt(D**2 + 0.01).mean())
    smooth = [d * d / 0.4 if d < 0.2 else d - 0.1 for d in size.ravel()]
    assert value("smooth-l1", A, B, beta=0.2) == close(np.mean(smooth))
    assert value("huber", A, B, delta=0.2) == close(special.huber(0.2, D).mean())
    errors = (D**2).reshape(2, -1).mean(axis=1)
    assert value("log-mse", A, B) == close(np.mean(10 * np.log10(errors + 1e-4)))
    assert float(log_squared_error(A, B)) == close(np.mean(np.log(errors + 1e-4)))
    np.testing.assert_allclose(log_squared_error(A, B, per_image=True), np.log(errors + 1e-4), rtol=1e-5)


def test_penalties_of_weights():
    weights = [tf.constant([[1.0, -2.0]]), tf.constant([3.0])]
    assert value("l1-weights", weights) == 6
    assert value("l2-weights", weights) == 7


@pytest.mark.parametrize("simplified", [False, True])
def test_ms_ssim_is_tensorflows(simplified):
    first = RANDOM.random((1, 176, 192, 3)).astype(np.float32)
    first = ndimage.gaussian_filter(first, (0, 2, 2, 0)) * 3 - 1
    second = np.clip(first * 0.8 + 0.1 + 0.1 * RANDOM.random(first.shape), 0, 1).astype(np.float32)
    powers = [1.0] * 5 if simplified else [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
    first = np.clip(first, 0, 1).astype(np.float32)
    expected = tf.image.ssim_multiscale(first, second, 1.0, power_factors=powers)
    name = "ms-ssim-simplified" if simplified else "ms-ssim"
    assert 0.01 < float(expected[0]) < 0.99
    assert value(name, first, second) == pytest.approx(1 - float(expected[0]), abs=5e-5)


def test_images_too_small_for_five_scales_are_refused_with_the_smallest_size():
    small = tf.zeros([1, 176, 175, 3])
    with pytest.raises(ValueError, match="at least 176x176, received 176x175"):
        ms_ssim(small, small)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 176x176"):
        tf.function(ms_ssim, input_signature=[tf.TensorSpec([None, None, None, 3])] * 2)(small, small)
    assert SMALLEST_SIDE == 176


def test_laplacian_pyramid():
    """The pyramid of a difference as sums over every pixel, with borders repeated."""

    def blurred(image):
        kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1])[..., np.newaxis] / 256
        return ndimage.correlate(image, kernel, mode="nearest")

    def expanded(coarse, shape):
        padded = np.pad(coarse, ((1, 1), (1, 1), (0, 0)), mode="edge")
        result = np.zeros((*shape[:2], coarse.shape[-1]))
        taps = {0: ((-1, 1 / 8), (0, 6 / 8), (1, 1 / 8)), 1: ((0, 1 / 2), (1, 1 / 2))}
        for y, x in itertools.product(*map(range, shape[:2])):
            for (dy, wy), (dx, wx) in itertools.product(taps[y % 2], taps[x % 2]):
                result[y, x] += wy * wx * padded[y // 2 + dy + 1, x // 2 + dx + 1]
        return result

    expected = []
    for image in D:
        total, level = 0.0, image
        for _ in range(3):
            coarse = blurred(level)[::2, ::2]
            total += np.abs(level - expanded(coarse, level.shape)).mean()
            level = coarse
        expected.append(total + np.abs(level).mean())
    assert value("laplacian-pyramid", A, B, levels=3) == close(np.mean(expected))


def test_edges():
    # SciPy's Sobel filter is the derivative along one axis, smoothed along all others: one channel at a time.
    edges = [
        np.abs(ndimage.sobel(image[..., channel], axis, mode="mirror"))
        for image in D
        for channel in range(3)
        for axis in (0, 1)
    ]
    assert value("sobel", A, B) == close(np.mean(edges))
    across, down = np.abs(np.diff(A, axis=2)).sum(), np.abs(np.diff(A, axis=1)).sum()
    assert value("total-variation", A) == close((across + down) / A.size)


def test_region_weighs_the_darkest_pixels_of_the_target():
    expected = []
    for image, errors in zip(B, np.abs(D).mean(axis=-1)):
        luma = image.astype(np.float64) @ [0.299, 0.587, 0.114]
        order = np.argsort(luma, axis=None)
        errors, dark = errors.ravel(), int(0.4 * luma.size)
        expected.append(4 * errors[order[:dark]].mean() + errors[order[dark:]].mean())
    assert value("region", A, B) == close(np.mean(expected))


def test_colours():
    angles = [
        np.arccos(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))
        for a, b in zip(A.reshape(-1, 3).astype(np.float64), B.reshape(-1, 3).astype(np.float64))
    ]
    assert value("colour-angle", A, B) == pytest.approx(np.mean(angles), rel=1e-3)
    assert value("colour-angle", 0.25 * B, B) == pytest.approx(0, abs=1e-6)
    red, green = ([[[[float(c == k) for c in range(3)]]]] for k in (0, 1))
    assert value("colour-angle", tf.constant(red), tf.constant(green)) == pytest.approx(np.pi / 2, abs=2e-4)
    blurred = [ndimage.gaussian_filter(image, (3, 3, 0), mode="nearest", truncate=10 / 3) for image in D]
    assert value("blurred-colour", A, B) == close(np.mean(np.square(blurred)))
    means = A.astype(np.float64).mean(axis=(1, 2))
    pairs = [(m[0] - m[1]) ** 2 + (m[0] - m[2]) ** 2 + (m[1] - m[2]) ** 2 for m in means]
    assert value("colour-constancy", A) == close(np.mean(pairs))


def regions(image, size):
    return np.array(
        [
            [image[y : y + size, x : x + size].mean() for x in range(0, image.shape[1], size)]
            for y in range(0, image.shape[0], size)
        ]
    )


def kind_gradient(image, axis):
    """|∇| of [N, H, W], pixel by pixel as the published code has it, min-max normalised over the batch."""
    count, height, width = image.shape
    found = np.zeros(image.shape)
    for n, y, x in itertools.product(range(count), range(height), range(width)):
        here = image[n, y + 1, x + 1] if y + 1 < height and x + 1 < width else 0.0
        if axis == "x":
            beside = image[n, y + 1, x] if y + 1 < height else 0.0
        else:
            beside = image[n, y, x + 1] if x + 1 < width else 0.0
        found[n, y, x] = abs(here - beside)
    return (found - found.min()) / (found.max() - found.min() + 1e-4)


def test_decompositions():
    images, light, other = A.astype(np.float64), B[..., :1].astype(np.float64), A[..., 1:2].astype(np.float64)
    assert value("reconstruction", A, B, A[..., :1]) == close(np.abs(B * images[..., :1] - A).mean())
    assert value("reflectance-similarity", A, B) == close(np.abs(D).mean())
    assert value(
        "ssim", np.full([1, 11, 11, 1], 0.5, np.float32), np.zeros([1, 11, 11, 1], np.float32)
    ) == close(
        1 - 1e-4 / (0.25 + 1e-4)  # of constants only the means count: (2·0 + C₁) / (0.5² + C₁)
    )
    consistency = smoothness = difference = 0.0
    for axis in ("x", "y"):
        g, h = kind_gradient(light[..., 0], axis), kind_gradient(other[..., 0], axis)
        consistency += ((g + h) * np.exp(-10 * (g + h))).mean()
        difference += ((g - h) ** 2).mean()
        grey = kind_gradient(images @ [0.299, 0.587, 0.114], axis)
        smoothness += np.abs(g / np.maximum(grey, 0.01)).mean()
    assert value("mutual-consistency", B[..., :1], A[..., 1:2]) == pytest.approx(consistency, rel=1e-4)
    assert value("illumination-smoothness", B[..., :1], A) == pytest.approx(smoothness, rel=1e-3)
    assert value("gradient-difference", B[..., :1], A[..., 1:2]) == pytest.approx(difference, rel=1e-4)


def test_light_without_a_reference():
    first, second = RANDOM.random((2, 1, 32, 48, 3)).astype(np.float32)
    assert value("exposure-control", first) == close(np.abs(regions(first[0], 16) - 0.6).mean())
    ours, theirs = regions(first[0, :16, :20], 4), regions(second[0, :16, :20], 4)
    total = 0.0
    for y, x in itertools.product(range(4), range(5)):
        for other in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= other[0] < 4 and 0 <= other[1] < 5:
                total += (abs(ours[y, x] - ours[other]) - abs(theirs[y, x] - theirs[other])) ** 2
    assert value("spatial-consistency", first[:, :16, :20], second[:, :16, :20]) == close(total / 20)
    steps = np.zeros([1, 2, 2, 1], np.float32)
    steps[0, 0, 0] = 0.5  # there (0.5 + 0.5)², nothing beside and below it
    assert value("illumination-tv", steps) == pytest.approx(1 / 4)


def test_self_consistency_exposes_in_linear_light():
    image = np.full([1, 2, 2, 3], 0.5, np.float32)
    linear = ((0.5 + 0.055) / 1.055) ** 2.4 / 2
    darker = 1.055 * linear ** (1 / 2.4) - 0.055
    assert value("self-consistency", lambda values: values, image) == pytest.approx(0.5 - darker, abs=1e-5)


def test_features():
    first = [RANDOM.random((2, 4, 5, 3)), RANDOM.random((2, 2, 3, 6))]
    second = [RANDOM.random(part.shape) for part in first]
    expected = sum(((a - b) ** 2).mean() for a, b in zip(first, second))
    assert value("perceptual", first, second) == close(expected)
    shares = [(np.abs(a - b).mean((1, 2, 3)) / b.mean((1, 2, 3))).mean() for a, b in zip(first, second)]
    assert value("relative-features", first, second) == close(np.mean(shares))
    grams = [
        [np.einsum("nhwc,nhwd->ncd", part, part) / part.shape[1] / part.shape[2] for part in side]
        for side in (first, second)
    ]
    assert value("texture", first, second) == close(sum(((a - b) ** 2).mean() for a, b in zip(*grams)))
    mirrored = [part[:, ::-1].copy() for part in first]
    assert value("texture", mirrored, first) == pytest.approx(0, abs=1e-12)


def test_adversaries():
    real, fake = RANDOM.normal(size=(2, 3, 4))
    yes, no = np.log(special.expit(real)).mean(), np.log(1 - special.expit(fake)).mean()
    assert value("minimax-discriminator", real, fake) == close(-yes - no)
    assert value("minimax-generator", fake) == close(no)
    assert value("non-saturating-generator", fake) == close(-np.log(special.expit(fake)).mean())
    squares = ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2
    assert value("least-squares-discriminator", real, fake) == close(squares)
    assert value("least-squares-generator", fake) == close(((fake - 1) ** 2).mean() / 2)
    hinges = np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean()
    assert value("hinge-discriminator", real, fake) == close(hinges)
    assert value("hinge-generator", fake) == close(-fake.mean())


def test_binary_labels():
    logits = RANDOM.normal(size=(2, 5)).astype(np.float32)
    labels = (RANDOM.random((2, 5)) > 0.4).astype(np.float32)
    p = special.expit(logits.astype(np.float64))
    entropy = -(labels * np.log(p) + (1 - labels) * np.log(1 - p))
    assert value("binary-cross-entropy", logits, labels) == close(entropy.mean())
    true = np.where(labels, p, 1 - p)
    weight = np.where(labels, 0.3, 0.7) * (1 - true) ** 1.5
    assert value("focal", logits, labels, gamma=1.5, alpha=0.3) == close((weight * entropy).mean())
    assert value("focal", logits, labels, gamma=0.0, alpha=0.5) == close(entropy.mean() / 2)


def jaccard_loss(wrong, truth):
    """1 - IoU of the prediction that errs at these pixels."""
    predicted = truth ^ wrong
    return 1 - (predicted & truth).sum() / max((predicted | truth).sum(), 1)


def lovasz(errors, truth):
    """The extension by its definition: a growing set of the pixels with the largest errors."""
    total, wrong, before = 0.0, np.zeros(len(truth), bool), 0.0
    for pixel in np.argsort(-errors, kind="stable"):
        wrong[pixel] = True
        now = jaccard_loss(wrong, truth)
        total += errors[pixel] * (now - before)
        before = now
    return total


def test_lovasz():
    logits = RANDOM.normal(size=(2, 3, 4)).astype(np.float32)
    labels = RANDOM.random((2, 3, 4)) > 0.5
    signs = np.where(labels, 1, -1)
    errors = np.maximum(0, 1 - signs * logits.astype(np.float64)).reshape(2, -1)
    expected = [lovasz(e, t) for e, t in zip(errors, labels.reshape(2, -1))]
    assert value("lovasz-hinge", logits, labels.astype(np.float32)) == close(np.mean(expected))

    logits = RANDOM.normal(size=(2, 3, 4, 4)).astype(np.float32)
    numbers = RANDOM.integers(0, 3, (2, 3, 4))  # the last class is in no image
    p = special.softmax(logits.astype(np.float64), axis=-1)
    expected = []
    for image in range(2):
        of_classes = []
        for number in np.unique(numbers[image]):
            truth = (numbers[image] == number).ravel()
            of_classes.append(lovasz(np.abs(truth - p[image, ..., number].ravel()), truth))
        expected.append(np.mean(of_classes))
    assert value("lovasz-softmax", logits, numbers) == close(np.mean(expected))


def test_class_numbers_and_teachers():
    logits, teacher = RANDOM.normal(size=(2, 2, 3, 4, 5)).astype(np.float32)
    numbers = RANDOM.integers(0, 5, (2, 3, 4))
    known = np.log(special.softmax(logits.astype(np.float64), axis=-1))
    expected = -np.take_along_axis(known, numbers[..., np.newaxis], axis=-1).mean()
    assert value("cross-entropy", logits, numbers) == close(expected)

    def divergence(axis):
        p, q = (special.softmax(part.astype(np.float64) / 2, axis=axis) for part in (teacher, logits))
        return 4 * special.rel_entr(p, q).sum(axis=axis).mean()

    assert value("tempered-kl", logits, teacher, temperature=2.0) == close(divergence(-1))
    assert value("channelwise-kl", logits, teacher, temperature=2.0) == close(divergence((1, 2)))
