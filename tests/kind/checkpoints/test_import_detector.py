"""What `import yolov8` and `import keras-cv` refuse; what they write is tested beside the weights."""

import argparse

import pytest

from kind.cli import import_command
from kind.errors import UserError


@pytest.fixture
def run():
    """(arguments as words) → the command's exit code."""

    def run(*words):
        parser = argparse.ArgumentParser()
        import_command.add_arguments(parser)
        return import_command.run(parser.parse_args([str(word) for word in words]))

    return run


def test_mistakes_are_one_line_and_nothing_is_written(run, tmp_path):
    out = tmp_path / "net.keras"
    with pytest.raises(UserError, match="no such file; expected a PyTorch checkpoint"):
        run("yolov8", tmp_path / "none.pt", "--out", out)
    (tmp_path / "text.pt").write_text("text")
    with pytest.raises(UserError, match="not a zip, or a damaged one"):
        run("yolov8", tmp_path / "text.pt", "--out", out)
    with pytest.raises(UserError, match="expected a file that ends in .keras for --out"):
        run("yolov8", tmp_path / "text.pt", "--out", tmp_path)
    with pytest.raises(UserError, match="no such KerasCV preset"):
        run("keras-cv", "yolo", "--out", out)
    assert [path.name for path in tmp_path.iterdir()] == ["text.pt"]
