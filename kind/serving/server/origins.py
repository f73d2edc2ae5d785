"""Which web pages may use the server: the check of a request's `Host` and `Origin`.

A page from elsewhere can send requests to this machine through the browser of whoever looks at it. It gives
itself away by its `Origin`, or, when it has made its own name point here (DNS rebinding), by that name as
`Host`. Programs send no `Origin`, and as `Host` what they were told to connect to.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection, Sequence

from kind.serving.errors import echoed
from kind.serving.server.errors import ServingError

_PORTS = {"http": 80, "https": 443}
_AUTHORITY = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\s:@/\\?#\[\]]+)(?::(?P<port>\d{1,5}))?", re.IGNORECASE)


class Sites:
    """The names under which a server may be asked."""

    def __init__(self, listening: str, names: Collection[str] = ()) -> None:
        """Keeps the names.

        Args:
            listening: the address that the server listens on. On a loopback address it answers to loopback
                names only.
            names: further names; on other addresses, where there are any, only they and loopback names.
        """
        self._given = {_plain(name) for name in names}
        self._listening = _plain(listening)
        self._strict = bool(names) or is_loopback(listening)

    def check(self, hosts: Sequence[str], origins: Sequence[str]) -> None:
        """Checks who is asked, and by which page.

        Args:
            hosts: the values of all headers `Host`; none at all comes from old programs, never from a page.
            origins: the values of all headers `Origin`.

        Raises:
            ServingError: PERMISSION_DENIED for the name or the page of somebody else.
        """
        named = [_AUTHORITY.fullmatch(host) for host in hosts]
        if len(hosts) > 1 or not all(named) or not all(self._is_own(found["name"]) for found in named):
            raise ServingError(
                "PERMISSION_DENIED",
                f"Host {echoed(', '.join(hosts))} is not a name of this server; "
                "kind serve --allow-host NAME adds one",
            )
        for origin in origins:
            if not self._is_same(origin, named[0] if named else None):
                raise ServingError(
                    "PERMISSION_DENIED", f"pages of {echoed(origin)} may not send requests to this server"
                )

    def _is_own(self, name: str) -> bool:
        plain = _plain(name)
        return not self._strict or plain in {*self._given, self._listening} or _is_loopback_name(plain)

    def _is_same(self, origin: str, host: re.Match | None) -> bool:
        scheme, _, authority = origin.lower().partition("://")
        found = _AUTHORITY.fullmatch(authority)
        if found is None or host is None or scheme not in _PORTS:
            return False
        if _plain(found["name"]) in self._given:  # such as a proxy's name
            return True
        default = _PORTS[scheme]
        same_port = int(found["port"] or default) == int(host["port"] or default)
        return same_port and _plain(found["name"]) == _plain(host["name"])


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address to listen on; a name is resolved."""
    try:
        found = socket.getaddrinfo(address or None, 0, flags=socket.AI_PASSIVE, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(_is_loopback_name(str(each[4][0])) for each in found)


def _is_loopback_name(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _plain(name: str) -> str:
    return name.lower().strip("[]").removesuffix(".")
