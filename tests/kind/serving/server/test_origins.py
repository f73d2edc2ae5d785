"""Only this machine's own names and pages get an answer."""

import pytest

from kind.serving.server.errors import ServingError
from kind.serving.server.origins import Sites, is_loopback

HERE = ("127.0.0.1:8501", "localhost", "LOCALHOST.:8501", "[::1]:8501", "127.8.8.8")


def refused(sites, hosts, origins=()):
    with pytest.raises(ServingError) as caught:
        sites.check(hosts, origins)
    assert caught.value.code == "PERMISSION_DENIED" and len(caught.value.message) < 320
    return caught.value.message


@pytest.mark.parametrize("host", HERE)
def test_a_loopback_server_answers_to_loopback_names(host):
    Sites("127.0.0.1").check([host], [])
    Sites("127.0.0.1").check([], [])  # HTTP/1.0


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8501", "127.0.0.1.evil.example", "localhost@evil.example", "10.0.0.1", ""]
    + ["a" * 5000, "localhost evil.example", "[::1", "localhost:x", "0.0.0.0"],
)
def test_a_loopback_server_answers_to_no_other_name(host):
    refused(Sites("127.0.0.1"), [host])


def test_a_second_host_is_refused_and_further_names_are_given():
    refused(Sites("127.0.0.1"), ["localhost", "localhost"])
    sites = Sites("127.0.0.1", ["Lab.example"])
    sites.check(["lab.example:443"], ["https://lab.example"])
    assert "--allow-host" in refused(sites, ["evil.example"])
    Sites("0.0.0.0").check(["anything.example"], [])
    refused(Sites("0.0.0.0", ["lab.example"]), ["evil.example"])


@pytest.mark.parametrize("listening", ["127.0.0.1", "0.0.0.0"])
def test_pages_of_others_are_refused_on_every_address(listening):
    sites = Sites(listening)
    sites.check(["localhost:8501"], ["http://localhost:8501"])
    sites.check(["localhost"], ["http://localhost"])
    for origin in (
        "http://evil.example",
        "http://localhost:8502",
        "http://127.0.0.1:8501",
        "null",
        "",
        "file://",
        "chrome-extension://abc",
        "http://localhost:8501/x",
        "x" * 3000,
    ):
        refused(sites, ["localhost:8501"], [origin])
    refused(sites, ["localhost:8501"], ["http://localhost:8501", "http://evil.example"])
    refused(sites, [], ["http://localhost:8501"])


def test_loopback_addresses_are_known():
    assert all(map(is_loopback, ("127.0.0.1", "::1", "localhost", "127.9.9.9")))
    assert not any(map(is_loopback, ("0.0.0.0", "", "::", "10.0.0.1", "no such name")))
