"""Files that are wholly there or not at all, and what killed writers leave."""

import errno
import os
import subprocess
import sys
import time

import pytest

from kind.files import atomic_write, fitted_name, lock, remove_leftovers


def test_a_temporary_file_tells_its_process_and_keeps_the_suffix(tmp_path):
    with atomic_write(tmp_path / "net.keras") as temporary:
        assert temporary.name.startswith(f".net.{os.getpid()}-") and temporary.suffix == ".keras"
        temporary.write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["net.keras"]


@pytest.fixture
def dead_process():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_only_old_files_of_dead_processes_are_leftovers(tmp_path, dead_process):
    long_ago = time.time() - 7200
    names = {
        f".a.{dead_process}-ab12cd_4.u16": True,
        f".b.{os.getpid()}-ab12cd_4.u16": False,
        ".c.ab12cd_4.u16": False,
        ".notes.md": False,
        "d.u16": False,
    }
    for name in names:
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (long_ago, long_ago))
    (tmp_path / f".young.{dead_process}-ab12cd_4.u16").write_text("")
    remove_leftovers(tmp_path)
    gone = {name for name, is_leftover in names.items() if is_leftover}
    assert {path.name for path in tmp_path.iterdir()} == {
        *(names.keys() - gone),
        f".young.{dead_process}-ab12cd_4.u16",
    }


def test_who_holds_the_lock_removes_all(tmp_path, dead_process):
    for name in (
        f".a.{dead_process}-ab12cd_4.keras",
        ".curves.ab12cd_4.png",
        ".lock",
        ".notes.md",
        "a.keras",
    ):
        (tmp_path / name).write_text("")
    remove_leftovers(tmp_path, locked=True)
    assert {path.name for path in tmp_path.iterdir()} == {".lock", ".notes.md", "a.keras"}


def test_temporary_folders_are_removed_where_they_are_asked_for(tmp_path, dead_process):
    long_ago = time.time() - 7200
    names = [f".export.{process}-ab12cd_4" for process in (dead_process, os.getpid())] + [".git"]
    for name in names:
        (tmp_path / name / "assets").mkdir(parents=True)
        os.utime(tmp_path / name, (long_ago, long_ago))
    remove_leftovers(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    remove_leftovers(tmp_path, folders_of=".export.")
    assert {path.name for path in tmp_path.iterdir()} == {*names[1:]}


@pytest.mark.parametrize("stem", ["n" * 251, "é" * 125 + "n", "\udcff" * 251, "é" * 124 + "nnn"])
def test_names_as_long_as_a_name_can_be_are_written(tmp_path, stem):
    path = tmp_path / f"{stem}.png"
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    temporary.write_bytes(b"left")
    remove_leftovers(tmp_path, locked=True)
    assert [*tmp_path.iterdir()] == [path]


def test_a_file_that_is_there_hands_its_mode_down(tmp_path):
    path = tmp_path / "out.png"
    for mode in (0o600, 0o664):
        path.touch()
        path.chmod(mode)
        with atomic_write(path) as temporary:
            temporary.write_text("new")
        assert path.read_text() == "new" and path.stat().st_mode & 0o777 == mode


def test_a_name_too_long_is_cut_and_stays_apart():
    assert fitted_name("night", "_sheet.png") == "night_sheet.png"
    names = {fitted_name("n" * 250 + last, "_sheet.png") for last in "abc"}
    names |= {fitted_name("ü" * 125 + "\udcff", "_sheet.png")}
    assert len(names) == 4
    for name in names:
        assert len(os.fsencode(name)) <= 255 and name.endswith("_sheet.png")


def test_names_are_those_of_the_systems_encoding(tmp_path):
    """Where that has few letters, as of a process without a locale that was told so."""
    name = "größe ☃"
    code = (
        "import os, sys; from kind.files import atomic_write, fitted_name; from pathlib import Path\n"
        "(name,) = os.listdir(); path = Path(name)\n"
        "with atomic_write(path.with_suffix('.png')) as temporary: temporary.write_text('new')\n"
        "Path(fitted_name(300 * path.stem, '.txt')).write_text('')\n"
    )
    (tmp_path / f"{name}.jpg").touch()
    plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, **plain}, check=True)
    assert {f"{name}.jpg", f"{name}.png"} < {path.name for path in tmp_path.iterdir()}


def test_a_folder_is_locked_for_one_opening_of_it_at_a_time(tmp_path):
    pytest.importorskip("fcntl", reason="file locks are POSIX's")
    first, second = (os.open(tmp_path, os.O_RDONLY) for _ in range(2))
    try:
        assert lock(first)
        with pytest.raises(BlockingIOError):
            lock(second)
    finally:
        os.close(first)
    assert lock(second)
    os.close(second)


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl", reason="file locks are POSIX's")

    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with open(tmp_path / "file", "w") as file:
        assert not lock(file.fileno())
