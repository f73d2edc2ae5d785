"""Who may import whom: kind's rooms from the ground up → data → the stages → detection → the commands."""

import ast
import functools
from pathlib import Path

import pytest

import kind.cli.stages

REPOSITORY = Path(__file__).resolve().parent.parent
#: Rooms of the stages; those of detection share one.
STAGES = tuple(
    dict.fromkeys(
        entry.where.split(".")[1] for entry in kind.cli.stages.STAGES.values() if hasattr(entry, "where")
    )
)
#: Each line may import the lines above it, and its own rooms one another only where they are the same room.
FLOORS = (
    ("kind.errors", "kind.files", "kind.constants"),
    ("kind.ops", "kind.images"),
    ("kind.losses", "kind.metrics", "kind.nn"),
    ("kind.checkpoints",),
    ("kind.enhancing",),
    ("kind.training", "kind.reports", "kind.video"),
    ("kind.evaluation", "kind.export", "kind.profiling"),
    ("kind.serving",),
    ("kind.data",),
    tuple(f"kind.{stage}" for stage in STAGES),
    ("kind.detection",),
    ("kind.cli",),
    ("kind.__main__",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
TOP_LEVEL = ("data", *STAGES, "detection", "train_stage", "evaluate", "setup", "tests", "benchmarks")


@functools.cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path):
    """Every module that a file imports, wherever in the file."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a name comes from"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules():
    """Every source file of the package with the dotted name it has there."""
    for top in ("kind", *TOP_LEVEL):
        for path in sorted((REPOSITORY / top).rglob("*.py")) if top not in ("tests", "benchmarks") else []:
            name = path.relative_to(REPOSITORY).with_suffix("").as_posix().replace("/", ".")
            yield path, name if top == "kind" else f"kind.{name}"


def room_of(module):
    """The room that a module is in: the first two names; None of what belongs to no room."""
    return next((room for room in FLOOR if module == room or module.startswith(f"{room}.")), None)


@pytest.mark.parametrize("path, module", list(modules()), ids=lambda value: str(value).rpartition("/")[2])
def test_imports_go_one_way(path, module):
    own = room_of(module)
    if module == "kind.__init__":  # imports on first use
        return
    assert own, f"{module} is in no room; FLOORS in this file says where rooms stand"
    for name in imports(path):
        assert name.split(".")[0] not in TOP_LEVEL, f"{path} imports {name}; the package's own name is kind"
        room = room_of(name)
        if room and room != own:
            assert FLOOR[room] < FLOOR[own], f"{path} imports {name}, which stands higher or beside it"


def bound(path):
    """Every name that a file defines, assigns or imports."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.asname or node.name


def test_every_imported_name_exists():
    """Many imports stand in functions, where only a run would miss the name."""
    paths = {module.replace(".__init__", ""): path for path, module in modules()}
    for path in sorted((REPOSITORY / "benchmarks").glob("*.py")):
        paths[f"benchmarks.{path.stem}"] = path
    names = {module: set(bound(path)) for module, path in paths.items()}
    for path in [*paths.values(), *sorted((REPOSITORY / "tests").rglob("*.py"))]:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ImportFrom) and node.module in names and node.module != "kind":
                for alias in node.names:
                    is_there = alias.name in names[node.module] or f"{node.module}.{alias.name}" in paths
                    assert is_there, f"{path}:{node.lineno}: {node.module} has no {alias.name}"


def test_no_module_imports_itself_by_way_of_others():
    names = {module for _, module in modules()}
    sources = {module: {name for name in imports(path) if name in names} for path, module in modules()}
    sources.pop("kind.__init__")  # imports on first use
    reached = {}

    def all_below(module, above=()):
        assert module not in above, " imports ".join([*above[above.index(module) :], module])
        if module not in reached:
            reached[module] = True
            for name in sorted(sources.get(module, ())):
                all_below(name, (*above, module))

    for module in sorted(sources):
        all_below(module)


def test_addons_are_imported_in_one_file_at_most():
    importing = [path for path, _ in modules() if "tensorflow_addons" in set(imports(path))]
    assert len(importing) <= 1, importing


def test_only_the_image_module_decodes_and_encodes():
    """Pillow may draw anywhere; files are opened by `kind.images`, and inside a graph by `graph_images`."""
    own = {
        "kind/images/photo.py",
        "kind/images/decoding.py",
        "kind/images/reencoding.py",
        "kind/export/graph_images.py",
    }
    for path, _ in modules():
        if path.relative_to(REPOSITORY).as_posix() in own:
            continue
        text = path.read_text(encoding="utf-8")
        assert "Image.open(" not in text and "tf.io.decode_image(" not in text, path
