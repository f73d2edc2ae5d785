"""PyTorch files, sound, damaged and hostile; none of them needs PyTorch, and none may run anything."""

import os
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from kind.checkpoints.inert_pickle import Record
from kind.checkpoints.pytorch import read_checkpoint
from kind.errors import UserError

VALUES = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 4


def refusal(path):
    with pytest.raises(UserError) as caught:
        checkpoint = read_checkpoint(path)
        checkpoint.values(list(checkpoint.tensors))
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.pt"


def test_a_state_dictionary_of_all_types(write_pt, pt_tensor, path):
    upper_half = (VALUES.view("<u4") >> 16).astype("<u2").tobytes()
    tensors = OrderedDict(
        single=pt_tensor(VALUES),
        half=pt_tensor(VALUES, "HalfStorage"),
        brain=pt_tensor(VALUES, "BFloat16Storage", content=upper_half),
        whole=pt_tensor(np.array(7), "LongStorage"),
        empty=pt_tensor(np.zeros((0, 3))),
    )
    checkpoint = read_checkpoint(write_pt(path, {"state_dict": tensors, "epoch": 3}, byteorder="little"))
    values = checkpoint.values(list(tensors))
    for name in ("single", "half", "brain"):
        assert np.array_equal(values[name], VALUES) and values[name].dtype == np.float32
    assert values["whole"] == 7 and values["empty"].shape == (0, 3)
    assert checkpoint.attributes == {}


def test_views_into_a_storage(write_pt, pt_tensor, path):
    turned = pt_tensor(VALUES[0].T, strides=(1, 4), content=VALUES.tobytes(), size=24)
    later = pt_tensor(VALUES[1], offset=12, content=VALUES.tobytes(), size=24)
    values = read_checkpoint(write_pt(path, {"turned": turned, "later": later})).values(["turned", "later"])
    assert np.array_equal(values["turned"], VALUES[0].T)
    assert np.array_equal(values["later"], VALUES[1])


def module(kind, parameters=(), modules=(), **attributes):
    made = kind()
    state = {
        "_parameters": OrderedDict(parameters),
        "_buffers": OrderedDict(),
        "_modules": OrderedDict(modules),
    }
    made.__dict__.update(state, **attributes)
    return made


def test_modules_of_unknown_classes_become_records(write_pt, pt_tensor, fake_class, path):
    conv = fake_class("torch.nn.modules.conv", "Conv2d")
    net = fake_class("ultralytics.nn.tasks", "DetectionModel")
    inner = module(conv, {"weight": pt_tensor(VALUES), "bias": None})
    model = module(net, modules={"0": inner}, names={0: "cat"}, stride=fake_class("anything", "AtAll")())
    better = module(net, modules={"0": module(conv, {"weight": pt_tensor(VALUES + 1)})}, names={0: "dog"})
    checkpoint = read_checkpoint(write_pt(path, {"epoch": -1, "model": model, "ema": None}))
    assert list(checkpoint.tensors) == ["0.weight"]
    assert checkpoint.attributes["names"] == {0: "cat"}
    assert isinstance(checkpoint.attributes["stride"], Record)
    averaged = read_checkpoint(write_pt(path, {"model": model, "ema": better}))
    assert averaged.attributes["names"] == {0: "dog"}
    assert np.array_equal(averaged.values(["0.weight"])["0.weight"], VALUES + 1)


class Command:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_that_a_pickle_calls_is_executed(write_pt, path, tmp_path, protocol):
    made = tmp_path / "made"
    content = pickle.dumps({"model": Command(made), "names": [Command(made)]}, protocol)
    pickle.loads(pickle.dumps(Command(tmp_path / "control"), protocol))
    assert (tmp_path / "control").exists()  # it does work where pickles are believed
    write_pt(path, content)
    try:
        assert read_checkpoint(path).tensors == {}
    except UserError:
        pass  # some protocols use codes that are refused outright
    assert not made.exists()


def test_no_module_is_imported(write_pt, path, tmp_path, monkeypatch):
    (tmp_path / "evil_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    write_pt(path, b"\x80\x02}X\x05\x00\x00\x00modelcevil_module\nEvil\n)\x81s.")
    assert read_checkpoint(path).tensors == {}
    assert "evil_module" not in sys.modules


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (b"\x80\x02(ios\ngetcwd\n.", "INST"),
        (b"\x80\x02(cos\ngetcwd\no.", "OBJ"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02Pname\n.", "PERSID"),
        (b"\x80\x02}r" + struct.pack("<I", 2**31 - 1) + b".", "beyond its own length"),
        (b"\x80\x02}", "not a usable"),
        (b"", "not a usable"),
        (b"\x80\x02N.", "holds no model"),
        (b"\x80\x02X" + struct.pack("<I", 2**31) + b"abc.", "not a usable"),
        (b"\x80\x02X\x01\x00\x00\x00aQ.", "other than a storage"),
        (b"\x80\x02" + b"(" * 100_000 + b".", "not a usable"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(NK\x00))tR.", "without storage"),
        (b"\x80\x02ctorch\nFloatStorage\n)R.", "not a usable"),
        (b"\x80\x02ctorch\nSize\nN}X\x08\x00\x00\x00__code__Ns\x86b.", "alters a constructor"),
        (b"\x80\x02ctorch\nModule\n}X\x01\x00\x00\x00aNsb.", "not a usable"),
    ],
)
def test_programs_that_no_tensor_needs_are_refused(write_pt, path, program, reason):
    assert reason in refusal(write_pt(path, program))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"offset": 1}, "reaches beyond its numbers"),
        ({"strides": (12, 4, 2)}, "reaches beyond its numbers"),
        ({"strides": (12, 4, -1)}, "without storage, shape or strides"),
        ({"strides": (12, 4)}, "impossible shape"),
        ({"size": 2**40}, "cut short|without a key or size"),
        ({"content": VALUES.tobytes()[:-1]}, "missing or cut short"),
        ({"offset": True}, "without storage"),
    ],
)
def test_tensors_that_reach_too_far_are_refused(write_pt, pt_tensor, path, changes, reason):
    message = refusal(write_pt(path, {"weight": pt_tensor(VALUES, **changes)}))
    assert any(part in message for part in reason.split("|"))


def test_a_tensor_larger_than_its_storage_is_refused(write_pt, pt_tensor, path):
    giant = pt_tensor(
        np.broadcast_to(np.float32(0), (2**20, 2**19)), strides=(0, 0), content=b"\0" * 4, size=1
    )
    assert "reaches beyond its numbers" in refusal(write_pt(path, {"weight": giant}))


def test_modules_inside_themselves_are_refused(write_pt, fake_class, path):
    kind = fake_class("torch.nn.modules.container", "Sequential")
    inner = module(kind)
    inner._modules["again"] = inner
    assert "modules inside themselves" in refusal(write_pt(path, {"model": inner}))
    wide = module(kind)
    for _ in range(30):
        wide = module(kind, modules={"a": wide, "b": wide})
    assert "more than 10000 modules" in refusal(write_pt(path, {"model": wide}))


def test_files_that_are_no_checkpoints_are_refused(write_pt, pt_tensor, path):
    assert "no such file" in refusal(path)
    path.mkdir()
    assert "no such file" in refusal(path)
    path.rmdir()
    path.write_bytes(b"text")
    assert "not a zip" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("name/code.py", "")
    assert "expected one data.pkl in it, found 0" in refusal(path)
    tensors = {"weight": pt_tensor(VALUES)}
    write_pt(path, tensors, byteorder="big")
    assert "big-endian" in refusal(path)
    write_pt(path, tensors, compression=zipfile.ZIP_DEFLATED)
    assert "compressed" in refusal(path)
    write_pt(path, {"weight": pt_tensor(np.array([1, np.nan]))})
    assert "NaN or infinity in weight" in refusal(path)


def test_damaged_files_are_refused_or_read_whole(write_pt, pt_tensor, path):
    content = write_pt(path, {"weight": pt_tensor(VALUES), "names": ["cat"] * 20}).read_bytes()
    generator = np.random.default_rng(0)
    refused = 0
    for number in range(300):
        damaged = bytearray(content)
        if number % 3:
            damaged[generator.integers(len(content))] ^= 1 << generator.integers(8)
        else:
            del damaged[generator.integers(len(content)) :]
        path.write_bytes(damaged)
        try:
            checkpoint = read_checkpoint(path)
            checkpoint.values(list(checkpoint.tensors))
        except UserError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 200  # the rest hit bytes that a zip does not use
