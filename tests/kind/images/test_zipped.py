"""ZIP archives as inputs: what is in them, and what is refused before anything is unpacked."""

import io
import struct
import zipfile

import numpy as np
import pytest

from kind.cli.inputs import find_inputs
from kind.cli.planning import plan
from kind.images import zipped
from kind.images.photo import ImageError, encode_photo
from kind.images.zipped import photos_in_zip

PNG = encode_photo(np.full((3, 5, 3), 0.25, np.float32))


def packed(path, *entries, **settings):
    """A ZIP of (name, content) pairs."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **settings) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def test_an_archive_stands_for_the_photographs_in_it(tmp_path, capsys):
    names = ("b/10.png", "b/2.PNG", "a.png", "notes.txt", ".hidden.png", "__MACOSX/._a.png", "b/")
    path = packed(tmp_path / "holiday.zip", *((name, PNG if name[-1] != "/" else b"") for name in names))
    jobs = plan([str(path)], None, None)
    folder = tmp_path / "holiday-relit"
    assert [job.target for job in jobs] == [folder / "a.png", folder / "b/2.PNG", folder / "b/10.png"]
    assert jobs[0].shown == f"{path}/a.png" and jobs[0].read().size == (3, 5)
    assert "passed over 1 .txt (notes.txt)" in capsys.readouterr().err
    assert [job.target for job in plan([str(path)], tmp_path / "out", "jpg")][1] == tmp_path / "out/b/2.jpg"


@pytest.mark.parametrize(
    "name",
    ["../a.png", "b/../../a.png", "/etc/a.png", "C:/a.png", "..\\a.png", "a\x1b.png", "x" * 2000 + ".png"],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    with pytest.raises(ImageError, match="evil.zip: holds a file named .* unpack it yourself") as caught:
        find_inputs([str(packed(tmp_path / "evil.zip", ("a.png", PNG), (name, PNG)))])
    assert str(caught.value).isprintable()


def test_names_of_other_languages_and_systems_are_names(tmp_path):
    names = ["Shot 3.04.05\u202fPM.png", "12:30.png", "\u591c\u3000\u7a7a.png"]
    path = packed(tmp_path / "mine.zip", ("Icon\r", b""), *((name, PNG) for name in names))
    assert {entry.path.name for entry in find_inputs([str(path)])} == set(names)


def test_archives_that_are_none_or_too_much_are_refused(tmp_path, monkeypatch):
    def refused(path, text):
        with pytest.raises(ImageError, match=text):
            photos_in_zip(path)

    (tmp_path / "no.zip").write_bytes(b"PK\3\4 no archive")
    refused(tmp_path / "no.zip", "no.zip: is no readable ZIP archive")
    refused(packed(tmp_path / "text.zip", ("a.txt", b"x")), "no photograph in this archive")
    whole = packed(tmp_path / "whole.zip", ("a.png", PNG), ("b.png", PNG))
    monkeypatch.setattr(zipped, "_MOST_TOGETHER", 2 * len(PNG) - 1)
    refused(whole, "whole.zip: unpacks to 0 GiB, more than 0")
    monkeypatch.setattr(zipped, "_MOST_ENTRIES", 1)
    refused(whole, "whole.zip: holds 2 files, more than 1")


def test_entries_that_overlap_are_a_bomb(tmp_path):
    data = bytearray(packed(tmp_path / "a.zip", ("a.png", PNG), ("b.png", PNG)).read_bytes())
    for place in range(len(data) - 4):
        if data[place : place + 4] == b"PK\1\2":
            struct.pack_into("<L", data, place + 20, len(data))
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(ImageError, match="its files overlap"):
        photos_in_zip(tmp_path / "a.zip")


def test_an_entry_is_unpacked_up_to_a_limit_and_only_if_it_is_sound(tmp_path, monkeypatch):
    path = packed(tmp_path / "a.zip", ("a.png", PNG))
    (one,), _ = photos_in_zip(path)
    assert one.read() == PNG
    with monkeypatch.context() as changed:
        changed.setattr(zipped, "MOST_BYTES", 3)
        with pytest.raises(ImageError, match="a.zip/a.png: unpacks to more than"):
            one.read()
    data = bytearray(path.read_bytes())
    data[50] ^= 255
    path.write_bytes(data)
    with pytest.raises(ImageError, match="a.zip/a.png: damaged or incomplete"):
        one.read()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.png", PNG)
    path.write_bytes(file.getvalue())
    with pytest.raises(ImageError, match="a.zip/a.png: is encrypted, or packed by another method"):
        photos_in_zip(path)[0][0].read()
