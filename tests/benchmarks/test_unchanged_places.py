"""What networks of change detection find where nothing has changed."""

import numpy as np

from benchmarks import unchanged_places
from kind.images.photo import write_photo


def test_shares_are_of_test_photographs_and_of_each_network(tmp_path, monkeypatch, capsys):
    for number in range(18):
        for folder, level in (("low", 0.1), ("high", 0.5)):
            pixels = np.full((6, 20, 3), level, np.float32)
            pixels[:, : max(number - 1, 0)] = 0.0  # the first photograph is there twice
            write_photo(tmp_path / folder / f"{number:02}.png", pixels)
    networks = {
        "brightness": lambda before, after: (before - after)[..., 0],
        "nothing": lambda before, after: 0.0 * before[..., 0],
    }
    monkeypatch.setattr(unchanged_places, "CHANGE_THRESHOLD", 0.3)
    monkeypatch.setattr(unchanged_places, "_finder", lambda path: networks[str(path)])
    named = [word for name in networks for word in ("--network", f"{name}={name}")]
    monkeypatch.setattr("sys.argv", ["unchanged_places", str(tmp_path), *named])
    assert unchanged_places.main() == 0
    lines = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    # Of the first 16 different ones, numbers 0, 5 and 10 are for tests, and so is the first of the next.
    assert lines["brightness"] == ["61.25", "62.50", "100.00", "4"]
    assert lines["nothing"] == ["0.00", "0.00", "0.00", "0"]
