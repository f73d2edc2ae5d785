"""Tables in Markdown documents."""

from pathlib import Path

import pytest

from kind.errors import UserError
from kind.reports.document import Place


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "results.md"
    path.write_text("before\n<!-- t begin -->\nold\n<!-- t end -->\nafter\n", encoding="utf-8")
    return path


def test_only_what_is_between_the_markers_changes(document):
    Place(document, "t").write("new ↑\n\\1")
    expected = "before\n<!-- t begin -->\nnew ↑\n\\1\n<!-- t end -->\nafter\n"
    assert document.read_text(encoding="utf-8") == expected
    Place(document, "t").write("newer")
    assert document.read_text(encoding="utf-8") == expected.replace("new ↑\n\\1", "newer")


def test_a_document_without_markers_is_left_alone(document, tmp_path):
    with pytest.raises(UserError, match="expected the lines <!-- other begin --> and <!-- other end -->"):
        Place(document, "other").check()
    with pytest.raises(UserError, match="none.md: expected a Markdown document"):
        Place(tmp_path / "none.md", "t").check()
    (tmp_path / "bytes.md").write_bytes(b"\xff")
    with pytest.raises(UserError, match="bytes.md"):
        Place(tmp_path / "bytes.md", "t").check()


def test_the_place_is_written_as_file_and_name():
    assert Place.parse("docs/a.md#here", "t") == (Path("docs/a.md"), "here")
    assert Place.parse("docs/a.md", "t") == Place.parse("docs/a.md#", "t") == (Path("docs/a.md"), "t")
