import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from kind.enhancing.fast import installed
from kind.errors import UserError
from kind.export import eight_bits
from kind.export.eight_bits import EightBits, read_eight_bits, write_eight_bits
from kind.images.photo import decode_photo, encode_photo

LIMIT = 5000


class Brightener:
    """Gives the image times α and strength."""

    def __call__(self, image, alpha=3.0, strength=1.0, levels=False):
        assert levels
        relit = np.clip(image / (1 if image.dtype == np.uint8 else 257) * (alpha * strength), 0, 255)
        return SimpleNamespace(relit=relit.astype(np.uint8), alpha=np.float32(alpha))

    def alpha_for_brightness(self, image, brightness):
        return 10 * brightness


@pytest.fixture
def answering():
    return EightBits(Brightener(), LIMIT)


def pixels_of(data):
    return decode_photo(data, "answer").pixels


def files(*levels):
    return np.array([encode_photo(np.full((8, 12, 3), level / 255, np.float32)) for level in levels], object)


@pytest.mark.parametrize(
    "numbers, factors",
    [
        ({}, [3, 3]),
        ({"alpha": [2, 4]}, [2, 4]),
        ({"brightness": [0.1, 0.5]}, [1, 5]),
        ({"strength": [1, 0]}, [3, 0]),
    ],
)
def test_answers_are_those_of_the_networks(answering, numbers, factors):
    numbers = {name: np.float32(values) for name, values in numbers.items()}
    made = answering.run({"image_bytes": files(10, 20), **numbers})
    means = [255 * pixels_of(data).mean() for data in made["enhanced_bytes"]]
    assert means == pytest.approx([10 * factors[0], 20 * factors[1]], abs=0.01)
    assert made["alpha"].dtype == np.float32


def test_no_image_is_begun_once_it_is_stopped(answering):
    looks = iter([False, True])
    with pytest.raises(tf.errors.CancelledError):
        answering.run({"image_bytes": files(10, 20, 30)}, is_stopped=lambda: next(looks))
    assert next(looks, None) is None


def test_gray_files_stay_gray(answering):
    gray = tf.io.encode_png(np.full((4, 4, 1), 20, np.uint8)).numpy()
    (made,) = answering.run({"image_bytes": np.array([gray], object)})["enhanced_bytes"]
    pixels = pixels_of(made)
    assert (pixels == pixels[..., :1]).all() and 255 * pixels.mean() == pytest.approx(60, abs=0.01)


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"image_bytes": np.array([b"text"], object)}, r"image_bytes\[0\]: expects a file of PNG"),
        ({"image_bytes": np.array([encode_photo(np.zeros((100, 60, 3)))], object)}, "the limit is 5000"),
        ({"image_bytes": files(1, 2), "alpha": np.float32([1])}, "alpha: expects as many numbers"),
        (
            {"image_bytes": files(1), "strength": np.float32([2])},
            r"strength\[0\]: expects a number from 0 to 1",
        ),
    ],
)
def test_mistakes_are_those_of_the_graph(answering, inputs, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        answering.run(inputs)


def test_no_image_is_begun_when_the_time_is_over(answering):
    with pytest.raises(tf.errors.DeadlineExceededError):
        answering.run({"image_bytes": files(10)}, seconds=0.0)


def test_signatures_with_boxes_or_parts_are_left_to_the_graph():
    assert EightBits.answers({"image_bytes", "alpha"}, {"enhanced_bytes"})
    assert not EightBits.answers({"image_bytes"}, {"enhanced_bytes", "alpha", "boxes"})
    assert not EightBits.answers({"image_bytes"}, {"reflectance_bytes"})
    assert not EightBits.answers({"images", "alpha"}, {"relit"})


def test_a_version_without_networks_has_none(tmp_path):
    assert read_eight_bits(tmp_path) is None


class TestFolder:
    @pytest.fixture(autouse=True)
    def _engine(self):
        pytest.importorskip("openvino", reason="the extra fast is not installed")

    @pytest.fixture
    def written(self, tmp_path):
        from kind.enhancing.fast.loading import load_fast

        version = tmp_path / "exports" / "1"
        write_eight_bits(version, load_fast(variant="lite"), LIMIT)
        return version

    def test_written_networks_answer_as_the_shipped_ones(self, written):
        from kind.enhancing.fast.loading import load_fast

        levels = np.random.default_rng(0).integers(0, 60, (20, 30, 3), dtype=np.uint8)
        data = tf.io.encode_png(levels).numpy()
        made = read_eight_bits(written).run({"image_bytes": np.array([data], object)})
        relit = np.rint(255 * pixels_of(made["enhanced_bytes"][0]))
        expected = load_fast(variant="lite")(levels, levels=True)
        np.testing.assert_array_equal(relit, expected.relit)
        assert made["alpha"][0] == expected.alpha

    @pytest.mark.parametrize(
        "text", ["{", "[]", '{"variant": "guided", "max_pixels": 1}', '{"variant": "lite"}']
    )
    def test_damaged_settings_are_one_line(self, written, text):
        (written / eight_bits.FOLDER / "int8.json").write_text(text)
        with pytest.raises(UserError, match="int8.json"):
            read_eight_bits(written)

    def test_without_the_engine_the_graph_answers(self, written, monkeypatch, caplog):
        monkeypatch.setattr(installed.importlib.util, "find_spec", lambda name: None)
        assert read_eight_bits(written) is None
        assert "answering in float32" in caplog.text

    @pytest.mark.slow
    def test_an_export_is_answered_in_8_bits(self, tmp_path):
        command = [sys.executable, "-m", "kind", "export", "--out", str(tmp_path / "night")]
        done = subprocess.run(
            [*command, "--no-detector", "--precision", "int8"], capture_output=True, text=True, check=True
        )
        assert "dB from the pipeline in float32" in done.stdout
        version = tmp_path / "night" / "1"
        assert json.loads((version / eight_bits.FOLDER / "int8.json").read_text())["variant"] == "lite"
        noise = np.random.default_rng(0).normal(0, 2, (48, 64, 3))
        levels = np.clip(np.linspace(2, 50, 64)[:, np.newaxis] + noise, 0, 255).astype(np.uint8)
        inputs = {"image_bytes": np.array([tf.io.encode_png(levels).numpy()], object)}
        answers = []
        for _ in ("int8", "float32"):
            from kind.serving.worker.loading import LoadedModel

            model = LoadedModel(version)
            model.warm_up()
            made = model.run("serving_default", inputs)
            answers.append(255 * pixels_of(made["enhanced_bytes"][0]))
            model.close()
            shutil.rmtree(version / eight_bits.FOLDER, ignore_errors=True)
        apart = np.abs(answers[0] - answers[1])
        assert 0 < apart.max() and np.sqrt(np.mean(apart**2)) < 4


def test_int8_is_for_saved_models(tmp_path, capsys):
    from kind.cli.main import main

    assert main(["export", "--format", "onnx", "--precision", "int8", "--out", str(tmp_path / "x")]) == 2
    assert "saved_model only" in capsys.readouterr().err
