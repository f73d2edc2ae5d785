"""The client's retries and time-outs, the commands that use it, and what it costs to import."""

import base64
import http.server
import io
import json
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kind.cli.main import main
from kind.errors import UserError
from kind.images.photo import read_photo, write_photo
from kind.serving.client import Client, ServerError

REPOSITORY = Path(__file__).resolve().parents[4]


@pytest.fixture
def scripted():
    """A server that answers what it is told: a status, or "drop" to hang up, or seconds to wait."""
    answers, requests = [], []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = answers.pop(0) if answers else 200
            if answer == "drop":
                self.connection.close()
                return
            if isinstance(answer, float):
                time.sleep(answer)
                answer = 200
            image = {"b64": base64.b64encode(b"relit").decode()}
            content = {"outputs": [image]} if answer == 200 else {"error": f"told to say {answer}"}
            body = json.dumps(content).encode()
            self.send_response(answer)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # closing waits for all of them
    server.handle_error = lambda *_: None  # clients that give up are what some tests are about
    server.answers, server.requests = answers, requests
    server.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    from kind.serving import client

    monkeypatch.setattr(client, "_FIRST_PAUSE", 0.01)


def test_a_busy_or_broken_server_is_tried_again(scripted):
    scripted.answers += [503, "drop", 502, 503]
    with Client(scripted.address) as client:
        assert client.enhance(b"image", alpha=2) == b"relit"
    assert len(scripted.requests) == 5
    assert scripted.requests[4] == {
        "signature_name": "enhance",
        "inputs": {"image_bytes": [{"b64": base64.b64encode(b"image").decode()}], "alpha": [2.0]},
    }


def test_wishes_are_sent_and_do_not_go_together(scripted):
    with Client(scripted.address) as client:
        assert client.enhance(b"image", strength=0.5) == b"relit"
        with pytest.raises(ValueError, match="not both"):
            client.enhance(b"image", alpha=2, strength=0.5)
        with pytest.raises(ValueError, match="alpha or brightness, not both"):
            client.enhance(b"image", alpha=2, brightness=0.5)
        assert client.enhance(b"image", brightness=0.5) == b"relit"
    assert scripted.requests[0]["signature_name"] == "blend"
    assert scripted.requests[0]["inputs"]["strength"] == [0.5]
    assert scripted.requests[1]["signature_name"] == "enhance_to_brightness"
    assert scripted.requests[1]["inputs"]["brightness"] == [0.5]


def test_patience_ends(scripted):
    scripted.answers += [503] * 10
    with (
        Client(scripted.address, retries=2) as client,
        pytest.raises(ServerError, match="told to say 503") as caught,
    ):
        client.enhance(b"image")
    assert len(scripted.requests) == 3 and caught.value.code == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("status", "code"), [(400, "INVALID_ARGUMENT"), (404, "NOT_FOUND"), (413, "INVALID_ARGUMENT")]
)
def test_the_senders_mistakes_are_not_tried_again(scripted, status, code):
    scripted.answers += [status]
    with Client(scripted.address) as client, pytest.raises(ServerError) as caught:
        client.enhance(b"image")
    assert caught.value.code == code and len(scripted.requests) == 1


def test_time_is_limited_retries_included(scripted):
    scripted.answers += [2.0]
    with (
        Client(scripted.address, timeout=0.3) as client,
        pytest.raises(ServerError, match="no answer within"),
    ):
        client.enhance(b"image")
    scripted.answers += [503] * 100
    with (
        Client(scripted.address, timeout=0.3, retries=100) as client,
        pytest.raises(ServerError, match="503"),
    ):
        client.enhance(b"image")
    assert len(scripted.requests) < 50


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_nobody_there(protocol):
    with (
        Client("127.0.0.1:1", protocol, retries=1, timeout=5) as client,
        pytest.raises(ServerError) as caught,
    ):
        client.status()
    assert caught.value.code == "UNAVAILABLE" and "127.0.0.1:1" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_comes_up_late_is_waited_for(running, model_folder, settings_for, monkeypatch, images):
    from kind.serving import client as module

    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.3)
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    late = []
    with Client(f"127.0.0.1:{port}", retries=20, timeout=60) as client:
        asking = threading.Thread(target=lambda: late.append(client.enhance(images())))
        asking.start()
        time.sleep(0.2)
        with running(settings_for(model_folder, rest_port=port)):
            asking.join()
    assert late[0].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("",), "host:port"),
        (("ftp://x:1",), "host:port"),
        (("x:1", "soap"), "protocol expects"),
        (("nowhere", "grpc"), "host:port"),
    ],
)
def test_addresses_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        Client(*arguments)


def test_a_missing_file_is_named():
    with Client("127.0.0.1:1") as client, pytest.raises(UserError, match="none.png: cannot be read"):
        client.enhance("none.png")


def test_the_rest_client_needs_no_tensorflow():
    code = (
        "import sys; from kind.serving import Client; Client('x:1').close(); import kind.cli.remote; "
        "assert 'tensorflow' not in sys.modules and 'grpc' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


@pytest.fixture
def photographs(tmp_path):
    """A dark one lying on its side, a gray one with transparency, and a file that is none."""
    folder = tmp_path / "in"
    folder.mkdir()
    pixels = np.full((20, 30, 3), 30, np.uint8)
    pixels[:, :15] = 10
    exif = Image.Exif()
    exif[0x0112] = 6  # turned
    Image.fromarray(pixels).save(folder / "1.jpg", quality=100, exif=exif)
    Image.new("LA", (7, 5), (100, 100)).save(folder / "2.png")
    (folder / "3.png").write_text("hello")
    return folder


@pytest.fixture
def served(running, model_folder, settings_for):
    with running(settings_for(model_folder)) as server:
        yield {"rest": f"127.0.0.1:{server.rest_port}", "grpc": f"127.0.0.1:{server.grpc_port}"}


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_remote_enhance_writes_as_enhance_does(served, photographs, tmp_path, capsys, protocol):
    out = tmp_path / "out"
    words = ["--server", served[protocol], "--protocol", protocol, "--alpha", "3"]
    assert main(["remote", "enhance", str(photographs), "--out", str(out), *words]) == 1
    output = capsys.readouterr()
    assert [line.split()[:3] for line in output.out.splitlines()[1:]] == [
        ["1.jpg", "20x30", "3"],
        ["2.png", "7x5", "3"],
    ]
    assert "3.png: not an image" in output.err and "Traceback" not in output.err
    turned, gray = read_photo(out / "1.jpg"), read_photo(out / "2.png")
    assert turned.pixels.shape == (30, 20, 3) and turned.pixels.max() == pytest.approx(90 / 255, abs=0.02)
    assert np.ptp(gray.pixels, axis=-1).max() == 0 and gray.alpha is not None
    with closing(Image.open(out / "2.png")) as image:
        assert image.getpixel((0, 0))[0] == 255 and image.getpixel((0, 0))[-1] == 100
    words[-2:] = ["--brightness", "0.5", "--overwrite"]
    assert main(["remote", "enhance", str(photographs / "2.png"), "--out", str(out), *words]) == 0
    assert read_photo(out / "2.png").pixels.mean() == pytest.approx(0.5, abs=0.01)


def test_remote_detect_writes_as_detect_does(served, photographs, tmp_path, capsys):
    (photographs / "3.png").unlink()
    out = tmp_path / "out"
    assert main(["remote", "detect", str(photographs), "--out", str(out), "--server", served["rest"]]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "1.jpg",
        "2.png",
        "detections.csv",
        "detections.json",
        "images.json",
    ]
    first = json.loads((out / "detections.json").read_text())[0]
    assert first == {"image_id": 1, "category_id": 2, "bbox": [0, 0, 20, 30], "score": 0.75}
    images = json.loads((out / "images.json").read_text())
    assert {"id": 2, "name": "spot"} in images["categories"]
    assert "2 boxes" in capsys.readouterr().out
    words = ["--server", served["rest"], "--confidence", "0.8"]
    assert main(["remote", "detect", str(photographs), "--out", str(tmp_path / "none"), *words]) == 0
    assert json.loads((tmp_path / "none/detections.json").read_text()) == []


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_remote_changes_writes_as_changes_does(
    running, comparing_folder, settings_for, tmp_path, capsys, protocol
):
    """Registered here and compared there, with the limits of other requests."""
    place = (
        np.random.default_rng(0).random((35, 40, 1)).repeat(6, axis=0).repeat(6, axis=1).repeat(3, axis=2) / 4
    )
    after = np.roll(place, (4, -6), (0, 1))
    after[104:134, 74:104] = 1
    for name, pixels in (("day", place), ("later", after)):
        write_photo(tmp_path / f"{name}.png", pixels)
    words = [
        str(tmp_path / "day.png"),
        str(tmp_path / "later.png"),
        "--model",
        "comparing",
        "--protocol",
        protocol,
    ]
    settings = settings_for(comparing_folder)
    limits = replace(settings.limits, pixels=2 * 210 * 240)  # both together
    with running(replace(settings, limits=limits)) as server:
        port = server.rest_port if protocol == "rest" else server.grpc_port
        words += ["--server", f"127.0.0.1:{port}"]
        assert main(["remote", "changes", *words, "--out", str(tmp_path / "out")]) == 0
        with pytest.raises(ServerError, match="the limit is 100800"):
            with Client(f"127.0.0.1:{server.rest_port}", model="comparing") as client:
                larger = tmp_path / "larger.png"
                write_photo(larger, np.zeros((211, 240, 3)))
                client.detect_changes(larger, larger)
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["after.jpg", "before.jpg", "changes.json", "mask.png", "summary.json"]
    assert "1 changed regions" in capsys.readouterr().out
    (region,) = json.loads((tmp_path / "out" / "changes.json").read_text())["features"]
    np.testing.assert_allclose(region["properties"]["box"], [80, 100, 110, 130], atol=2)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["shift"] == pytest.approx(np.hypot(4, 6), abs=0.2) and summary["compared"] < 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--server", "127.0.0.1:1", "--timeout", "0.2"], "cannot be reached"),
        (["--server", "ftp://x"], "--server: address expects host:port"),
        (["--timeout", "0"], "--timeout expects"),
        (["--alpha", "-1"], "--alpha expects"),
        (["--alpha", "2", "--brightness", "0.5"], "--brightness and --alpha both say how bright"),
        (["--strength", "0.4", "--brightness", "0.5"], "give --brightness or --strength, not both"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(served, photographs, tmp_path, capsys, words, message):
    arguments = ["remote", "enhance", str(photographs), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--server", served["rest"], *words]) == 2
    output = capsys.readouterr()
    lines = [line for line in output.err.splitlines() if "version" not in line]
    assert output.out == "" and len(lines) == 1 and message in lines[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none"], "none: no such folder"),
        ([".", "--rest-port", "70000"], "--rest-port expects"),
        ([".", "--rest-port", "8000", "--grpc-port", "8000"], "two different ports"),
        ([".", "--timeout", "nan"], "--timeout expects a number over 0, received nan"),
        ([".", "--max-pixels", "0"], "--max-pixels expects 1 or more, received 0"),
        ([".", "--model-name", "a/b"], "--model-name expects"),
        ([".", "--no-batching", "--batching-parameters-file", "x"], "disagree"),
        ([".", "--batching-parameters-file", "none.pbtxt"], "none.pbtxt: cannot be read"),
        (["."], "expected version folders"),
    ],
)
def test_serve_says_what_is_wrong(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert main(["serve", *words]) == 2
    errors = capsys.readouterr().err
    assert len(errors.splitlines()) == 1 and message in errors


def test_detections_are_arrays(served):
    file = io.BytesIO()
    Image.new("RGB", (8, 4)).save(file, "PNG")
    with Client(served["rest"]) as client:
        found = client.detect(file.getvalue())
    assert found.boxes.tolist() == [[0, 0, 8, 4]] and found.boxes.dtype == np.float32
    assert found.names == ("spot",) and found.classes.tolist() == [1] and found.scores.tolist() == [0.75]
