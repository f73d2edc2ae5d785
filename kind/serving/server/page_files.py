"""The web page at `/`: static files, read once, and the settings of this server that they need."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from kind.serving.server.front import Handler
from kind.serving.server.service import Service

_FOLDER = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}
_OWN_PATHS = {"index.html": "/", "openapi.json": "/openapi.json"}

# The page loads nothing from elsewhere, and nobody may frame it.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def page_handlers(service: Service) -> dict[str, Handler]:
    """The page with its files, the description of the HTTP API, and `/page/settings.json`, by path."""

    async def settings(request: web.BaseRequest) -> web.Response:
        content = {
            "models": service.manager.names(),
            "max_pixels": service.limits.pixels,
            "max_bytes": service.limits.request_bytes,
        }
        return web.json_response(content, headers=_HEADERS)

    handlers = {
        _OWN_PATHS.get(path.name, f"/page/{path.name}"): _file_handler(path)
        for path in sorted(_FOLDER.iterdir())
    }
    return {**handlers, "/page/settings.json": settings}


def _file_handler(path: Path):
    body, content_type = path.read_bytes(), _TYPES[path.suffix]
    charset = None if path.suffix == ".jpg" else "utf-8"

    async def send(request: web.BaseRequest) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset=charset, headers=_HEADERS)

    return send
