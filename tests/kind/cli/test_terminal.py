"""What is printed can always be printed: any name, any encoding, a reader that went away, a full disk."""

import errno
import io
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from kind.cli import terminal
from kind.cli.json_lines import JsonLines
from kind.cli.terminal import NOT_SHOWN, READER_GONE, run_guarded
from kind.images.photo import write_photo


class Broken(io.StringIO):
    """A stream that can take only so many letters."""

    def __init__(self, number, room=0):
        super().__init__()
        self.number, self.room = number, room

    def write(self, text):
        if self.tell() + len(text) > self.room:
            raise OSError(self.number, os.strerror(self.number))
        return super().write(text)


def bytes_printed(monkeypatch, encoding, text, stream="stdout"):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, stream, file)
    assert run_guarded(lambda: print(text, file=getattr(sys, stream)) or 0) == 0
    assert getattr(sys, stream) is file
    file.flush()
    return file.buffer.getvalue()


@pytest.mark.parametrize(
    "encoding, text, expected",
    [
        ("utf-8", "α = 5", "α = 5".encode()),
        ("latin-1", "α = ü", b"\\u03b1 = \xfc"),
        ("ascii", "α ↑", rb"\u03b1 \u2191"),
        ("utf-8", "a\udcff.png", rb"a\udcff.png"),
        ("utf-8", "\x1b[2Ja\x07\r\x9b", rb"\x1b[2Ja\x07\r\x9b"),
        ("utf-8", "two\n\tlines", b"two\n\tlines"),
    ],
)
def test_every_text_is_printed(monkeypatch, encoding, text, expected):
    assert bytes_printed(monkeypatch, encoding, text) == expected + b"\n"


def test_bars_may_move_the_cursor_and_names_may_not(monkeypatch):
    printed = bytes_printed(monkeypatch, "utf-8", "\r 5% \x1b[A \x1b]0;title\x07", "stderr")
    assert printed == b"\r 5% \x1b[A \\x1b]0;title\\x07\n"


def test_a_full_disk_does_not_stop_the_work(monkeypatch, capsys):
    done = []

    def work():
        for number in range(3):
            print("x" * 10, flush=True)
            done.append(number)
        return 0

    monkeypatch.setattr(sys, "stdout", Broken(errno.ENOSPC, 15))
    assert run_guarded(work) == NOT_SHOWN == 2
    assert done == [0, 1, 2]
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["kind: the work is done, but its output cannot be written (No space left on device)"]


def test_a_reader_that_went_away_ends_the_work_in_silence(monkeypatch, capsys):
    def work():
        try:
            print("x" * 100)
        except Exception:  # as a command that names a full disk
            pytest.fail("it is no error of the command")
        pytest.fail("nobody reads the rest")

    monkeypatch.setattr(sys, "stdout", Broken(errno.EPIPE))
    assert run_guarded(work) == READER_GONE == 141
    assert capsys.readouterr().err == ""


def test_help_to_a_closed_pipe_is_silent(monkeypatch, capsys):
    def helped():
        print("x" * 100)
        raise SystemExit(0)

    monkeypatch.setattr(sys, "stdout", Broken(errno.EPIPE))
    assert run_guarded(helped) == READER_GONE
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with pytest.raises(SystemExit) as end:
        run_guarded(helped)
    assert end.value.code == 0


def test_no_stdout_at_all_is_no_fault(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert run_guarded(lambda: print("nobody hears it") or 0) == 0


SCRIPT = """
import sys
from kind.cli.terminal import run_guarded
sys.exit(run_guarded(lambda: print("x" * 100_000) or 0))
"""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("place, code", [("/dev/full", 2), ("/dev/null", 0)])
def test_a_process_ends_with_the_code_of_its_output(place, code):
    with open(place, "w") as stdout:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], stdout=stdout, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == (code == 2)


def test_controls_are_all_but_line_breaks_and_tabs():
    shown = terminal.printable("".join(map(chr, range(256))), "utf-8")
    assert {letter for letter in shown if not letter.isprintable()} == {"\n", "\t", "\xa0", "\xad"}


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN])
def test_an_interruption_while_modules_are_imported_has_no_traceback(monkeypatch, capsys, handler):
    from kind import __main__

    seen = []

    class Interrupted:
        def find_spec(self, name, *rest):
            if name == "kind.cli.main":
                seen.append(signal.getsignal(signal.SIGINT))
                raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, handler)
    try:
        monkeypatch.delitem(sys.modules, "kind.cli.main", raising=False)
        monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
        assert __main__.main() == 130
        assert seen == [signal.SIG_IGN if handler == signal.SIG_IGN else signal.SIG_DFL]
        assert signal.getsignal(signal.SIGINT) == handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "kind: interrupted; nothing was done\n"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
@pytest.mark.parametrize(
    "name", ["größe ☃ \U0001f600.png", "a\x7f\x9b\x1b\n.png", "\udcff.png", "b\u2028c.png"]
)
def test_every_record_is_json(monkeypatch, encoding, name):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", file)
    assert run_guarded(lambda: JsonLines(sys.stdout).emit({"file": name}) or 0) == 0
    file.flush()
    (line,) = file.buffer.getvalue().decode(encoding).split("\n")[:-1]
    assert json.loads(line) == {"file": name} and "\x7f" not in line and "\x9b" not in line


@pytest.mark.skipif(os.name != "posix", reason="closes numbers of files")
@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_streams_are_silent(closed, tmp_path):
    write_photo(tmp_path / "a.png", np.zeros((4, 5, 3)))
    command = [sys.executable, "-m", "kind", "darken", "a.png", "--out", "dark"]
    shut = "".join(f"{number}>&-".replace("0>", "<") + " " for number in closed)
    for _ in range(2):  # the second time the output is there, and nobody can be asked
        done = subprocess.run(["sh", "-c", f'"$@" {shut}', "sh", *command], cwd=tmp_path, capture_output=True)
        assert (tmp_path / "dark/a.png").is_file()
    assert done.returncode == 2 and b"Traceback" not in done.stderr + done.stdout


@pytest.mark.skipif(os.name != "posix", reason="closes numbers of files")
def test_files_get_no_number_of_a_closed_stream():
    code = "import os; from kind.__main__ import _open_closed_streams as o; o(); print(os.open('/', 0))"
    opened = subprocess.check_output(["sh", "-c", f'"{sys.executable}" -c "{code}" <&- 2>&-'])
    assert int(opened) > 2
