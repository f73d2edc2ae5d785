"""The script of reports, in a real Chromium."""

import numpy as np
import pytest

from kind.images.photo import write_photo
from kind.reports.page import write_page
from kind.reports.table import Table

TEMPLATE = """{% extends "page.html" %}
{% import "parts.html" as parts with context %}
{% block content %}{{ parts.pictures("night", pictures) }}{{ parts.table(table, "figures") }}{% endblock %}"""


@pytest.fixture
def page(browser, tmp_path):
    """The browser with a report of three pictures and a table of three methods with two lines each."""
    (tmp_path / "report.html").write_text(TEMPLATE)
    pictures = []
    for name, level in (("input", 0.1), ("target", 0.9), ("output", 0.5)):
        pictures.append((f"{name} of night", name, tmp_path / "out" / f"{name}.png"))
        write_photo(pictures[-1][2], np.full((30, 900, 3), level, np.float32))
    lines = [[name, figure] if half == 0 else ["", "x"] for name, figure in ROWS for half in (0, 1)]
    table = Table(["method", "PSNR"], lines, (0,))
    path = tmp_path / "out" / "page.html"
    write_page(path, tmp_path / "report.html", title="t", pictures=pictures, table=table)
    browser.get(path.as_uri())
    yield browser
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    browser.get("about:blank")


ROWS = (("b", "9.5"), ("a", "–"), ("c", "1,020"))


def test_two_pictures_are_compared_by_mouse_and_keyboard(page):
    frame = page.find_element("css selector", ".compare .frame")
    stage = frame.find_element("class name", "stage")
    left, right = stage.find_elements("tag name", "img")
    assert (left.get_attribute("alt"), right.get_attribute("alt")) == ("input of night", "output of night")
    frame.send_keys("\ue014\ue014\ue015")  # right, right, down
    assert "54%" in stage.get_attribute("style") and right.get_attribute("alt") == "input of night"
    frame.send_keys("z")
    assert "900px" in stage.get_attribute("style")
    assert frame.accessible_name == "night: arrow keys compare, z enlarges"


def test_tables_are_sorted_with_the_lines_that_belong_together(page):
    def column():
        return [cell.text for cell in page.find_elements("css selector", "tbody tr > :first-child")]

    method, figure = page.find_elements("css selector", "thead button")
    figure.click()
    assert column() == ["c", "", "b", "", "a", ""]  # a dash is the last
    figure.click()
    assert column() == ["b", "", "c", "", "a", ""]
    method.click()
    assert column() == ["c", "", "b", "", "a", ""]
    assert page.find_element("css selector", "thead th").get_attribute("aria-sort") == "descending"
