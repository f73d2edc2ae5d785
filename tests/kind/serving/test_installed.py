"""What an installation without the extra `serve` says."""

import importlib.util
import subprocess
import sys

import pytest

from kind.cli.main import main
from kind.errors import UserError
from kind.serving import Client


@pytest.fixture
def without(monkeypatch):
    """Names of packages → as if they were not installed."""
    find = importlib.util.find_spec

    def without(*missing):
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *rest: None if name in missing else find(name, *rest)
        )

    return without


def test_commands_name_what_is_missing_in_one_line(without, tmp_path, capsys):
    without("aiohttp", "grpc", "tensorflow_serving", "prometheus_client", "urllib3")
    (tmp_path / "a.png").write_bytes(b"")
    for words, missing in (
        (["serve", str(tmp_path)], "kind serve needs aiohttp, grpc, prometheus_client, tensorflow_serving"),
        (["export", "--out", str(tmp_path / "kind")], "--format saved_model needs tensorflow_serving"),
        (
            ["remote", "enhance", str(tmp_path / "a.png"), "--out", str(tmp_path / "lit")],
            "a client of rest needs urllib3",
        ),
    ):
        assert main(words) == 2
        assert capsys.readouterr().err == f"kind: {missing}: install with pip install 'kind[serve]'\n"


def test_the_client_needs_what_its_protocol_needs(without):
    without("aiohttp", "grpc", "tensorflow_serving", "prometheus_client")
    Client("127.0.0.1:1").close()
    with pytest.raises(
        UserError, match=r"grpc, tensorflow_serving: install with pip install 'kind\[serve\]'"
    ):
        Client("127.0.0.1:1", "grpc")


@pytest.mark.parametrize("first", ["client", "transport_rest", "transport_grpc"])
def test_client_and_transports_can_be_imported_in_any_order(first):
    script = f"import kind.serving.{first}, kind.serving.client, kind.serving.transport_rest"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_rest_client_needs_no_tensorflow():
    script = "import sys; from kind.serving import Client, ServerError; Client('127.0.0.1:1'); "
    subprocess.run([sys.executable, "-c", script + "assert 'tensorflow' not in sys.modules"], check=True)
