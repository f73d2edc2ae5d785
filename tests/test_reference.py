"""The reference pages, and the links of all pages."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs" / "quickstart.ipynb"


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("build_docs", ROOT / "scripts" / "build_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_link_in_the_repositorys_pages_leads_somewhere(pages):
    markdown = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    assert list(pages.broken_in_markdown(markdown)) == []


def test_broken_links_are_found(pages, tmp_path):
    links = ["b.html#there", "b.html#no", "c.html", "https://example.org/", "#here"]
    (tmp_path / "a.html").write_text("".join(f'<a href="{link}">x</a>' for link in links))
    (tmp_path / "b.html").write_text('<p id="there"></p>')
    found = [line.partition(": ")[2] for line in pages.broken_in_pages(tmp_path)]
    assert found == [
        "b.html#no: no such place in it",
        "c.html: no such page",
        "#here: no such place in it",
    ]
    page = tmp_path / "a.md"
    page.write_text("# One, *two*\n[x](#one-two) [x](#three) [x](no.md)\n```\n[x](y)\n```\n")
    found = [line.partition(": ")[2] for line in pages.broken_in_markdown([page])]
    assert found == ["#three: no such heading", "no.md: no such file"]


@pytest.mark.slow
def test_the_reference_has_what_users_import(tmp_path):
    pytest.importorskip("pdoc", reason="make docs needs the extra docs")
    done = subprocess.run(
        [sys.executable, "scripts/build_docs.py", str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "kind.html").read_text()
    assert all(f'id="{name}"' in text for name in ("Enhancer.load", "Enhanced.save", "Photo", "read_photo"))
    assert "SSIMLoss" in (tmp_path / "kind" / "losses.html").read_text()


def cells(kind):
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_the_notebook_has_no_results_and_its_code_is_python():
    for number, cell in enumerate(cells("code")):
        assert cell["outputs"] == [] and cell["execution_count"] is None
        compile("".join(cell["source"]), f"cell {number}", "exec")


@pytest.mark.slow
def test_the_notebook_runs(tmp_path):
    code = "\n\n".join("".join(cell["source"]) for cell in cells("code"))
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert (tmp_path / "relit.png").is_file() and (tmp_path / "softer.jpg").is_file()
