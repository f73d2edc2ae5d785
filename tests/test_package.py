"""The wheel: what is in it, what it requires, and that it works where nothing else of the repository is."""

import email
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
ROOMS = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
PYTHONS = ["3.9", "3.10", "3.11"]
#: Pinned for what others import: TensorBoard; and the last ones with wheels for all platforms.
HELD_BACK = {"setuptools", "array-record", "cryptography"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copy(path, source)
    for room in ROOMS:
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, source], check=True)
    (built,) = folder.glob("*.whl")
    return built


def sources():
    """The package's files, as the tree has them, under the names that they have in the package."""
    for room in ROOMS:
        for path in (ROOT / room).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(ROOT).as_posix()
                yield name if room == "kind" else f"kind/{name}"


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    about = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    assert names - about == set(sources())
    assert {name.rpartition("/")[2] for name in about} >= {
        "LICENSE",
        "NOTICE",
        "METADATA",
        "entry_points.txt",
    }
    assert "kind/py.typed" in names
    assert any(re.fullmatch(r"kind/weights/[^/]+\.keras", name) for name in names)
    assert any(re.fullmatch(r"kind/serving/server/page/[^/]+\.html", name) for name in names)


def test_the_citation_and_the_changelog_are_of_the_same_version(wheel):
    version = wheel.name.split("-")[1]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## [{version}]" in (ROOT / "CHANGELOG.md").read_text()


@pytest.fixture(scope="module")
def required(wheel):
    """The wheel's requirements by extra; None is what everybody gets."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(archive.read(name))
    found = {extra: [] for extra in [None, *metadata.get_all("Provides-Extra")]}
    for line in metadata.get_all("Requires-Dist"):
        extra = re.search(r"""extra == ["'](.*?)["']""", line)
        found[extra and extra[1]].append(Requirement(line))
    return found


def pins(file):
    """The requirements that a file pins."""
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in (ROOT / file).read_text().splitlines())
    return [Requirement(line) for line in lines if line]


@pytest.mark.parametrize(
    ("extras", "file", "others"),
    [
        ([None, "serve"], "requirements.txt", HELD_BACK),
        (["completion", "docs", "test"], "requirements-test.txt", set()),
        (["onnx"], "requirements-onnx.txt", set()),
    ],
    ids=["run", "test", "onnx"],
)
def test_requirements_and_extras_name_the_same_and_ranges_contain_the_pins(required, extras, file, others):
    asked = [requirement for extra in extras for requirement in required[extra] if requirement.name != "kind"]
    names = {canonicalize_name(requirement.name) for requirement in asked}
    assert names == {canonicalize_name(pin.name) for pin in pins(file)} - others
    for python in PYTHONS:
        for pin in pins(file):
            if pin.marker and not pin.marker.evaluate({"python_version": python}):
                continue
            (version,) = [specifier.version for specifier in pin.specifier]
            for requirement in asked:
                applies = requirement.marker is None or any(
                    requirement.marker.evaluate({"python_version": python, "extra": extra or ""})
                    for extra in extras
                )
                if applies and canonicalize_name(requirement.name) == canonicalize_name(pin.name):
                    assert requirement.specifier.contains(version), f"{requirement} against {pin}"


def test_every_extra_is_known(required):
    extras = {"completion", "docs", "fast", "serve", "onnx", "photos", "raw", "test", "video"}
    assert set(required) == {None, *extras}
    assert [requirement.extras for requirement in required["test"] if requirement.name == "kind"] == [
        {"completion", "docs", "serve"}
    ]
    tested = {(requirement.name, str(requirement.specifier)) for requirement in required["test"]}
    for extra in ("fast", "photos", "raw", "video"):
        assert {(requirement.name, str(requirement.specifier)) for requirement in required[extra]} <= tested


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A second environment, which sees this one's packages and has the wheel; its folder of programs."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, wheel], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    ours = [path for path in sys.path if Path(path).name == "site-packages"]
    (packages / "packages_of_the_first.pth").write_text("\n".join(ours))
    return python.parent


@pytest.fixture
def elsewhere(tmp_path):
    """A folder whose own `data` must not be taken for ours."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "__init__.py").write_text("raise SystemExit('the wrong data was imported')\n")
    return tmp_path


def run(folder, *command):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_installed_command_enhances_a_photograph(installed, elsewhere):
    from kind.images.photo import read_photo, write_photo

    dark = 0.1 * np.random.default_rng(0).random((40, 60, 3))
    write_photo(elsewhere / "night.png", dark)
    done = run(elsewhere, installed / "kind", "enhance", "night.png", "--out", "lit.png")
    assert done.returncode == 0, done.stderr
    relit = read_photo(elsewhere / "lit.png").pixels
    assert relit.shape == (40, 60, 3) and relit.mean() > 2 * dark.mean()


def test_the_installed_command_names_its_version(installed, elsewhere, wheel):
    done = run(elsewhere, installed / "kind", "--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == wheel.name.split("-")[1]


def test_rooms_are_imported_from_the_package(installed, elsewhere):
    code = "import kind.data.pairs, kind; print(kind.data.pairs.__file__)"
    done = run(elsewhere, installed / "python", "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("site-packages/kind/data/pairs.py")
