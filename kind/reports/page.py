"""HTML pages of reports, each of which needs nothing but the pictures beside it.

A room's own template extends `page.html` and shows its tables, notes and pictures by the macros of
`parts.html`; both are in `templates/` here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kind.reports.writing import write_text

_SHARED = Path(__file__).parent / "templates"


def write_page(path: Path, template: Path, **content: Any) -> None:
    """Renders a Jinja2 template; whatever it shows is escaped.

    Args:
        path: the HTML file.
        template: the template's file, in the room that the page belongs to.
        **content: what the template refers to. Its filter `link` makes a link of a file's path, relative to
            the page.

    Raises:
        UserError: when the page cannot be written.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, _SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # A name need not be text: a link has its bytes.
    environment.filters["link"] = lambda file: quote(os.fsencode(file.relative_to(path.parent).as_posix()))
    write_text(path, environment.get_template(template.name).render(**content) + "\n")
