"""What can be said of the Dockerfiles without building them."""

import json
import re
from pathlib import Path

import pytest

from kind.cli.main import make_parser
from kind.constants import GRPC_PORT, REST_PORT

ROOT = Path(__file__).resolve().parents[1]
FILES = [ROOT / "Dockerfile", ROOT / "Dockerfile.gpu"]
KNOWN = {"FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
#: What the build needs of the repository: what setuptools is told, and where its packages are.
NEEDED = {"pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE", "kind", "locks"}
files = pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)


def instructions(file):
    """(instruction, its text) of each line, continued ones joined."""
    text = re.sub(r"^\s*#.*\n", "", file.read_text(encoding="utf-8"), flags=re.M).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def all_of(file, name):
    return [text for word, text in instructions(file) if word == name]


@files
def test_the_base_is_one_image_of_one_version(file):
    assert instructions(file)[0][0] == "FROM" and {word for word, _ in instructions(file)} <= KNOWN
    (base,) = all_of(file, "FROM")
    image, _, tag = base.partition(":")
    assert re.search(r"\d+\.\d+\.\d+", tag) and "latest" not in tag
    text = file.read_text()
    assert "CI does not build it" in text and not re.search(r"kind\b.*built here", text)


@files
def test_packages_are_pinned_by_hashes_and_leave_no_lists(file):
    runs = all_of(file, "RUN")
    installs = [part for run in runs for part in run.split("&&") if "pip install" in part]
    assert installs and all("--require-hashes" in part or "--no-deps" in part for part in installs)
    assert "PIP_NO_CACHE_DIR=1" in " ".join(all_of(file, "ENV"))
    for run in runs:
        assert not re.search(r"(curl|wget)[^|]*\|", run), "a script from elsewhere is run unread"
        if "apt-get install" in run:
            assert "--no-install-recommends" in run and "rm -rf /var/lib/apt/lists/*" in run
            assert run.index("apt-get update") < run.index("apt-get install")


@files
def test_what_is_copied_is_there_and_not_ignored(file):
    for text in all_of(file, "COPY"):
        *sources, _ = text.split()
        assert all((ROOT / source).exists() for source in sources), text
    lines = (ROOT / ".dockerignore").read_text().split()
    kept = {line[1:] for line in lines if line.startswith("!")}
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"}
    assert lines[0] == "*" and NEEDED | rooms - {"benchmarks"} <= kept
    assert all((ROOT / name).exists() for name in kept)


@files
def test_it_serves_as_a_user_without_rights_and_is_looked_after(file):
    words = [word for word, _ in instructions(file)]
    (user,) = all_of(file, "USER")
    assert user != "root" and words.index("USER") < words.index("ENTRYPOINT")
    assert all_of(file, "EXPOSE") == [f"{GRPC_PORT} {REST_PORT}"]
    (check,) = all_of(file, "HEALTHCHECK")
    command = json.loads(check.partition("CMD ")[2])
    assert f":{REST_PORT}/healthz" in command[-1]
    compile(command[-1], str(file), "exec")


@files
def test_its_commands_are_understood(file):
    export = [json.loads(run) for run in all_of(file, "RUN") if run.startswith("[")]
    (entry,), (arguments,) = all_of(file, "ENTRYPOINT"), all_of(file, "CMD")
    for command in [*export, json.loads(entry) + json.loads(arguments)]:
        assert command[0] == "kind"
        make_parser().parse_args(command[1:])  # exits with the usage error when it is none
    assert export[0][export[0].index("--out") + 1] == json.loads(arguments)[0]
