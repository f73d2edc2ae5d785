"""What `kind serve` refuses before anything is loaded."""

import pytest

from kind.cli.main import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("a", "missing"), "missing: no such folder"),
        (("a", "other/a"), "different names"),
        (("a", "b", "--model-name", "c"), "--model-name names one model"),
        (("a", "--model-name", "c/d"), "without / and :"),
    ],
)
def test_folders_and_names_are_checked(words, message, tmp_path, monkeypatch, capsys):
    for folder in ("a", "b", "other/a"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert main(["serve", *words]) == 2
    assert message in capsys.readouterr().err
