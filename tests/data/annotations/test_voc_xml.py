from pathlib import Path

import pytest

from kind.data.annotations.annotated import describe_objects
from kind.data.annotations.voc_xml import read_voc_xml
from kind.errors import UserError

CAT = (
    "<object><name>cat</name><part><name>head</name><bndbox><xmin>9</xmin></bndbox></part>\n"
    "<difficult>0</difficult>"
    "<bndbox><xmin>1</xmin><ymin>21</ymin><xmax>100</xmax><ymax>80</ymax></bndbox></object>\n"
)


@pytest.fixture
def read(photo, tmp_path):
    """(XML, repair) → the data set of one image with that annotation."""
    photo(tmp_path / "JPEGImages/1.jpg")

    def read(xml, repair=False):
        (tmp_path / "Annotations").mkdir(exist_ok=True)
        file = tmp_path / "Annotations/1.xml"
        file.write_bytes(xml if isinstance(xml, bytes) else xml.encode())
        return read_voc_xml(tmp_path / "JPEGImages", tmp_path / "Annotations", repair=repair)

    return read


def refusal(read, xml):
    with pytest.raises(UserError) as caught:
        read(xml)
    assert "\n" not in str(caught.value)
    assert len(read(xml, repair=True).problems) == 1
    return str(caught.value)


def test_boxes_are_counted_from_1_and_include_their_last_pixel(read):
    difficult = CAT.replace("<difficult>0", "<difficult>1").replace("cat", "tvmonitor")
    found = read(
        f"<?xml version='1.0'?>\n<annotation><filename>x.jpg</filename>\n{CAT}{difficult}</annotation>"
    )
    image = found.images[0]
    assert image.boxes.tolist() == [[0, 20, 100, 80]] * 2
    assert image.classes.tolist() == [7, 19] and image.difficult.tolist() == [False, True]


def test_images_without_objects_stay_in_and_others_stay_out(read, photo, tmp_path):
    photo(tmp_path / "JPEGImages/2.jpg")
    found = read("<annotation></annotation>")
    assert [image.path.name for image in found.images] == ["1.jpg"] and len(found.images[0].boxes) == 0


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        (f"<annotation>\n\n{CAT.replace('cat', 'cow!')}</annotation>", "1.xml, line 3: unknown class 'cow!'"),
        (
            f"<annotation>\n{CAT.replace('bndbox', 'box')}</annotation>",
            "1.xml, line 2: expected a bndbox with xmin",
        ),
        (f"<annotation>{CAT.replace('100', 'wide')}</annotation>", "1.xml, line 1: expected a bndbox"),
        (f"<annotation>{CAT.replace('100', '-5')}</annotation>", "box 0 20 -5 80 is inverted"),
        (f"<annotation>{CAT.replace('100', '300')}</annotation>", "reaches outside the image of 100x80"),
        ("<annotation>", "1.xml: not a Pascal VOC file: no element found"),
        ("", "1.xml: not a Pascal VOC file: no element found"),
        ("<html></html>", "expected <annotation>, found <html>"),
        (b"\xff\xfe\x00", "1.xml: not a Pascal VOC file"),
    ],
)
def test_broken_annotations_are_named(read, xml, reason):
    assert reason in refusal(read, xml)


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE a [<!ENTITY x "ha">]>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY x "&b;&b;&b;&b;">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1/evil.dtd">',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_hostile_xml_is_refused(read, doctype, encoding):
    xml = f'<?xml version="1.0" encoding="{encoding}"?>{doctype}<annotation>{CAT}</annotation>'
    assert "declares a document type, which is refused" in refusal(read, xml.encode(encoding))


def test_deep_and_large_xml_is_refused(read):
    assert "too deep" in refusal(read, "<annotation>" + "<a>" * 100_000)
    assert "larger than 4 MiB" in refusal(read, "<annotation>" + " " * (1 << 22) + "</annotation>")


def test_annotations_without_an_image_are_named(read, tmp_path):
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations/9.xml").write_text("<annotation/>")
    assert "9.xml: no image of that name" in refusal(read, "<annotation/>")
    with pytest.raises(UserError, match="no such folder of annotations"):
        read_voc_xml(tmp_path / "JPEGImages", tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "difficult", "named"),
    [
        ("Unspecified", False, True),
        ("true", False, True),
        ("nan", False, True),
        ("1e999", False, True),
        ("", False, False),
        ("0", False, False),
        ("0.0", False, False),
        (" 1 ", True, False),
        ("2", True, False),
    ],
)
def test_only_a_number_other_than_0_means_difficult(read, text, difficult, named):
    twice = CAT + CAT.replace("cat", "dog")
    found = read(f"<annotation>{twice.replace('<difficult>0', f'<difficult>{text}')}</annotation>")
    assert found.images[0].difficult.tolist() == [difficult] * 2
    objects = "2 objects (2 difficult do not count)" if difficult else "2 objects"
    assert describe_objects(found.images) == objects
    if named:
        (line,) = found.problems
        assert f"difficult is '{text}', which is no number: it counts as 0 (and 1 more alike)" in line
    else:
        assert found.problems == ()


def test_file_names_in_capitals_belong_together(photo, tmp_path):
    photo(tmp_path / "JPEGImages/A.JPG")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations/a.XML").write_text(f"<annotation>{CAT}</annotation>")
    found = read_voc_xml(tmp_path / "JPEGImages", tmp_path / "Annotations")
    assert found.problems == () and len(found.images[0].boxes) == 1


def test_two_images_of_one_name_are_named(photo, tmp_path):
    for name in ("1.jpg", "1.png"):
        photo(tmp_path / "JPEGImages" / name)
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations/1.xml").write_text(f"<annotation>{CAT}</annotation>")
    with pytest.raises(UserError, match="1.png: another image has this name, too"):
        read_voc_xml(tmp_path / "JPEGImages", tmp_path / "Annotations")


def test_annotations_behind_a_broken_link_are_named(read, photo, tmp_path):
    photo(tmp_path / "JPEGImages/2.jpg")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations/2.xml").symlink_to("gone.xml")
    assert "2.xml: is a folder, or a link" in refusal(read, f"<annotation>{CAT}</annotation>")


@pytest.mark.parametrize("encoding", ["nonsense", "gbk", "idna", "rot13"])
def test_encodings_that_cannot_be_read_are_named(read, encoding):
    text = f"<?xml version='1.0' encoding='{encoding}'?><annotation>{CAT}</annotation>"
    assert "1.xml: not a Pascal VOC file: " in refusal(read, text)


def test_what_cannot_be_read_is_not_called_another_format(read, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UserError, match=r"1.xml: cannot be read \(Permission denied\)"):
        read(f"<annotation>{CAT}</annotation>")
