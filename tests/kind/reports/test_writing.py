"""Files of reports."""

import csv
import json
import math

import pytest

from kind.errors import UserError
from kind.reports.writing import write_csv, write_json, write_text


def test_json_has_words_for_what_it_lacks_and_any_file_name(tmp_path):
    write_json(tmp_path / "new" / "a.json", {"α": [math.inf, -math.inf, math.nan], "file": "caf\udce9"})
    text = (tmp_path / "new" / "a.json").read_text(encoding="utf-8")
    assert "α" in text and text.endswith("}\n")
    assert json.loads(text) == {"α": ["inf", "-inf", "nan"], "file": "caf\udce9"}
    write_json(tmp_path / "b.json", {"α": 1}, indent=None, ascii_only=True)
    assert (tmp_path / "b.json").read_bytes() == b'{"\\u03b1": 1}\n'


def test_csv_has_empty_cells_for_none(tmp_path):
    write_csv(tmp_path / "a.csv", ["name", "value"], [['a "b", c', None], ["caf\udce9", 1.5]])
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["name", "value"], ['a "b", c', ""], ["caf\\udce9", "1.5"]]


def test_a_place_that_cannot_be_written_is_named_and_left_as_it_is(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"^{tmp_path}/folder: cannot be written: Is a directory$"):
        write_text(tmp_path / "folder", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
