"""Versions in processes of their own: crashes, models that do not end, and what is left behind; most with a
stand-in that needs no TensorFlow."""

import asyncio
import contextlib
import functools
import io
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from kind.serving.protos import DT_STRING, DataType, SignatureDef, TensorProto, predict_pb2
from kind.serving.server.calls import Call
from kind.serving.server.errors import ServingError
from kind.serving.server.json_tensors import COLUMN
from kind.serving.server.parsing import ModelSpec, Parser
from kind.serving.server.processes import Child, ChildEnded
from kind.serving.server.signatures import Signature, Tensor
from kind.serving.server.tensor_protos import array_of, proto_of
from kind.serving.server.version_process import VersionProcess, Workers
from kind.serving.wire import read_message, write_message

STAND_IN = """
import os, signal, threading, time
import numpy as np
from kind.serving.server.processes import answer_calls

stops = {}

def answer(header, arrays):
    print("a library prints")
    if header["do"] == "load":
        if os.path.exists(header["folder"] + "/damaged"):
            raise ValueError("/srv/kind/1/saved_model.pb: damaged")
        return {}, {}
    if header["do"] == "warm up":
        return {"count": 0}, {}
    (x,) = arrays.get("x", [0])
    if x == -1:
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGSEGV)
    if header["do"] == "stop":
        stops[header["run"]].set()
    elif stops.setdefault(header["call"], threading.Event()).wait(abs(x)):
        raise InterruptedError("stopped")
    return {}, {"pid": np.array([os.getpid()])}

def main():
    answer_calls(answer)
"""
CRASH, NEVER = -1.0, 60.0


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modules")
    (folder / "stand_in_worker.py").write_text(STAND_IN)
    sys.path.insert(0, str(folder))
    yield "stand_in_worker"
    sys.path.remove(str(folder))


@pytest.fixture
def version(stand_in, tmp_path):
    version = VersionProcess(tmp_path, seconds=30, module=stand_in)
    version.load()
    yield version
    version.close(wait=True)


def run(version, x):
    return version.run("any", {"x": np.array([x])}, 30.0)["pid"].item()


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def has_ended(pid):
    return not is_running(pid)


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_arrays_travel_unchanged():
    arrays = {
        "text": np.array([[b"", b"\x00\xff"], [b"a" * 70_000, b"b"]], object),
        "scalar": np.array(2.5, np.float32),
        "none": np.zeros((0, 3), np.int64),
        "turned": np.arange(12, dtype=np.uint8).reshape(3, 4).T,
        "one": np.array([True]),
    }
    file = io.BytesIO()
    write_message(file, {"do": "run"}, arrays)
    write_message(file, {}, {})
    file.seek(0)
    header, read = read_message(file)
    assert header == {"do": "run"} and read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype and read[name].shape == array.shape
        assert (read[name] == array).all()
    assert read_message(file) == ({}, {}) and read_message(file) is None


def test_a_message_that_ends_early_is_noticed():
    file = io.BytesIO()
    write_message(file, {}, {"x": np.zeros(9), "text": np.array([b"abc"], object)})
    for size in (3, 20, len(file.getvalue()) - 1, len(file.getvalue()) - 10):
        with pytest.raises(EOFError):
            read_message(io.BytesIO(file.getvalue()[:size]))


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks at processes in /proc")
def test_a_crash_costs_the_request_that_caused_it(version, capfd):
    before = run(version, 0)
    with ThreadPoolExecutor(3) as threads:
        good = [threads.submit(run, version, 0.5) for _ in range(2)]
        bad = threads.submit(run, version, CRASH)
        after = {each.result() for each in good}
        with pytest.raises(ServingError, match=r"was ended \(SIGSEGV\) while it ran this request") as caught:
            bad.result()
    assert caught.value.code == "INTERNAL" and before not in after
    wait_until(lambda: is_running(version.pid))  # started again before anybody asks
    assert run(version, 0) == version.pid and not is_running(before)
    assert "starting another" in capfd.readouterr().err


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks at processes in /proc")
def test_a_process_that_has_grown_is_exchanged_and_no_answer_is_lost(version, monkeypatch, capfd):
    before = run(version, 0)
    monkeypatch.setattr("kind.serving.server.version_process._MOST_GROWTH", -1 << 40)
    with ThreadPoolExecutor(3) as threads:
        served = {each.result() for each in [threads.submit(run, version, 0.02) for _ in range(60)]}
    wait_until(lambda: version.pid != before and not is_running(before))
    monkeypatch.undo()
    wait_until(lambda: not version._is_renewing)
    assert before in served and run(version, 0) == version.pid
    assert "a fresh one takes its place" in capfd.readouterr().err


def test_a_process_that_never_rests_is_exchanged_when_it_has_grown_twice_as_far(version, monkeypatch):
    before, size = run(version, 0), [150]
    version._loaded_size = 0
    monkeypatch.setattr("kind.serving.server.version_process._MOST_GROWTH", 100)
    monkeypatch.setattr("kind.serving.server.version_process.resident", lambda pid: size[0])
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(run, version, 1.0)
        wait_until(lambda: version._running)
        run(version, 0)
        assert not version._is_renewing and version.pid == before and not other.done()
        size[0] = 201
        run(version, 0)
        assert version._is_renewing or version.pid != before
        assert other.result() == before
    wait_until(lambda: version.pid != before)


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks at processes in /proc")
def test_a_process_that_cannot_be_loaded_once_more_goes_on(version, tmp_path, monkeypatch, capfd):
    before = run(version, 0)
    (tmp_path / "damaged").touch()
    monkeypatch.setattr("kind.serving.server.version_process._MOST_GROWTH", -1 << 40)
    assert run(version, 0) == before
    wait_until(lambda: "cannot be loaded once more" in capfd.readouterr().err)
    assert run(version, 0) == before == version.pid


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks at processes in /proc")
def test_what_cannot_be_loaded_again_is_tried_again_and_nobody_waits(version, tmp_path):
    damaged = tmp_path / "damaged"
    damaged.touch()
    with pytest.raises(ServingError, match="SIGSEGV"):
        run(version, CRASH)
    wait_until(lambda: not version.is_usable)
    for _ in range(2):
        with pytest.raises(ServingError, match="loaded again: saved_model.pb: damaged") as caught:
            run(version, 0)
        assert caught.value.code == "UNAVAILABLE"
    damaged.unlink()

    def works():
        with contextlib.suppress(ServingError):
            return run(version, 0) == version.pid

    wait_until(works)
    assert version.is_usable


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks at processes in /proc")
def test_a_process_that_retires_answers_what_it_has_begun(stand_in):
    busy, idle = Child(stand_in), Child(stand_in)
    with ThreadPoolExecutor(2) as threads:
        answers = [
            threads.submit(busy.call, {"do": "run"}, {"x": np.array([seconds])}, 60.0)
            for seconds in (0.2, 0.5)
        ]
        wait_until(lambda: len(busy._calls) == 2)
        busy.retire()
        assert [answer.result()[1]["pid"].item() for answer in answers] == [busy.pid] * 2
    idle.retire()
    wait_until(lambda: has_ended(busy.pid) and has_ended(idle.pid))


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks at processes in /proc")
def test_closing_ends_a_process_that_retires(version, monkeypatch):
    monkeypatch.setattr("kind.serving.server.version_process._MOST_GROWTH", -1 << 40)
    before = run(version, 0)
    with ThreadPoolExecutor(1) as threads:
        never = threads.submit(run, version, NEVER)
        wait_until(lambda: version.pid != before and not version._is_renewing)
        assert is_running(before) and not never.done()
        version.close(wait=True)
        with pytest.raises(ServingError):
            never.result(10)
    wait_until(lambda: has_ended(before))


def test_a_model_that_does_not_end_is_ended_at_its_deadline(stand_in, tmp_path, monkeypatch):
    monkeypatch.setattr("kind.serving.server.version_process._TO_STOP", 0.0)
    version = VersionProcess(tmp_path, seconds=0.8, module=stand_in)
    version.load()
    before = run(version, 0)
    with ThreadPoolExecutor(2) as threads:
        late = threads.submit(run, version, NEVER)
        time.sleep(0.6)
        other = threads.submit(run, version, 0.4)  # is running when the process is killed
        with pytest.raises(ServingError, match="not answered in time") as caught:
            late.result()
        assert caught.value.code == "DEADLINE_EXCEEDED" and other.result() != before
    version.close(wait=True)
    assert not is_running(version.pid)
    with pytest.raises(ServingError, match="being stopped"):
        run(version, 0)


def test_a_request_that_nobody_waits_for_does_not_reach_the_model(version):
    with pytest.raises(ServingError, match="not answered in time"):
        version.run("any", {"x": np.array([CRASH])}, 0.0)
    assert run(version, 0) == version.pid


def test_a_run_that_nobody_waits_for_any_more_is_stopped_and_its_process_goes_on(version):
    looks = itertools.chain([True, True], itertools.repeat(False))
    started = time.monotonic()
    with pytest.raises(ServingError, match="stopped"):
        version.run("any", {"x": np.array([NEVER])}, 60.0, lambda: next(looks))
    assert time.monotonic() - started < NEVER / 2
    assert run(version, 0) == version.pid


def test_a_run_that_nobody_waits_for_is_not_sent(version):
    with pytest.raises(ServingError, match="nobody waits"):
        version.run("any", {"x": np.array([CRASH])}, 60.0, lambda: False)
    assert run(version, 0) == version.pid


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks at processes in /proc")
def test_who_waits_for_a_process_that_is_loaded_again_waits_until_the_deadline(version, monkeypatch):
    may_load, load = threading.Event(), version.load
    monkeypatch.setattr(version, "load", lambda: may_load.wait(20) and load())
    with pytest.raises(ServingError, match="SIGSEGV"):
        run(version, CRASH)
    wait_until(lambda: version.is_loading)
    with pytest.raises(ServingError, match="not answered in time"):
        version.run("any", {"x": np.array([0.0])}, 0.2)
    assert version.is_loading
    may_load.set()
    assert run(version, 0) == version.pid and not version.is_loading


def test_a_process_that_takes_nothing_is_ended_at_the_deadline(stand_in):
    child = Child(stand_in)
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(ServingError, match="not answered in time"):
        child.call({"do": "run"}, {"x": np.zeros(1 << 20)}, 0.3)  # more than the pipe holds
    child.close()


def test_who_waits_is_told_when_the_answers_cannot_be_read(stand_in, monkeypatch):
    def misread(file):
        read_message(file)
        raise KeyError("shape")

    monkeypatch.setattr("kind.serving.server.processes.read_message", misread)
    child = Child(stand_in)
    with ThreadPoolExecutor(2) as threads:
        never = threads.submit(child.call, {"do": "run"}, {"x": np.array([NEVER])}, 20.0)
        wait_until(lambda: child._calls)
        with pytest.raises(ChildEnded):
            child.call({"do": "run"}, {"x": np.array([0.0])}, 20.0)
        with pytest.raises(ChildEnded):
            never.result(10)
    wait_until(lambda: has_ended(child.pid))


def test_stopping_ends_what_runs(stand_in, tmp_path):
    workers = Workers(False, 30, stand_in)
    version = workers.load(tmp_path)
    with ThreadPoolExecutor(1) as threads:
        never = threads.submit(run, version, NEVER)
        time.sleep(0.1)
        workers.stop()
        with pytest.raises(ServingError):
            never.result(5)
    assert not is_running(version.pid)
    with pytest.raises(ServingError, match="being stopped"):
        workers.load(tmp_path)


def test_a_process_ends_when_its_caller_is_killed(stand_in):
    code = (
        f"import sys, time; sys.path[:] = {sys.path!r}\n"
        "from kind.serving.server.processes import Child\n"
        "import threading, numpy as np\n"
        f"child = Child({stand_in!r})\n"
        "busy = lambda: child.call({'do': 'run'}, {'x': np.array([60.0])}, 60.0)\n"
        "threading.Thread(target=busy, daemon=True).start()\n"
        "child.call({'do': 'load', 'folder': ''}, {}, 60.0)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    caller = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(caller.stdout.readline())
    assert is_running(pid)
    caller.kill()
    caller.wait()
    caller.stdout.close()
    wait_until(lambda: not is_running(pid), 5)


def test_the_front_needs_no_tensorflow():
    code = (
        "import sys, kind.serving.server.app\n"
        "found = [name for name in sys.modules if name.startswith(('tensorflow.python', 'keras'))]\n"
        "assert not found and 'tensorflow' not in sys.modules, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=os.getcwd())


class Expected:
    """Stands for a signature."""

    inputs = {"x": Tensor("float32", None)}


@pytest.fixture
def parser():
    parser = Parser(1 << 20, 30)
    yield parser
    parser.stop()


def call():
    return Call(30.0)


def test_a_large_body_is_read_in_a_process(parser, monkeypatch):
    signatures = {"serving_default": Expected()}
    body = b'{"inputs": [' + b"0.5," * 300_000 + b"1]}"

    def read(body, signatures):
        return asyncio.run(parser.read(bytearray(body), signatures, call()))

    request = read(body, signatures)
    assert request.form == COLUMN and request.signature == "serving_default"
    assert request.inputs["x"].dtype == np.float32 and request.inputs["x"].sum() == 150_001
    with pytest.raises(ServingError, match="Parse error") as caught:
        read(body[:-1], signatures)
    assert caught.value.http_status == 400
    with pytest.raises(ServingError, match='"other" not found') as caught:
        read(body[:-1] + b', "signature_name": "other"}', signatures)
    assert (caught.value.code, caught.value.http_status) == ("FAILED_PRECONDITION", 400)
    assert parser._child.has_ended  # whatever it keeps of what was wrong
    read(body, signatures)
    child = parser._child
    assert not child.has_ended
    monkeypatch.setattr("kind.serving.server.parsing._MOST_KEPT", -1)
    read(body, signatures)
    assert child.has_ended and read(body, signatures).inputs["x"].size == 300_001


def test_a_body_of_many_values_is_read_in_a_process_and_one_of_few_here(parser):
    """Thousands of small objects take a hundred times as long to make as one long text."""
    signatures = {"serving_default": Expected()}
    many = b'{"inputs": [' + b"1," * 3000 + b"1]}"
    request = asyncio.run(parser.read(many, signatures, call()))
    assert parser._child and request.inputs["x"].size == 3001
    parser._child = None
    asyncio.run(parser.read(b'{"inputs": [1, 2], "more": "' + b"a" * 500_000 + b'"}', signatures, call()))
    assert parser._child is None


def test_without_a_process_a_large_request_is_refused_in_a_line(parser, monkeypatch):
    def fail(*_, **more):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("subprocess.Popen", fail)
    with pytest.raises(ServingError, match="cannot be read now") as caught:
        asyncio.run(parser.read_message(message_of(b"a" * (2 << 20)), call()))
    assert caught.value.code == "UNAVAILABLE"


def message_of(*strings, rows=None, shape=(), wanted=("enhanced_bytes",), name="kind"):
    request = predict_pb2.PredictRequest(output_filter=wanted)
    request.model_spec.name, request.model_spec.version.value = name, 3
    proto = TensorProto(dtype=DT_STRING, string_val=strings)
    for size in shape or [len(strings) if rows is None else rows]:
        proto.tensor_shape.dim.add(size=size)
    request.inputs["image_bytes"].CopyFrom(proto)
    return request.SerializeToString()


def test_a_large_message_is_read_in_a_process(parser, monkeypatch):
    """Two bytes of a message can stand for a string: 64 MiB take a second to read, and a gigabyte."""

    def read_nothing(*_):
        raise AssertionError("a large message was read here")

    monkeypatch.setattr("kind.serving.server.parsing.parsed", read_nothing)
    good = message_of(b"a" * (2 << 20), b"b")
    message = asyncio.run(parser.read_message(good, call()))
    assert message.spec == ModelSpec("kind", 3) and message.wanted == ["enhanced_bytes"]
    assert [len(each) for each in message.inputs["image_bytes"]] == [2 << 20, 1]
    for data, error in (
        (message_of(*[b""] * (2 << 20)), "2097152 rows in one request"),
        (message_of(*[b""] * (1 << 20), rows=1), "declares 1 strings, received 1048576"),
        (good[:-9], "not a PredictRequest"),
    ):
        with pytest.raises(ServingError, match=error):
            asyncio.run(parser.read_message(data, call()))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (message_of(*[b""] * 5000, shape=(1, 5000)), "5000 rows in one request; the limit is 4096"),
        (message_of(b"", wanted=["y"] * 65), "65 outputs asked for; the limit is 64"),
        (message_of(b"", shape=[1] * 9), "expects up to 8 sizes"),
        (message_of(b"", name="k" * 201), "a name of a model, label or signature has at most 200"),
    ],
    ids=["strings", "outputs", "sizes", "name"],
)
@pytest.mark.parametrize("size", [0, 2 << 20], ids=["small", "large"])
def test_what_a_message_holds_much_of_is_refused(data, error, size):
    data += field_of(16 << 3 | 2, bytes(size))  # an unknown field
    parser = Parser(4096, 30)
    try:
        with pytest.raises(ServingError, match=error) as caught:
            asyncio.run(parser.read_message(data, call()))
        assert caught.value.code == "INVALID_ARGUMENT"
    finally:
        parser.stop()


def field_of(tag, content):
    """A field of protocol buffers: its tag, its length, its content."""
    numbers = b""
    for value in (tag, len(content)):
        while value > 127:
            numbers, value = numbers + bytes([value & 127 | 128]), value >> 7
        numbers += bytes([value])
    return numbers + content


def constants(count, *shape):
    """A message in which one number stands for all of each input."""
    request = predict_pb2.PredictRequest()
    proto = TensorProto(dtype=DataType.Value("DT_FLOAT"), float_val=[0.5])
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    for number in range(count):
        request.inputs[f"a{number}"].CopyFrom(proto)
    return request.SerializeToString()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (constants(100, 1, 8192, 8192), "100 inputs in one request; the limit is 64"),
        (constants(2, 1, 8192, 8192), "the inputs are too large: 536870912 bytes in all"),
        (constants(1, 1, 8192, 8193), "the inputs are too large"),
    ],
    ids=["many", "two", "one"],
)
def test_inputs_that_are_too_large_together_are_not_made(parser, monkeypatch, data, error):
    def make_nothing(*_):
        raise AssertionError("an array was made")

    monkeypatch.setattr("kind.serving.server.parsing.array_of", make_nothing)
    with pytest.raises(ServingError, match=error):
        asyncio.run(parser.read_message(data, call()))


def test_the_bytes_of_arrays_are_held_before_they_are_made_elsewhere(parser, monkeypatch):
    held = []

    def make(name, proto):
        assert held == [(4 << 20) - len(data)] and threading.current_thread() is not threading.main_thread()
        return array_of(name, proto)

    monkeypatch.setattr("kind.serving.server.parsing.array_of", make)
    monkeypatch.setattr(Call, "hold", lambda self, size: held.append(size))
    data = constants(1, 1, 1024, 1024)
    assert asyncio.run(parser.read_message(data, call())).inputs["a0"].shape == (1, 1024, 1024)


def test_who_is_in_a_hurry_does_not_end_the_process_that_reads_for_all(parser):
    async def read_all():
        good = message_of(b"a" * (2 << 20))
        await parser.read_message(good, call())
        child = parser._child
        with pytest.raises(ServingError, match="the request was not read within 0.001 s"):
            await parser.read_message(good, Call(0.001))
        assert (await parser.read_message(good, call())).spec.name == "kind"
        assert parser._child is child and not child.has_ended

    asyncio.run(read_all())


@pytest.mark.parametrize("dtype", "float32 float64 float16 int32 int64 uint8 bool uint64".split())
@pytest.mark.parametrize("shape", [(), (1,), (3, 2), (0, 4)])
def test_messages_are_as_tensorflow_makes_and_reads_them(dtype, shape):
    import tensorflow as tf

    array = (np.arange(np.prod(shape)) % 2).reshape(shape).astype(dtype)
    expected = tf.make_tensor_proto(array)
    assert proto_of(array).SerializeToString() == expected.SerializeToString()
    assert (array_of("x", expected) == array).all() and array_of("x", expected).dtype == array.dtype
    if array.size > 1:  # numbers in a field of their own, of which the last stands for the rest
        spelled = tf.make_tensor_proto(array.tolist(), dtype)
        assert (array_of("x", spelled) == array).all()
        last = tf.make_tensor_proto(array.ravel()[:1].tolist(), dtype, shape)
        assert (array_of("x", last) == tf.make_ndarray(last)).all()


def test_strings_are_as_tensorflow_makes_them():
    import tensorflow as tf

    array = np.array([[b"a", b""], [b"\xff", b"b"]], object)
    assert proto_of(array) == tf.make_tensor_proto(array)
    assert (array_of("x", proto_of(array)) == array).all()


@pytest.mark.parametrize("dtype", ["DT_STRING", "DT_FLOAT"])
def test_a_shape_that_no_array_can_have_is_the_senders_mistake(dtype):
    proto = TensorProto(dtype=DataType.Value(dtype))
    for size in (0, 1 << 62, 1 << 62):
        proto.tensor_shape.dim.add(size=size)
    with pytest.raises(ServingError, match="'x': not a tensor") as caught:
        array_of("x", proto)
    assert caught.value.code == "INVALID_ARGUMENT"


def test_a_signature_without_inputs_is_refused():
    signature = Signature("serving_default", SignatureDef())
    with pytest.raises(ServingError, match="batch size of 1 or more, received none"):
        signature.check({}, 1000)


def test_one_text_keeps_the_zeros_at_its_end():
    import tensorflow as tf

    from kind.serving.worker.runs import Runs

    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        text = tf.constant(b"a\0\0")
        definition = SignatureDef()
        definition.outputs["text"].name = text.name
        runs = Runs(session, {"say": definition})
        with runs.stoppable("one", 60.0) as switch:
            assert runs.run("say", {}, 60.0, switch)["text"].item() == b"a\0\0"


def test_a_session_gives_what_the_saved_model_gives(saved_brightener, images):
    import tensorflow as tf

    from kind.serving.worker.loading import LoadedModel

    model = LoadedModel(saved_brightener)
    functions = tf.saved_model.load(str(saved_brightener)).signatures
    assert set(model.signatures) == set(functions)
    files, alpha = np.array([images(), images(3, 5, 99)], object), np.array([2.0, 0.5], np.float32)
    for name, function in functions.items():
        inputs = {"image_bytes": files, "images": np.ones((2, 3, 4, 3), np.float32), "alpha": alpha}
        inputs["brightness"] = np.array([0.4, 0.6], np.float32)
        inputs = {key: inputs[key] for key in model.signatures[name].inputs}
        outputs = model.run(name, inputs)
        expected = function(**{key: tf.constant(value) for key, value in inputs.items()})
        assert outputs.keys() == expected.keys()
        for key, value in expected.items():
            assert outputs[key].dtype == value.numpy().dtype and (outputs[key] == value.numpy()).all()
    model.close()


SPINNING = """
import sys, tensorflow as tf

class Spinning(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def spin(self, x):
        return {"y": tf.while_loop(lambda y: y[0] >= 0, lambda y: (y + 0,), (x,))[0]}

model = Spinning()
tf.saved_model.save(model, sys.argv[1], {"serving_default": model.spin})
"""


@pytest.mark.slow
def test_the_command_ends_in_time_whatever_a_model_does(tmp_path):
    folder = tmp_path / "spinning"
    subprocess.run([sys.executable, "-c", SPINNING, str(folder / "1")], check=True)
    command = [sys.executable, "-m", "kind", "serve", str(folder), "--rest-port", "0", "--grpc-port", "0"]
    command += ["--timeout", "3", "--grace", "1"]

    def ask(address, x, answers):
        import urllib3

        url = f"{address}v1/models/spinning:predict"
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            answer = urllib3.request("POST", url, json={"inputs": [x]}, retries=False, timeout=60)
            answers.append(answer.status)

    for number in (signal.SIGTERM, signal.SIGKILL):
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            address, answers = server.stdout.readline().split()[-1], []
            while answers[-1:] != [200]:  # 503 while the model is loaded
                ask(address, -1.0, answers)
            answers.clear()
            ask(address, 1.0, answers)  # does not end
            while answers[-1] != 200:  # 504 while it is loaded again
                ask(address, -1.0, answers)
            assert set(answers[:-1]) == {504}
            children = subprocess.check_output(["ps", "--ppid", str(server.pid), "-o", "pid="], text=True)
            answers.clear()
            asking = threading.Thread(target=ask, args=(address, 1.0, answers), daemon=True)
            asking.start()
            time.sleep(0.5)
            server.send_signal(number)
            assert server.wait(20) == (0 if number == signal.SIGTERM else -number)
            asking.join(60)
            assert 504 not in answers  # the request's time limit did not have to pass
            for child in children.split():
                wait_until(functools.partial(has_ended, child), 20)
        finally:
            server.kill()
            server.wait()
            server.stdout.close()


@pytest.mark.slow
def test_clients_that_hang_up_stop_what_they_have_asked_for(tmp_path):
    import grpc
    import urllib3

    folder = tmp_path / "spinning"
    subprocess.run([sys.executable, "-c", SPINNING, str(folder / "1")], check=True)
    command = [sys.executable, "-m", "kind", "serve", str(folder), "--rest-port", "0", "--grpc-port", "0"]
    server = subprocess.Popen([*command, "--timeout", "3600"], stdout=subprocess.PIPE, text=True)
    try:
        lines = [server.stdout.readline() for _ in range(3)]
        url = f"{lines[0].split()[-1]}v1/models/spinning:predict"

        def ask(x, seconds):
            return urllib3.request("POST", url, json={"inputs": [x]}, retries=False, timeout=seconds).status

        assert ask(-1.0, 120) == 200
        for _ in range(3):  # more than run at a time
            with pytest.raises(urllib3.exceptions.TimeoutError):
                ask(1.0, 1.0)
            with grpc.insecure_channel(lines[2].split()[-1]) as channel:
                request = predict_pb2.PredictRequest()
                request.model_spec.name = "spinning"
                request.inputs["x"].CopyFrom(proto_of(np.float32([1])))
                predict = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
                hanging = predict.future(request.SerializeToString())
                time.sleep(1)
                hanging.cancel()
            assert ask(-1.0, 120) == 200
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_a_graph_that_never_ends_is_stopped_when_nobody_waits_for_it(tmp_path):
    model = endless(tmp_path)
    with pytest.raises(ServingError, match="not answered in time"):
        model.run("run", {"x": np.float32([1])}, 0.2)
    assert model.run("run", {"x": np.float32([-1])}, 60.0)["y"] == [-1]


def test_a_run_is_stopped_from_elsewhere_and_no_other_is(tmp_path):
    model = endless(tmp_path)
    model.stop("nothing")
    with ThreadPoolExecutor(2) as threads:
        runs = {name: threads.submit(model.run, "run", {"x": np.float32([1])}, 60.0, name) for name in "ab"}
        for name in "ba":
            while not runs[name].done():  # it may not have begun
                model.stop(name)
                time.sleep(0.01)
            assert name == "a" or not runs["a"].done()
            with pytest.raises(ServingError, match="stopped") as caught:
                runs[name].result()
            assert caught.value.code == "CANCELLED"
    for _ in range(100):  # more than there are switches
        assert model.run("run", {"x": np.float32([-1])}, 60.0, "c")["y"] == [-1]


def endless(folder):
    """A model whose signature "run" ends for negative numbers alone."""
    import tensorflow as tf

    from kind.serving.worker.loading import LoadedModel

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def run(x):
        return {
            "y": tf.while_loop(lambda value: tf.reduce_all(value >= 0), lambda value: (value * 0.5,), (x,))[0]
        }

    tf.saved_model.save(module, str(folder / "1"), signatures={"run": run})
    return LoadedModel(folder / "1")
