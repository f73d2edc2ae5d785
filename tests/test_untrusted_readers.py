"""Files are data: the places that could run what a file says are known, and each has its reason."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
#: Calls that execute, import or unpack whatever they are given. By name alone, so that an alias of a module
#: does not hide one; a method of another class with such a name goes on the list below.
DANGEROUS = {
    "load_model", "model_from_json", "model_from_config", "deserialize", "deserialize_keras_object",
    "from_config",
    
    "layer_from_config", "clone_model", "from_preset", "load_own_variables", "load_weights",
    "eval", "exec", "compile", "__import__", "import_module", "run_path", "run_module",
    "Unpickler", "unpickle", "unsafe_load", "full_load", "load_op_library", "load_library", "py_function",
    "numpy_function", "CDLL", "system", "popen",
}  # fmt: skip
_SOURCES = [
    "kind",
    "data",
    "decom",
    "restoration",
    "illumination",
    "joint",
    "lite",
    "detection",
    "benchmarks",
]
_SOURCES += ["train_stage", "evaluate", "setup"]
#: Modules that nothing imports.
MODULES = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "yaml", "cloudpickle", "jsonpickle"}
#: (file, name): why it is none of a file's business.
ALLOWED = {
    ("kind/checkpoints/inert_pickle.py", "pickle"): "reads operations one by one and makes nothing but data",
    ("kind/__init__.py", "import_module"): "the package's own modules, by a table of public names",
    ("kind/enhancing/tiling/freed_memory.py", "CDLL"): "the C library of the running process",
    ("kind/export/parity.py", "saved_model.load"): "the export that the same command has just written",
    (
        "kind/serving/worker/loading.py",
        "saved_model.load",
    ): "an operator's export: a program, and trusted as one",
    ("benchmarks/serving_processes.py", "saved_model.load"): "the benchmark's own export",
    ("benchmarks/public_checkout.py", "import_module"): "imports this package by its modules' names",
    ("data/annotations/data_yaml.py", "yaml"): "BaseLoader: text, lists and dictionaries, nothing else",
    ("kind/nn/bfloat16.py", "clone_model"): "of a network in memory",
    ("kind/nn/bfloat16.py", "from_config"): "of a layer in memory",
    ("kind/training/precision.py", "from_config"): "of a network in memory",
    ("kind/training/stage.py", "compile"): "Keras's, of a stage with its optimizer",
    ("detection/reuse.py", "from_config"): "of a backbone in memory",
    ("detection/model.py", "deserialize_keras_object"): "of a detector in memory",
    ("detection/published.py", "from_preset"): "by the name of a KerasCV preset, which Keras downloads",
}


def findings(path):
    """(name, line) of everything dangerous in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
            module = getattr(getattr(function, "value", None), "id", None)
            if name in DANGEROUS and not (name == "compile" and module == "re"):
                yield name, node.lineno
            if any(
                word.arg == "allow_pickle" and ast.unparse(word.value) != "False" for word in node.keywords
            ):
                yield "allow_pickle", node.lineno
            if name == "load" and module in ("saved_model", "torch", "tf"):
                yield "load", node.lineno
            if isinstance(function, ast.Attribute) and ast.unparse(function).endswith("saved_model.load"):
                yield "saved_model.load", node.lineno
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            for name in {part.split(".")[0] for part in names} & MODULES:
                yield name, node.lineno


def sources():
    for top in _SOURCES:
        place = REPOSITORY / top
        yield from sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]


def test_nothing_executes_what_a_file_says():
    found = {
        (path.relative_to(REPOSITORY).as_posix(), name) for path in sources() for name, _ in findings(path)
    }
    assert found - ALLOWED.keys() == set(), (
        "read files through kind.nn.saving.load_net, or say here why this is none"
    )
    assert ALLOWED.keys() - found == set(), "these are no longer there"


@pytest.mark.parametrize(
    "line",
    [
        "keras.models.load_model(path)",
        "np.load(path, allow_pickle=True)",
        "import pickle",
        "from joblib import load",
        "layer.__class__.from_config(config)",
        "eval(text)",
        "tf.saved_model.load(folder)",
    ],
)
def test_the_test_sees_what_it_looks_for(tmp_path, line):
    (tmp_path / "source.py").write_text(line)
    assert list(findings(tmp_path / "source.py"))
