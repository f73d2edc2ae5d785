"""Addresses, against a server of this process."""

import http.server
import socket
import threading

import pytest

from kind.images.fetching import fetch, is_address, name_of
from kind.images.pixels import ImageError

DATA = bytes(range(256)) * 20


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        where = self.path
        if where == "/gone.jpg":
            self.send_error(404)
        elif where in ("/moved", "/to-ftp", "/to-a-file", "/circle"):
            target = {
                "/moved": "/a.jpg",
                "/to-ftp": "ftp://x/y",
                "/to-a-file": "file:///etc/passwd",
                "/circle": "/circle",
            }[where]
            self.send_response(302)
            self.send_header("Location", target)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif where == "/slow":
            threading.Event().wait(0.3)
        else:
            self.send_response(200)
            if where != "/of-unknown-length":
                self.send_header("Content-Length", str(len(DATA) + (where == "/cut") * 9))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(DATA)
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.daemon_threads, server.block_on_close = True, False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("place", ["/a.jpg", "/moved", "/of-unknown-length"])
def test_a_file_arrives_whole(server, place):
    assert fetch(server + place) == DATA
    assert fetch(server + place, most_bytes=len(DATA)) == DATA


@pytest.mark.parametrize(
    "place, limits, reason",
    [
        ("/gone.jpg", {}, "the server answers 404 Not Found: open the address"),
        ("/a.jpg", {"most_bytes": 1 << 10}, "is longer than 0.000976562 MiB"),
        ("/of-unknown-length", {"most_bytes": len(DATA) - 1}, "is longer than"),
        ("/cut", {}, "the connection ended before the file did"),
        ("/to-a-file", {}, "Redirection to url 'file:///etc/passwd' is not allowed"),
        ("/to-ftp", {}, "it leads to 'ftp://x/y', which is neither http nor https"),
        ("/circle", {}, "302"),
        ("/slow", {"seconds": 0.05}, "the server takes too long"),
        ("/a.jpg", {"seconds_together": -1}, "the server takes too long"),
        (":x/", {}, "cannot be fetched"),
    ],
)
def test_what_goes_wrong_is_one_line_that_names_the_address(server, place, limits, reason):
    with pytest.raises(ImageError, match=reason) as caught:
        fetch(server + place, **limits)
    assert str(caught.value).startswith(server + place) and "\n" not in str(caught.value)


def test_nobody_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/a.jpg"
        with pytest.raises(ImageError, match="cannot be fetched .*: check the address"):
            fetch(address)


def test_names():
    assert is_address("HTTPS://a/b") and not is_address("ftp://a/b") and not is_address("http.jpg")
    assert name_of("http://a/b/night%20one.jpg?x=/c.png#d") == "night one.jpg"
    assert name_of("http://a") == name_of("http://a/..") == "photograph"
    assert name_of("http://a/%2e%2e%2f%2e.hidden.png") == "hidden.png"
