"""By how much the suggested α follows a file."""

import numpy as np
import tensorflow as tf

from benchmarks import suggested_alpha
from kind.images.photo import write_photo


class DarkestPixel:
    """Suggests more light the darker the darkest pixel is: steady under nothing but a lossless format."""

    variant = "stub"

    def collect_statistics_of(self, images):
        return (tf.constant([images.min() / 255.0], tf.float32),)

    def chosen_alpha(self, alpha, seen):
        return 1.0 / (seen[0] + 0.1)


def test_differences_are_of_each_kind_of_file(tmp_path, monkeypatch, capsys):
    pixels = np.full((40, 60, 3), 0.5, np.float32)
    pixels[20, 30] = 0.0
    write_photo(tmp_path / "spot.png", pixels)
    monkeypatch.setattr(suggested_alpha.Enhancer, "load", lambda variant: DarkestPixel())
    monkeypatch.setattr("sys.argv", ["suggested_alpha", str(tmp_path)])
    assert suggested_alpha.main() == 0
    lines = {line[:19].strip(): line[19:].split() for line in capsys.readouterr().out.splitlines()}
    assert float(lines["TIFF"][0]) == 0.0
    assert float(lines["0.5 times its size"][0]) > 10.0
    assert lines["0.5 times its size"][2:5] == ["1", "of", "1"]
    assert lines["0.5 times its size"][-1] == "spot.png"
