"""The public names of the package."""

import ast
import pydoc
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import kind


def test_help_shows_every_public_name():
    text = pydoc.render_doc(kind, renderer=pydoc.plaintext)
    for name in kind.__all__:
        assert name in dir(kind) and hasattr(kind, name)
        assert name.strip("_").lower() in text.lower()
    assert "class Enhancer" in text and "read_photo(" in text


def test_type_checkers_see_every_public_name():
    tree = ast.parse(Path(kind.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and node.test.id == "TYPE_CHECKING"]
    seen = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen | {"__version__"} == set(kind.__all__)


def test_importing_the_package_costs_no_tensorflow():
    script = "import sys, kind; kind.__version__, dir(kind), kind.UserError, kind.read_photo, kind.metrics"
    script += "; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_version_is_the_installed_one_and_a_checkout_has_none(monkeypatch):
    assert kind.__version__ == metadata.version("kind")

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert kind.__version__ == "unknown"
