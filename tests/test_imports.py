"""Who may import whom: kind → data → the stages → detection → the commands, and never back."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
STAGES = ("decom", "restoration", "illumination", "joint", "lite")
MAY_IMPORT = {
    "kind": set(),
    "data": {"kind"},
    **{stage: {"kind", "data"} for stage in STAGES},
    "detection": {"kind", "data", *STAGES},
}
ROOMS = tuple(MAY_IMPORT)
COMMANDS = ("train_stage", "evaluate")


def imports(path):
    """Every module that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a name comes from"
            yield node.module


def modules(room):
    return sorted((REPOSITORY / room).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_one_way(room):
    for path in modules(room):
        is_front_door = path.relative_to(REPOSITORY).parts[:2] == ("kind", "cli")
        for name in imports(path):
            top = name.split(".")[0]
            assert top not in (*COMMANDS, "tests", "benchmarks"), f"{path} imports {name}"
            if top in ROOMS and top != room and not is_front_door:
                assert top in MAY_IMPORT[room], f"{path} imports {name}"
            if name.startswith("kind.cli"):
                assert is_front_door or path.name == "__main__.py", f"{path} imports {name}"


def test_addons_are_imported_in_one_file_at_most():
    importing = [
        path
        for room in ROOMS
        for path in modules(room)
        if any(name.split(".")[0] == "tensorflow_addons" for name in imports(path))
    ]
    assert len(importing) <= 1, importing


def test_only_the_image_module_decodes_and_encodes():
    """Pillow may draw anywhere; opening files is `kind.image`'s, and inside a graph `graph_images`'s."""
    own = {"kind/image.py", "kind/image_decoding.py", "kind/serving/graph_images.py"}
    for room in ROOMS:
        for path in modules(room):
            if path.relative_to(REPOSITORY).as_posix() in own:
                continue
            text = path.read_text(encoding="utf-8")
            assert "Image.open(" not in text and "tf.io.decode_image(" not in text, path
