"""`.keras` files whose archive or arrays are not what a network needs: one line, at once, and no memory."""

import gzip
import io
import json
import resource
import zipfile

import h5py
import numpy as np
import pytest

from kind.detection.model import build_detector
from kind.detection.sizes import SIZES
from kind.nn.forms import FORMS, shapes_of_published_size
from kind.nn.saving import SHIPPED_WEIGHTS, load_net, plain_config, variables_by_path
from kind.nn.weights_file import write_arrays

ARRAY = "layers/conv2d/vars/0"
SHAPE = (3, 3, 3, 2)


def replace(make):
    """A change of the HDF5 file: the first array is made anew by `make(file)`."""

    def change(file):
        values = file[ARRAY][()]
        del file[ARRAY]
        make(file, values)

    return change


def virtual(file, values):
    layout = h5py.VirtualLayout(SHAPE, "f4")
    layout[...] = h5py.VirtualSource("elsewhere.h5", "x", SHAPE)
    file.create_virtual_dataset(ARRAY, layout)


def external(file, values):
    file.create_dataset(ARRAY, SHAPE, "f4", external=[(__file__, 0, values.nbytes)])


def never_written(file, values):
    file.create_dataset(ARRAY, SHAPE, "f4")


def under_many_names(file, values):
    array = file.create_dataset("layers/0", data=np.ones(1 << 18, np.float32))
    for number in range(1, 9):
        file[f"layers/{number}"] = array


def unfinite(value):
    def make(file, values):
        values[0, 0, 0, 0] = value
        file[ARRAY] = values

    return make


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (external, "kept outside"),
        (virtual, "kept outside"),
        (never_written, "not there"),
        (lambda file, values: file.__setitem__(ARRAY, h5py.SoftLink("/layers/conv2d/vars/1")), "a link"),
        (lambda file, values: file.__setitem__(ARRAY, h5py.ExternalLink("elsewhere.h5", "/x")), "a link"),
        (lambda file, values: file.create_dataset(ARRAY, data=values, compression="gzip"), "filters"),
        (lambda file, values: file.create_dataset(ARRAY, data=values, fletcher32=True), "filters"),
        (lambda file, values: file.create_dataset(ARRAY, data=values.astype("c8")), "type complex64"),
        (lambda file, values: file.create_dataset(ARRAY, data=values.astype("i4")), "type int32"),
        (lambda file, values: file.create_dataset(ARRAY, SHAPE, h5py.ref_dtype), "type object"),
        (
            lambda file, values: file.create_dataset(
                ARRAY, SHAPE, "f4", maxshape=(None,) * 4, chunks=(64,) * 4
            ),
            "not there",
        ),
        (unfinite(np.nan), "NaN or infinity"),
        (unfinite(-np.inf), "NaN or infinity"),
    ],
)
def test_arrays_that_are_not_plain_are_named(altered, refusal, make, message):
    line = refusal(altered(weights=replace(make)))
    assert message in line and ARRAY in line


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (unfinite(np.nan), "NaN or infinity"),
        (external, "kept outside"),
        (lambda file, values: file.create_dataset(ARRAY, data=values.astype("c8")), "type complex64"),
        (lambda file, values: file.__setitem__(ARRAY, h5py.SoftLink("/layers/conv2d/vars/1")), "a link"),
        (lambda file, values: file.__setitem__(f"{ARRAY}/loop", file["layers"]), "more than the arrays"),
        (under_many_names, "more bytes than the file"),
    ],
)
def test_arrays_are_looked_at_before_anything_is_built(altered, refusal, monkeypatch, make, message):
    """Building a network of hundreds of layers takes seconds."""
    monkeypatch.setattr("kind.nn.saving.build_network", lambda *arguments: pytest.fail("it was built"))
    assert message in refusal(altered(weights=replace(make)))


@pytest.mark.parametrize(
    "make",
    [
        lambda file, values: file.create_dataset(ARRAY, data=values[..., :1]),
        lambda file, values: file.create_dataset(ARRAY, data=values[0]),
        lambda file, values: file.create_group(ARRAY),
        lambda file, values: None,
    ],
)
def test_a_shape_that_is_not_there_stops_the_building(altered, refusal, monkeypatch, make):
    monkeypatch.setattr("kind.nn.saving._fill", lambda *arguments: pytest.fail("all of it was built"))
    line = refusal(altered(weights=replace(make)))
    assert "the network needs more arrays of the shape (3, 3, 3, 2) than it holds" in line


@pytest.mark.parametrize("stage", ["lite", "detector"])
@pytest.mark.parametrize("number", [0, -1])
@pytest.mark.parametrize("is_gone", [True, False])
def test_a_wrong_array_in_a_shipped_network_is_named_and_nothing_is_built(
    tmp_path, at_once, monkeypatch, stage, number, is_gone
):
    names = []

    def change(file):
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        values = file[names[number]][()]
        del file[names[number]]
        if not is_gone:
            file[names[number]] = values[..., np.newaxis]

    path = with_weights(SHIPPED_WEIGHTS / f"{stage}.keras", tmp_path / "altered.keras", change)
    monkeypatch.setattr("kind.nn.saving.build_network", lambda *arguments: pytest.fail("it was built"))
    line = at_once(path)
    assert f"array {names[number]}" in line


def of_one_class(config):
    """A detector's description, as after training it for faces."""
    config["config"] |= {"name": "mine", "class_names": ["face"], "input_size": 320, "canvas": 0.5}


@pytest.mark.parametrize("change", [lambda values: values[..., :1], lambda values: values[..., :2]])
def test_a_detector_for_other_classes_is_held_against_the_one_that_ships(
    tmp_path, at_once, monkeypatch, change
):
    monkeypatch.setattr("kind.nn.saving.build_network", lambda *arguments: pytest.fail("it was built"))
    is_right = change(np.zeros(80)).shape == (1,)

    def for_one_class(file):
        names = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        for name in names:
            if file[name].shape[-1] == 80:
                values = change(file[name][()])
                del file[name]
                file[name] = values

    source = SHIPPED_WEIGHTS / "detector.keras"
    path = with_weights(source, tmp_path / "altered.keras", for_one_class, of_one_class)
    if is_right:
        with pytest.raises(pytest.fail.Exception, match="it was built"):
            load_net(path)
    else:
        assert "has the shape (1, 1, 64, 2); the network needs (1, 1, 64, 1)" in at_once(path)


@pytest.mark.parametrize("size", ["s", "yolox-tiny"])
@pytest.mark.parametrize("wrong", [None, "last", "gone"])
def test_a_detector_of_a_published_size_is_held_against_its_form(tmp_path, at_once, monkeypatch, size, wrong):
    monkeypatch.setattr("kind.nn.saving.build_network", lambda *arguments: pytest.fail("it was built"))
    form = json.loads(gzip.decompress(FORMS.read_bytes()))[list(SIZES).index(size)]
    config = form["config"]
    config["config"] |= {"name": "mine", "class_names": ["face", "hand"], "class_channels": 70}
    shapes = {
        name: [{83: 2, 89: 70}.get(width, width) for width in shape] for name, shape in form["shapes"].items()
    }
    last = max(shapes)
    if wrong:
        shapes[last] = [*shapes[last], 1]
    if wrong == "gone":
        del shapes[last]
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    path = tmp_path / "mine.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", write_arrays(arrays))
    if wrong:
        assert f"array {last}" in at_once(path)
    else:
        with pytest.raises(pytest.fail.Exception, match="it was built"):
            load_net(path)


@pytest.mark.slow
def test_the_forms_are_those_of_the_detectors_that_are_built():
    assert len(json.loads(gzip.decompress(FORMS.read_bytes()))) == len(SIZES)
    for size in SIZES:
        net = build_detector(size, ["cat", "dog"], class_channels=7)
        shapes = {path: tuple(variable.shape) for path, variable in variables_by_path(net).items()}
        assert shapes_of_published_size(plain_config(net)) == shapes, size


def test_a_detector_has_its_form_whatever_was_built_before():
    for _ in range(2):
        net = build_detector("yolox-nano", ["cat", "dog"])
        shapes = {path: tuple(variable.shape) for path, variable in variables_by_path(net).items()}
        assert shapes_of_published_size(plain_config(net)) == shapes


def with_weights(source, path, change, describe=lambda config: None):
    """A copy of a network's file; `change` has altered its HDF5 file and `describe` its description."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(path, "w") as target:
        for name in archive.namelist():
            content = io.BytesIO(archive.read(name))
            if name == "config.json":
                describe(config := json.loads(archive.read(name)))
                content = io.BytesIO(json.dumps(config).encode())
            if name == "model.weights.h5":
                with h5py.File(content, "r+") as file:
                    change(file)
            target.writestr(name, content.getvalue())
    return path


def test_an_array_in_another_place_is_named(altered, refusal):
    change = replace(lambda file, values: file.create_dataset("layers/elsewhere", data=values))
    assert f"it has no array {ARRAY}" in refusal(altered(weights=change))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
@pytest.mark.parametrize("settings", [{}, {"chunks": (3, 3, 1, 2)}])
def test_plain_arrays_of_any_floats_are_read(altered, small, dtype, settings):
    change = replace(lambda file, values: file.create_dataset(ARRAY, data=values.astype(dtype), **settings))
    for before, after in zip(load_net(small).get_weights(), load_net(altered(weights=change)).get_weights()):
        np.testing.assert_allclose(after, before, rtol=2**-11, atol=1e-7)


@pytest.fixture
def at_once(refusal, computing_seconds):
    """The one line that loading a file ends in, when it takes less than a second of computing and 200 MiB."""

    def refuse(path):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert computing_seconds(refusal, path) < 1
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10
        return refusal(path)

    return refuse


@pytest.mark.parametrize("name", ["metadata.json", "config.json", "model.weights.h5", "other.json"])
def test_what_unpacks_to_more_than_a_network_is_refused_unread(small, at_once, tmp_path, name):
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(small) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for other in {*source.namelist()} - {name}:
            target.writestr(other, source.read(other))
        with target.open(name, "w") as stream:
            for _ in range(64):
                stream.write(bytes(1 << 20))
    assert name in at_once(path)


def test_weights_of_far_more_bytes_than_the_network_has_are_refused_unread(altered, at_once):
    def swell(file):
        file.create_dataset("surplus", (40 << 20,), "u1", fillvalue=1)[:] = 1

    assert "expected 33,5" in at_once(altered(weights=swell))


def test_a_zip_that_lies_about_its_sizes_is_refused(altered, at_once):
    path = altered(method=zipfile.ZIP_DEFLATED, metadata=b" " * 60_000)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo("model.weights.h5").file_size
    path.write_bytes(content.replace(size.to_bytes(4, "little"), (size // 2).to_bytes(4, "little")))
    at_once(path)


def test_directories_of_many_entries_are_not_read(at_once, tmp_path):
    path = tmp_path / "many.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(5000):
            archive.writestr(f"{number}", b"")
    assert "its directory of 5000 entries" in at_once(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_entries_that_stand_twice_are_refused(altered, refusal):
    path = altered()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", "{}")
    assert "two entries named config.json" in refusal(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(altered, refusal, method):
    assert "another method than deflate" in refusal(altered(method=method))


def test_metadata_is_not_unpacked(altered):
    path = altered(method=zipfile.ZIP_DEFLATED, metadata=b"no JSON at all")
    assert load_net(path).name == "small"


def test_weights_that_are_no_hdf5_are_one_line(altered, refusal):
    with zipfile.ZipFile(altered()) as archive:
        whole = archive.read("model.weights.h5")
    for content in (b"\0" * 10_000, whole[: len(whole) // 2], whole[512:]):
        refusal(rewritten(altered(), content))


def rewritten(path, weights):
    """The file with other bytes in place of its weights."""
    with zipfile.ZipFile(path) as source:
        entries = {name: source.read(name) for name in source.namelist()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, content in entries.items():
            target.writestr(name, weights if name == "model.weights.h5" else content)
    path.write_bytes(buffer.getvalue())
    return path
