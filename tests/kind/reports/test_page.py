"""Pages from templates."""

from pathlib import Path

import jinja2
import pytest

from kind.errors import UserError
from kind.reports.page import write_page
from kind.reports.table import Table

TEMPLATE = """{% extends "page.html" %}
{% import "parts.html" as parts with context %}
{% block content %}
{{ parts.facts(facts) }}{{ parts.table(table, "Every <b>", links=links) }}
{{ parts.pictures("<one>", pictures) }}
{% endblock %}"""


@pytest.fixture
def template(tmp_path):
    path = tmp_path / "room" / "report.html"
    path.parent.mkdir()
    path.write_text(TEMPLATE)
    return path


def test_everything_that_is_shown_is_escaped(tmp_path, template):
    content = {
        "title": "A & B",
        "facts": [("<name>", '"value"')],
        "table": Table(["a", "b"], [["<script>", "1"], ["", "2"], ["?", "3"]], range(1)),
        "links": {"?": tmp_path / "out" / "a?.jpg"},
        "pictures": [("alt'", "<c>", tmp_path / "out" / "pictures" / "50% #1 é.jpg")],
    }
    write_page(tmp_path / "out" / "page.html", template, **content)
    text = (tmp_path / "out" / "page.html").read_text(encoding="utf-8")
    for words in (
        "<title>A &amp; B</title>",
        "<dt>&lt;name&gt;</dt><dd>&#34;value&#34;</dd>",
        '<tr class="first"><th scope="row" class="words">&lt;script&gt;</th><td>1</td></tr>',
        '<th scope="row" class="words"><a href="a%3F.jpg">?</a></th>',
        "<caption>Every &lt;b&gt;</caption>",
        '<th scope="col" class="words">a</th><th scope="col">b</th>',
        '<tr><td class="words"></td><td>2</td></tr>',
        'src="pictures/50%25%20%231%20%C3%A9.jpg" alt="alt&#39;"',
        "<h3>&lt;one&gt;</h3>",
        "<figcaption>&lt;c&gt;</figcaption>",
    ):
        assert words in text, words


def test_a_template_that_lacks_something_is_no_page(tmp_path, template):
    with pytest.raises(jinja2.UndefinedError, match="facts"):
        write_page(tmp_path / "page.html", template, title="t")
    assert not (tmp_path / "page.html").exists()


def test_a_page_that_cannot_be_written_is_the_users_mistake(tmp_path):
    path = tmp_path / "bare.html"
    path.write_text("{% extends 'page.html' %}")
    with pytest.raises(UserError, match="room: cannot be written"):
        (tmp_path / "room").mkdir()
        write_page(tmp_path / "room", path, title="t")


def test_templates_are_package_data():
    """Every template lies in a package whose patterns in pyproject.toml contain it."""
    root = Path(__file__).parents[3]
    patterns = (root / "pyproject.toml").read_text(encoding="utf-8")
    assert '"kind.detection" = ["**/*.html"]' in patterns and '"**/*.html"]\n' in patterns
    rooms = {package.parent for package in root.glob("*/__init__.py")}  # not what commands write, as out/
    assert {room.name for room in rooms if any(room.rglob("*.html"))} == {"kind", "detection"}


def test_a_link_has_the_bytes_of_a_name_that_is_no_text(tmp_path, template):
    content = {"title": "t", "facts": [], "table": Table([], [], range(0)), "links": {}}
    write_page(tmp_path / "page.html", template, pictures=[("a", "b", tmp_path / "a\udcff.jpg")], **content)
    assert "a%FF.jpg" in (tmp_path / "page.html").read_text(encoding="utf-8")
