"""Builds the reference pages of the Python interface from the docstrings, and looks after every link.

    python scripts/build_docs.py [FOLDER]

Ends with 1 and one line for each link that leads nowhere, in these pages and in the repository's Markdown.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
#: What users import; each is a page, and so is each module among the public names of `kind`.
MODULES = ("kind", "kind.serving.client")


def build(folder: Path) -> None:
    """Writes the reference pages."""
    import pdoc
    import pdoc.render

    import kind

    for module in (kind, kind.losses, kind.metrics):  # pdoc does not see what is imported on first use
        for name in module.__all__:
            setattr(module, name, getattr(module, name))
    pdoc.render.configure(docformat="google", show_source=False, footer_text="kind")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Error parsing type annotation")  # of a NamedTuple's own
        pdoc.pdoc(*MODULES, output_directory=folder)


class _Page(HTMLParser):
    """Collects what a page links to, and what may be linked to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Notes `href`, `src`, `id` and `name`."""
        for name, value in attributes:
            if name in ("href", "src") and value:
                self.links.append(value)
            elif name in ("id", "name") and value:
                self.anchors.add(value)


def broken_in_pages(folder: Path) -> Iterator[str]:
    """The links of HTML pages to other pages, or to places in them, that lead nowhere."""
    pages = {path.resolve(): _Page(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")}
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                yield f"{path}: {link}: no such page"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{path}: {link}: no such place in it"


def broken_in_markdown(files: list[Path]) -> Iterator[str]:
    """The links of Markdown pages to files, or to headings, that lead nowhere."""
    for path in files:
        text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.S | re.M)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = path.parent / unquote(parts.path) if parts.path else path
            if not target.exists():
                yield f"{path}: {link}: no such file"
            elif parts.fragment and target.suffix == ".md" and parts.fragment not in headings(target):
                yield f"{path}: {link}: no such heading"


def headings(path: Path) -> set[str]:
    """The names by which the headings of a Markdown page are linked to."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.S | re.M)
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower() for title in titles]
    return {re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in plain}


def main() -> int:
    """Builds and checks.

    Returns:
        The exit code.
    """
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site"
    try:
        build(folder)
    except ImportError as error:
        print(f"{error}; pip install 'kind[docs]', or pip install pdoc", file=sys.stderr)
        return 2
    markdown = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    broken = [*broken_in_pages(folder), *broken_in_markdown(markdown)]
    for line in broken:
        print(line, file=sys.stderr)
    print(f"written: {folder / 'index.html'}; {len(broken)} broken links")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
