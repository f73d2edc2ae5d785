"""A change of what arrays are made of files by must not go unnoticed by the caches."""

import ast
import hashlib
from pathlib import Path

import pytest

from kind.data.sources import DECODING_VERSION
from kind.detection.change import sources as change
from kind.detection.sources import MAKING_VERSION

ROOT = Path(__file__).resolve().parents[2]

#: The code that decides the values in a cache, by the functions that are called, and its digest by version.
#: When a test below fails: if the same file can now give other values, count the version up (in
#: `kind.data.sources`, `kind.detection.sources` or `kind.detection.change.sources`); in any case put
#: the digest that it shows here.
DECODING = {
    "kind/images/photo.py": ["read_photo"],
    "kind/images/decoding.py": None,
    "kind/images/header.py": ["read_header_and_metadata"],  # for the orientation
    "kind/images/tiff_tags.py": None,
    "kind/images/iso_media.py": ["format_of"],
    "kind/images/png_texts.py": ["without_texts"],
    "kind/images/pil.py": ["cropped"],
    "kind/images/raw.py": ["is_raw", "raw_samples"],
    "kind/images/pixels.py": ["StoredPhoto", "in_unit_range"],
    "kind/ops/stretch.py": None,
    "kind/images/area.py": None,
    "data/mixture_parts.py": ["_decode"],
}
MAKING = {
    "data/darkening.py": None,
    "detection/sources.py": ["_made", "dark_twin", "shrunk"],
    "detection/inputs.py": ["detector_inputs"],
}
CHANGE = {
    "detection/change/sources.py": ["make_material", "triplet_source"],
    "detection/change/cutouts.py": None,
    "detection/change/folders.py": ["read_label"],
    "detection/sources.py": ["shrunk"],
}
DIGESTS = {
    ("decoding", 5): "7f8f830cb54e9d47410e4059",
    ("making", 1): "406628407509a35506fadc49",
    ("change", 1): "ed74fd3dcdf10f54d85c13fd",
}


def code(path, roots):
    """A module's statements without comments and docstrings; with roots, what they need of it."""
    statements = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    for node in ast.walk(ast.Module(statements, [])):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [item for item in body if not is_text(item)] or body[:1]
    if roots is None:
        return [
            ast.unparse(item) for item in statements if not isinstance(item, (ast.Import, ast.ImportFrom))
        ]
    defined = {name: item for item in statements for name in names_of(item)}
    wanted, needed = list(roots), {}
    while wanted:
        name = wanted.pop()
        if name in defined and name not in needed:
            needed[name] = ast.unparse(defined[name])
            wanted += [node.id for node in ast.walk(defined[name]) if isinstance(node, ast.Name)]
    return [needed[name] for name in sorted(needed)]


def is_text(statement):
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def names_of(statement):
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return [statement.name]
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return [
        node.id for target in targets if target for node in ast.walk(target) if isinstance(node, ast.Name)
    ]


@pytest.mark.parametrize(
    "name, version, files",
    [
        ("decoding", DECODING_VERSION, DECODING),
        ("making", MAKING_VERSION, MAKING),
        ("change", change.MAKING_VERSION, CHANGE),
    ],
)
def test_other_code_has_another_version(name, version, files):
    text = "\n".join(part for path, roots in files.items() for part in code(path, roots))
    digest = hashlib.sha256(text.encode()).hexdigest()[:24]
    assert DIGESTS[name, version] == digest, "the code changed: see DIGESTS in this file"
