"""Which file each photograph is written to, and what happens when two would be written to one."""

import importlib
import inspect
import os
import re

import numpy as np
import pytest

from kind.cli.jobs import work_one_by_one, work_through
from kind.cli.pipelined import Worked
from kind.cli.planning import plan
from kind.errors import UserError
from kind.images.photo import read_photo, write_photo


@pytest.fixture
def folder(tmp_path):
    """a.bmp and a.png, which --format png writes to one file, and b.png."""
    for name in ("a.bmp", "a.png", "b.png"):
        write_photo(tmp_path / "in" / name, np.full((4, 5, 3), 0.5))
    return tmp_path / "in"


def test_a_clash_in_a_folder_stops_that_photograph_alone(folder, tmp_path, capsys):
    jobs = plan([folder], tmp_path / "out", "png")
    assert [(job.source.name, bool(job.refusal)) for job in jobs] == [
        ("a.bmp", False), ("a.png", True), ("b.png", False)
    ]  # fmt: skip
    code = work_through(
        jobs, lambda job, photo: Worked("1", lambda: write_photo(job.target, photo.pixels)), "objects"
    )
    told = capsys.readouterr()
    assert code == 1 and {path.name for path in (tmp_path / "out").iterdir()} == {"a.png", "b.png"}
    assert "a.bmp and " in told.err and "a.png would both be written to" in told.err
    assert "rename one" in told.err and "1 of 3 photographs failed" in told.err


def test_parts_are_looked_at_too(tmp_path):
    for name in ("a.png", "a_sheet.png"):
        write_photo(tmp_path / "in" / name, np.full((4, 5, 3), 0.5))
    jobs = plan([tmp_path / "in"], tmp_path / "out", None, also=("sheet",))
    assert [bool(job.refusal) for job in jobs] == [False, True]


def test_a_clash_of_named_files_stops_everything(folder, tmp_path):
    with pytest.raises(UserError, match="would both be written"):
        plan([folder / "a.bmp", folder / "a.png"], tmp_path / "out", "png")
    assert not (tmp_path / "out").exists()


def written(jobs, tmp_path):
    """Works through jobs: the exit code and the files."""
    code = work_through(
        jobs, lambda job, photo: Worked("", lambda: write_photo(job.target, photo.pixels)), ""
    )
    return code, {path.name for path in (tmp_path / "out").iterdir()}


def test_two_names_of_one_file_are_both_written_and_one_name_once(folder, tmp_path):
    (folder / "link.png").symlink_to("b.png")
    os.link(folder / "b.png", folder / "hard.png")
    (tmp_path / "same").symlink_to(folder)
    (folder / "a.bmp").unlink()
    jobs = plan([folder, folder / "b.png", folder / "../in/b.png", tmp_path / "same"], tmp_path / "out", None)
    assert written(jobs, tmp_path) == (0, {"a.png", "b.png", "hard.png", "link.png"})


def test_a_link_that_leads_nowhere_is_named_and_the_rest_is_done(folder, tmp_path, capsys):
    (folder / "a.bmp").unlink()
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "circle.png").symlink_to("circle.png")
    assert written(plan([folder], tmp_path / "out", None), tmp_path) == (1, {"a.png", "b.png"})
    told = capsys.readouterr().err
    assert "gone.png: is a link to a file that is not there" in told and "circle.png: cannot be read" in told
    assert work_through(plan([folder / "gone.png"], tmp_path / "out", None), None, "") == 2


def test_names_that_would_break_the_table_are_escaped(folder, tmp_path, capsys):
    (folder / "a.bmp").unlink()
    (folder / "b.png").rename(folder / "two\nlines\x1b[2J\udcff.png")
    code, files = written(plan([folder], tmp_path / "out", None), tmp_path)
    assert code == 0 and "two\nlines\x1b[2J\udcff.png" in files
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize("stem", ["n" * 251, "ü" * 125])
def test_names_of_255_bytes_leave_room_for_parts_and_other_suffixes(folder, tmp_path, stem):
    long = folder / f"{stem}.png"
    (folder / "a.png").rename(long)
    (job,) = plan([long], tmp_path / "out", None)
    assert job.target.name == long.name
    for part in (job.beside("reflectance"), plan([long], tmp_path / "out", "webp")[0].target):
        write_photo(part, np.zeros((2, 2, 3)))
        assert part.name.startswith(stem[:90])
    other = job._replace(target=job.target.with_name(f"{stem[:-1]}x.png"))
    assert other.beside("sheet") != job.beside("sheet")


def test_one_bad_photograph_does_not_stop_the_others(folder, tmp_path, capsys):
    (folder / "a.png").write_bytes(b"nonsense")
    jobs = plan([folder], tmp_path / "out", None)
    done = []

    def work(number, job):
        read_photo(job.source)
        done.append((number, job.source.name))

    assert work_one_by_one(jobs, work) == 1 and done == [(0, "a.bmp"), (2, "b.png")]
    assert "a.png: not an image of a known format" in capsys.readouterr().err
    assert work_one_by_one(jobs[1:2], work) == 2


def test_every_command_that_walks_a_folder_does_it_here():
    for name in ("enhance", "demo", "detect", "darken", "remote"):
        source = inspect.getsource(importlib.import_module(f"kind.cli.{name}"))
        assert re.search(r"carry_out\(|planned\(", source) and re.search(
            r"work_through|work_one_by_one|relight\(", source
        ), name
