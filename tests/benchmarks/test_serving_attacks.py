"""What the measurements of attacks measure, and where they are written."""

import os
import subprocess
import sys

import pytest

from benchmarks import serving_attacks
from benchmarks.serving_attackers import Attack, Served
from kind.errors import UserError


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="reads memory in /proc")
def test_memory_is_that_of_a_process_and_of_those_that_it_has_started():
    served = Served(None, os.getpid(), 0, 0, "")
    before = served.memory()
    code = "held = bytearray(b'1' * (50 << 20)); print('ready', flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as child:
        child.stdout.readline()
        assert 50 < served.memory() - before < 150
        child.communicate(b"\n")


def test_the_table_goes_into_a_document(tmp_path, monkeypatch, capsys):
    page, folder = tmp_path / "page.md", tmp_path / "lite"
    folder.mkdir()
    words = ["serving_attacks", str(folder), "--swaps", "3", "--markdown", str(page)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(UserError, match="attacks begin"):
        serving_attacks.main()

    page.write_text("a\n<!-- attacks begin -->\n<!-- attacks end -->\nb\n")
    monkeypatch.setattr(serving_attacks, "attacks", lambda: [Attack("none", None)])
    monkeypatch.setattr(serving_attacks, "_row", lambda _, attack: f"| {attack.name} |")
    monkeypatch.setattr(serving_attacks, "_stop", lambda _: (0, "Ended."))
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        monkeypatch.setattr(serving_attacks, "start", lambda _: Served(process, process.pid, 0, 0, "lite"))
        assert serving_attacks.main() == 0
    rows = ["| none |", "| hot swap 1 |", "| hot swap 2 |", "| hot swap 3 |", "", "Ended."]
    assert capsys.readouterr().out.splitlines()[2:] == [row for row in rows if row]
    written = [*serving_attacks._HEAD, *rows[:2], *rows[3:]]
    assert page.read_text().splitlines() == [
        "a",
        "<!-- attacks begin -->",
        *written,
        "<!-- attacks end -->",
        "b",
    ]
