"""The HTTP port as a whole: who may ask, who answers, and errors as JSON."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from kind.serving.errors import echoed
from kind.serving.server.connections import NOSNIFF, error_response
from kind.serving.server.errors import ErrorWords, ServingError, words_of
from kind.serving.server.origins import Sites

Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]


class Front:
    """Finds the handler of a request."""

    def __init__(self, sites: Sites, api: Handler, pages: Mapping[str, Handler]) -> None:
        """Answers what begins with /v1/ with `api`, and GET of other paths with `pages`."""
        self._sites, self._api, self._pages = sites, api, pages

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        """Answers one request, whatever happens."""
        request.protocol.begin()
        try:
            response = await self._answer(request)
            response.headers.update(NOSNIFF)
            return response
        finally:
            request.protocol.end()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        try:
            self._sites.check(request.headers.getall("Host", []), request.headers.getall("Origin", []))
            if request.headers.get("Expect", "100-continue").lower() != "100-continue":
                return _refused(request, 417, "Expectation Failed")
            if request.path.startswith("/v1/"):
                return await self._api(request)
            page = self._pages.get(request.path)
            if page is None:
                return _refused(request, 404, "Not Found")
            if request.method not in ("GET", "HEAD"):
                return _refused(request, 405, "Method Not Allowed", {"Allow": "GET, HEAD"})
            return await page(request)
        except (ServingError, MemoryError) as error:
            return _told(words_of(error))
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception:
            traceback.print_exc()
            return error_response("internal error; the server's log says more", 500)


def _told(words: ErrorWords) -> web.Response:
    again = {"Retry-After": "1"} if words.http_status == 503 else {}
    return error_response(words.message, words.http_status, again)


def _refused(
    request: web.BaseRequest, status: int, reason: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    return error_response(f"{reason}: {request.method} {echoed(request.path)}", status, headers)
