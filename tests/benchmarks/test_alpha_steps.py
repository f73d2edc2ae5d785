"""What α and the ends of the scale come to."""

import numpy as np
import pytest

from benchmarks import alpha_steps
from kind.enhancing.enhancer import Enhanced
from kind.images.photo import write_photo
from kind.images.srgb import to_linear, to_srgb


class Gain:
    """α times the light, but black becomes a little brighter; suggests 2."""

    def __call__(self, image, alpha=2.0, parts=None):
        relit = np.maximum(to_srgb(np.minimum(to_linear(image / 255) * alpha, 1.0)), 0.05 * (alpha > 1))
        return Enhanced(relit=np.float32(relit))


def test_figures_of_a_gain(tmp_path, monkeypatch, capsys):
    pixels = np.full((60, 60, 3), 0.25, np.float32)
    pixels[:20], pixels[40:] = 0.0, 1.0
    write_photo(tmp_path / "steps.png", pixels)
    monkeypatch.setattr(alpha_steps.Enhancer, "load", lambda variant: Gain())
    document = tmp_path / "page.md"
    document.write_text("<!-- alpha-steps begin -->\n<!-- alpha-steps end -->\n")
    monkeypatch.setattr(
        "sys.argv", ["alpha_steps", str(tmp_path), "--variant", "lite", "--markdown", str(document)]
    )
    assert alpha_steps.main() == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("lite")]
    found = {line[4:].rsplit(maxsplit=4)[0].strip(): line.split()[-1] for line in lines}
    assert float(found[alpha_steps.GIVEN_BACK]) == 60.0
    assert float(found["1 → 2, stops"]) == pytest.approx(1.0, abs=0.01)
    assert float(found[alpha_steps.BLACK]) == round(0.05 * 255)
    assert float(found[alpha_steps.WHITE]) == 255
    assert "1 → 2, stops" in document.read_text()
