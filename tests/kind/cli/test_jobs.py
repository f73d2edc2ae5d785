"""Which file each photograph is written to, and what happens when two would be written to one."""

import numpy as np
import pytest

from kind.cli.jobs import plan, work_through
from kind.cli.pipelined import Worked
from kind.errors import UserError
from kind.images.photo import write_photo


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


@pytest.mark.parametrize("all_or_nothing", [False, True])
def test_a_clash_of_named_files_stops_everything(folder, tmp_path, all_or_nothing):
    inputs = [folder] if all_or_nothing else [folder / "a.bmp", folder / "a.png"]
    with pytest.raises(UserError, match="would both be written"):
        plan(inputs, tmp_path / "out", "png", all_or_nothing=all_or_nothing)
    assert not (tmp_path / "out").exists()
