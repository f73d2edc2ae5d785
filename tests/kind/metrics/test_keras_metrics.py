"""The Keras metrics equal the functions, and work where Keras expects a metric."""

import subprocess
import sys

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio
from tensorflow import keras

import kind
from kind.metrics.psnr import psnr
from kind.metrics.ssim import ssim

CASES = {"PSNR": (kind.metrics.PSNR, psnr), "SSIM": (kind.metrics.SSIM, ssim)}


def images(seed):
    return np.random.default_rng(seed).random((5, 17, 12, 3), dtype=np.float32)


@pytest.mark.parametrize("name", CASES)
def test_the_class_is_the_mean_of_the_function_over_all_batches(name):
    made, function = CASES[name]
    metric = made()
    target, output = images(0), images(1)
    for some in (slice(0, 2), slice(2, 5)):
        metric.update_state(target[some].astype(np.float64), output[some])
    each = [function(a, b) for a, b in zip(output, target)]
    assert float(metric.result()) == pytest.approx(np.mean(each), rel=1e-5)
    metric.reset_state()
    metric.update_state(target, output, [0, 0, 1, 0, 0])
    assert float(metric.result()) == pytest.approx(each[2], rel=1e-5)


def test_identical_images_give_the_best_figure():
    for metric, best in ((kind.metrics.PSNR(), np.inf), (kind.metrics.SSIM(), 1.0)):
        metric.update_state(images(0), images(0))
        assert float(metric.result()) == pytest.approx(best, abs=1e-6)


def test_keras_reports_them_while_it_trains(tmp_path):
    keras.utils.set_random_seed(1)  # another seed may give an SSIM near 0, of which rounding is a large part
    model = keras.Sequential([keras.layers.Conv2D(3, 3, padding="same", input_shape=(17, 12, 3))])
    model.compile("sgd", "mse", metrics=[kind.metrics.PSNR(), kind.metrics.SSIM()])
    history = model.fit(images(1), images(0), batch_size=2, epochs=1, verbose=0).history
    assert set(history) == {"loss", "psnr", "ssim"}
    _, found, similarity = model.evaluate(images(1), images(0), batch_size=2, verbose=0)
    output = model.predict(images(1), verbose=0)
    expected = np.mean([peak_signal_noise_ratio(a, b, data_range=1) for a, b in zip(images(0), output)])
    assert found == pytest.approx(expected, rel=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert abs(similarity) > 0.01
    assert loaded.evaluate(images(1), images(0), verbose=0)[1:] == pytest.approx(
        [found, similarity], rel=1e-4
    )


def test_metrics_without_tensorflow_stay_without_it():
    script = "import sys, kind.metrics, kind.metrics.boxes; assert 'tensorflow' not in sys.modules"
    script += "; assert {'PSNR', 'SSIM'} <= set(dir(kind.metrics))"
    subprocess.run([sys.executable, "-c", script], check=True)
