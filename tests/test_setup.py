"""The pins agree with each other, and scripts/setup.sh finds an interpreter or says what is needed."""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ["requirements.txt", "requirements-test.txt"]
#: Each lock file, what it is made of, and the Pythons that it is for.
LOCKS = {
    "run": (["requirements.txt"], ["3.9", "3.10", "3.11"]),
    "test": (REQUIREMENTS, ["3.9", "3.10", "3.11"]),
    "onnx": (["requirements.txt", "requirements-onnx.txt"], ["3.10", "3.11"]),
    "tools": (["scripts/tools.txt"], ["3.9", "3.10", "3.11"]),
    "uv": (["scripts/uv.txt"], ["3.9", "3.10", "3.11"]),
}
PLATFORMS = [("linux", "x86_64"), ("darwin", "x86_64"), ("darwin", "arm64")]


def lines(name):
    """The file's lines without comments; hashes stand in the line of their requirement."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    return [line for line in (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()) if line]


def applying(name, python, platform=("linux", "x86_64")):
    """The file's requirements that hold on that Python, as pairs of name and specifier."""
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.9"}
    environment |= {"sys_platform": platform[0], "platform_machine": platform[1]}
    parsed = [Requirement(line.partition(" --hash=")[0]) for line in lines(name)]
    return [
        (canonicalize_name(requirement.name), requirement.specifier)
        for requirement in parsed
        if requirement.marker is None or requirement.marker.evaluate(environment)
    ]


@pytest.mark.parametrize("name", [*REQUIREMENTS, "constraints.txt"])
def test_no_file_names_an_address_or_an_option(name):
    assert [line for line in lines(name) if re.search(r"://|^-|@|file:|/", line)] == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_line_is_a_version_with_hashes_and_nothing_else(name):
    for line in lines(f"locks/{name}.txt"):
        pinned = r"[a-z0-9-]+==[\w.+]+( ; [^:/@]+?)?"
        assert re.fullmatch(pinned + r"(\s+--hash=sha256:[0-9a-f]{64})+", line), line


@pytest.mark.parametrize("name", LOCKS)
def test_locks_are_made_of_the_requirements_and_agree_with_the_constraints(name):
    """`make lock` mends what fails here."""
    files, pythons = LOCKS[name]
    for python in pythons:
        constraints = dict(applying("constraints.txt", python))
        for platform in PLATFORMS:
            locked = applying(f"locks/{name}.txt", python, platform)
            pins = dict(locked)
            assert len(pins) == len(locked), "a name is pinned twice"
            for required, specifier in (pair for file in files for pair in applying(file, python, platform)):
                (pin,) = pins[required]
                assert specifier.contains(pin.version), f"{required}{specifier} against {pin}"
            for required, specifier in locked:
                assert specifier == constraints.get(required, specifier), required


@pytest.mark.parametrize("python", ["3.9", "3.10", "3.11"])
def test_every_requirement_has_one_pin_that_satisfies_it(python):
    constraints = applying("constraints.txt", python)
    pins = dict(constraints)
    assert len(pins) == len(constraints), "a name is pinned twice"
    for name, specifier in (pair for file in REQUIREMENTS for pair in applying(file, python)):
        (pin,) = pins[name]
        assert pin.operator == "==", name
        assert specifier.contains(pin.version), f"{name}{specifier} against {pin}"


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_python_gets_the_same_names(name):
    everything = {canonicalize_name(Requirement(line).name) for line in lines(name)} - {
        "array-record",
        "tomli",
        "av",
        "openvino",  # has no release for 3.9, where int8 is refused by one line
    }
    for python in ["3.9", "3.10", "3.11"]:
        assert everything <= {name for name, _ in applying(name, python)}


def imported(folder):
    """The top-level names of all modules imported under the folder that are installed packages."""
    names = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.split(".")[0])
    specs = {name: importlib.util.find_spec(name) for name in names - {"__main__"}}
    places = {
        name: spec.origin or next(iter(spec.submodule_search_locations))
        for name, spec in specs.items()
        if spec
    }
    return {name for name, place in places.items() if "site-packages" in place}


def test_everything_the_code_imports_is_required():
    called = {"PIL": "pillow", "skimage": "scikit-image", "google": "protobuf", "grpc": "grpcio"}
    called["yaml"] = "pyyaml"
    called["tensorflow_serving"] = "tensorflow-serving-api"
    folders = sorted(path.parent for path in ROOT.glob("*/__init__.py"))
    assert {folder.name for folder in folders} >= {"kind", "data", "decom", "joint", "lite", "detection"}
    names = set().union(*map(imported, folders)) - {"kind", *(folder.name for folder in folders)}
    required = {name for python in ("3.9", "3.11") for name, _ in applying("requirements.txt", python)}
    extras = (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[2]
    listed = re.findall(r'^(?:\w+ = \[)? *"([\w-]+)[\[<>=]', extras.partition("\ntest = [")[0], re.M)
    required |= set(map(canonicalize_name, listed)) - {"kind"}  # the code says what to install
    assert {canonicalize_name(called.get(name, name)) for name in names} - required == set()


# A fake interpreter: says what it is, makes a .venv around itself, writes down what pip is asked for.
PYTHON = """#!{bash}
case "$1 $2" in
    "-c import sys;"*) echo "{answer}" ;;
    "-c "*) echo packages ;;
    "-m venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-m pip") echo "{name} $* hashes=$PIP_REQUIRE_HASHES" >>pip.log; [[ $* != *"$PIP_FAILS"* ]] ;;
esac
"""
BROKEN_SHIM = "#!{bash}\necho 'pyenv: {name}: command not found' >&2; exit 127\n"
UV = """#!{bash}
[[ $1 == --version ]] && exit
mkdir -p "$UV_PYTHON_INSTALL_DIR/cpython-3.11.9-any/bin"
cp python-for-uv "$UV_PYTHON_INSTALL_DIR/cpython-3.11.9-any/bin/python3.11"
"""


class Machine:
    """A folder with a copy of the set-up and a PATH that holds nothing but the fakes and a few tools."""

    def __init__(self, root: Path):
        self.root, self.bin = root, root / "bin"
        self.bin.mkdir()
        (root / "scripts").mkdir()
        shutil.copy(ROOT / "scripts/setup.sh", root / "scripts")
        for tool in ["bash", "env", "dirname", "mktemp", "rm", "mkdir", "cp"]:
            (self.bin / tool).symlink_to(shutil.which(tool))
        self.add("uname", "#!{bash}\necho Linux x86_64\n")

    def add(self, name, text=PYTHON, answer="", folder="bin"):
        """Put an executable on the PATH, or elsewhere in the machine's folder."""
        path = self.root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for key, value in {"bash": shutil.which("bash"), "name": name, "answer": answer}.items():
            text = text.replace("{" + key + "}", value)
        path.write_text(text)
        path.chmod(0o755)

    def setup(self, **environment):
        """Run the script; the result has returncode, stdout and stderr."""
        here = {"PATH": str(self.bin), "HOME": str(self.root), "PIP_FAILS": "nothing fails"}
        command = [str(self.root / "scripts/setup.sh"), "locks/run.txt", "locks/test.txt"]
        return subprocess.run(command, cwd="/", env={**here, **environment}, capture_output=True, text=True)

    def pip_log(self):
        """What pip was asked for, one line a call, each beginning with the interpreter's name."""
        log = self.root / "pip.log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("present", "chosen"),
    [
        ({"python3.9": "3.9", "python3.10": "3.10", "python3.11": "3.11", "python3": "3.13"}, "python3.11"),
        ({"python3.9": "3.9", "python3.11": None, "python3": "3.9"}, "python3.9"),
        ({"python3": "3.10", "python": "3.11"}, "python3"),
        ({"python3": "3.13", "python": "3.10"}, "python"),
        ({"python3": "3.8", "python": "3.9"}, "python"),
    ],
)
def test_the_newest_interpreter_that_runs_is_chosen(machine, present, chosen):
    for name, version in present.items():
        machine.add(name, PYTHON if version else BROKEN_SHIM, f"cpython {version}")
    result = machine.setup()
    assert result.returncode == 0, result.stderr
    *_, tools, packages, ours = machine.pip_log()
    assert tools == f"{chosen} -m pip install -qq --requirement=locks/tools.txt hashes=1"
    wanted = "--no-build-isolation --requirement=locks/run.txt --requirement=locks/test.txt"
    assert packages == f"{chosen} -m pip install -qq {wanted} hashes=1"
    assert ours == f"{chosen} -m pip install -qq --no-deps --no-build-isolation --editable . hashes=0"
    assert not (machine.root / ".venv/unfinished").exists()


def test_another_implementation_is_passed_over(machine):
    machine.add("python3.11", answer="pypy 3.11")
    machine.add("python3.10", answer="cpython 3.10")
    assert machine.setup().returncode == 0
    assert machine.pip_log()[-1].startswith("python3.10 ")


def test_a_pyenv_version_that_is_not_switched_on_is_found(machine):
    machine.add("python3.11", BROKEN_SHIM)
    machine.add("python", answer="cpython 3.11", folder=".pyenv/versions/3.11.7/bin")
    assert machine.setup().returncode == 0


def test_the_named_interpreter_wins_or_is_refused(machine):
    machine.add("python3.11", answer="cpython 3.11")
    machine.add("my python", answer="cpython 3.9")
    machine.add("python3.13", answer="cpython 3.13")
    assert machine.setup(PYTHON="my python").returncode == 0
    assert machine.pip_log()[-1].startswith("my python ")
    shutil.rmtree(machine.root / ".venv")
    refused = machine.setup(PYTHON="python3.13")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert re.fullmatch(r"setup: PYTHON=python3.13 does not run Python 3\.9, .*\n", refused.stderr)


def test_too_new_a_python_and_no_uv_is_one_line(machine):
    machine.add("python3", answer="cpython 3.13")
    result = machine.setup(PIP_FAILS="locks/uv.txt")
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(
        r"setup: needs Python 3\.9, 3\.10 or 3\.11; .*PYTHON=/path/to/python3\.11\n", result.stderr
    )
    asked = "--requirement=locks/uv.txt hashes=1"
    assert [line for line in machine.pip_log() if line.endswith(asked)] == machine.pip_log() != []
    assert not (machine.root / ".venv").exists()


def test_uv_provides_an_interpreter(machine):
    machine.add("python3", answer="cpython 3.13")
    machine.add("uv", UV)
    machine.add("python-for-uv", answer="cpython 3.11", folder="")
    assert machine.setup().returncode == 0
    assert machine.pip_log()[-1].startswith("python-for-uv ")


def test_a_machine_without_wheels_is_one_line(machine):
    machine.add("python3.11", answer="cpython 3.11")
    machine.add("uname", "#!{bash}\necho Linux aarch64\n")
    result = machine.setup()
    assert result.returncode == 2
    assert re.fullmatch(r"setup: needs Linux x86_64 or macOS, this is Linux aarch64: .*\n", result.stderr)


def test_what_a_failed_setup_leaves_behind_is_thrown_away(machine):
    machine.add("python3.11", answer="cpython 3.11")
    assert machine.setup(PIP_FAILS="locks/run.txt").returncode == 1
    assert (machine.root / ".venv/unfinished").exists()
    (machine.root / ".venv/half-installed").touch()
    assert machine.setup().returncode == 0
    assert sorted(os.listdir(machine.root / ".venv")) == ["bin"]


def test_a_finished_environment_is_brought_up_to_date_in_place(machine):
    machine.add("python3.11", answer="cpython 3.11")
    assert machine.setup().returncode == 0
    for name in ["run.stamp", "kept"]:
        (machine.root / ".venv" / name).touch()
    assert machine.setup(PIP_FAILS="locks/run.txt").returncode == 1
    assert sorted(os.listdir(machine.root / ".venv")) == ["bin", "kept", "unfinished"]


def test_a_second_setup_does_not_disturb_the_first(machine):
    machine.add("python3.11", answer="cpython 3.11")
    (machine.root / ".venv").mkdir()
    (machine.root / ".venv/unfinished").write_text(f"{os.getpid()}\n")
    result = machine.setup()
    assert result.returncode == 2
    assert result.stderr.startswith("setup: another set-up is at work")
    assert machine.pip_log() == []


@pytest.mark.parametrize("present", [True, False])
@pytest.mark.parametrize("works", ["0", "100"])
def test_a_browser_is_fetched_by_root_alone_and_never_fails_the_setup(machine, present, works):
    machine.add("python3.11", answer="cpython 3.11")
    machine.add("apt-get", '#!{bash}\necho "$*" >>apt.log\nexit {answer}\n', answer=works)
    for name in ["chromium", "chromedriver"] if present else []:
        machine.add(name, "#!{bash}\n")
    result = machine.setup()
    assert result.returncode == 0, result.stderr
    assert (machine.root / "apt.log").exists() == (os.geteuid() == 0 and not present)
    is_skipped = not present and (os.geteuid() != 0 or works != "0")
    assert ("the page's tests will be skipped" in result.stderr) == is_skipped


@pytest.mark.parametrize("name", ["", "plain.png", 'it\'s $HOME/"$(x)".png'])
def test_make_run_hands_the_input_over_as_it_is(machine, name):
    shutil.copytree(ROOT / "locks", machine.root / "locks")
    for file in ["Makefile", "pyproject.toml", "setup.py"]:
        shutil.copy(ROOT / file, machine.root)
    machine.add("python", "#!{bash}\nprintf '%s\\n' \"$@\"\n", folder=".venv/bin")
    (machine.root / ".venv/run.stamp").touch()
    command = ["make", "run", f"INPUT={name}"]
    output = subprocess.check_output(command, cwd=machine.root, env={"PATH": os.environ["PATH"]}, text=True)
    assert output.splitlines() == ["-m", "kind", "demo", "--out", "out", *([name] if name else [])]


@pytest.mark.parametrize("target", ["test", "test-all"])
def test_two_processes_share_the_tests(target):
    printed = subprocess.check_output(["make", "--dry-run", target], cwd=ROOT, text=True)
    assert "-m pytest -n 2 --dist worksteal" in printed
