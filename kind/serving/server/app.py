"""The server as a whole: start, run until told to stop, and stop without dropping a request."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import grpc
from aiohttp import web

from kind.constants import GRPC_PORT, REST_PORT
from kind.errors import UserError
from kind.serving.limits import GRACE, Limits
from kind.serving.server.batching import Scheduler
from kind.serving.server.loading import LoadedModel
from kind.serving.server.metrics import Metrics
from kind.serving.server.page_files import add_page
from kind.serving.server.parameters import METRICS_PATH, UNBATCHED, Batching
from kind.serving.server.rest import RestApi, errors_as_json
from kind.serving.server.rpc import add_services
from kind.serving.server.service import Service
from kind.serving.server.version_folders import ModelConfig
from kind.serving.server.versions import ModelManager, State

_LONGEST_CLOSING = 2.0  # seconds for connections to close once everything is answered


@dataclass(frozen=True)
class Settings:
    """How to serve.

    Attributes:
        models: at least one.
        root: models may be loaded from folders in here when a client asks for it.
        host: the address to listen on.
        rest_port: 0 takes a free one.
        grpc_port: likewise.
        batching: see `Batching`.
        metrics_path: on the REST port; None for no metrics.
        limits: of one request.
        poll_seconds: interval at which the version folders are checked.
        trust: whether models may hold operations that no export holds, see `LoadedModel`.
        grace: seconds for the requests that have arrived when the server is told to stop.
    """

    models: tuple[ModelConfig, ...]
    root: Path
    host: str = "127.0.0.1"
    rest_port: int = REST_PORT
    grpc_port: int = GRPC_PORT
    batching: Batching = UNBATCHED
    metrics_path: str | None = METRICS_PATH
    limits: Limits = Limits()
    poll_seconds: float = 1.0
    trust: bool = False
    grace: float = GRACE


class Server:
    """Serves one set of models over REST and gRPC, with the page; for one event loop.

    Attributes:
        rest_port: the port in use, once started.
        grpc_port: likewise.
    """

    def __init__(self, settings: Settings) -> None:
        """Prepares the parts; `start` loads the models and listens."""
        self.settings = settings
        self.metrics = Metrics()
        self.manager = ModelManager(
            settings.models, functools.partial(LoadedModel, trust=settings.trust), self.metrics.loaded
        )
        self.rest_port = self.grpc_port = 0
        self._scheduler: Scheduler | None = None
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._rpc: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Loads the models, then listens.

        Raises:
            UserError: a model cannot be loaded, or a port is taken.
        """
        settings = self.settings
        for port in (settings.rest_port, settings.grpc_port):
            _check_free(settings.host, port)
        await asyncio.get_running_loop().run_in_executor(None, self.manager.poll)
        _check_loaded(self.manager, settings.models)
        self._scheduler = Scheduler(settings.batching, self.metrics)
        self.service = Service(self.manager, self._scheduler, self.metrics, settings.limits)
        await self._start_rest()
        await self._start_rpc()
        self.manager.watch(settings.poll_seconds)

    async def _start_rest(self) -> None:
        settings = self.settings
        app = web.Application(middlewares=[errors_as_json], client_max_size=settings.limits.request_bytes)
        RestApi(self.service).add_routes(app, settings.metrics_path)
        add_page(app, self.service)
        # A sender who has gone away frees its place in the queue.
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=_LONGEST_CLOSING
        )
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, settings.host, settings.rest_port)
        try:
            await self._site.start()
        except OSError as error:
            raise _taken(settings.host, settings.rest_port, error) from error
        self.rest_port = self._runner.addresses[0][1]

    async def _start_rpc(self) -> None:
        settings = self.settings
        # Without so_reuseport: 0 a second server would share the port in silence.
        options = [
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", settings.limits.request_bytes),
            ("grpc.max_send_message_length", -1),
        ]
        self._rpc = grpc.aio.server(options=options)
        add_services(self._rpc, self.service, settings.root)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        try:
            self.grpc_port = self._rpc.add_insecure_port(f"{host}:{settings.grpc_port}")
        except RuntimeError as error:
            raise _taken(settings.host, settings.grpc_port, error) from error
        await self._rpc.start()

    async def stop(self) -> None:
        """Refuses new requests, answers those that have arrived, then closes."""
        if self._runner is None:
            return
        self.service.stopping = True
        grace = self.settings.grace
        if self._site:
            await self._site.stop()  # no new connections
        if self._rpc:
            await self._rpc.stop(grace)
        deadline = asyncio.get_running_loop().time() + grace
        while self.service.in_flight and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        await self._runner.cleanup()
        self._runner = None
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self.manager.stop)
        await loop.run_in_executor(None, self._scheduler.stop)


def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, and prints where.

    Raises:
        UserError: see `Server.start`.
    """
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    server, told = Server(settings), asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        await server.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, told.set)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        print(f"page    http://{host}:{server.rest_port}/")
        for name in server.manager.names():
            print(f"REST    http://{host}:{server.rest_port}/v1/models/{name}")
        print(f"gRPC    {host}:{server.grpc_port}", flush=True)
        await told.wait()
        print("kind: stopping: answering what has arrived", file=sys.stderr, flush=True)
    finally:
        await server.stop()


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[Server]:
    """A server in a thread of this process, for as long as the block lasts.

    Raises:
        UserError: see `Server.start`.
    """
    started: Future = Future()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        server, done = Server(settings), asyncio.Event()
        try:
            await server.start()
        except BaseException as error:
            await server.stop()
            started.set_exception(error)
            return
        started.set_result((server, done))
        await done.wait()
        await server.stop()

    def work() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(run())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    thread = threading.Thread(target=work, name="server", daemon=True)
    thread.start()
    try:
        server, done = started.result()
        try:
            yield server
        finally:
            loop.call_soon_threadsafe(done.set)
    finally:
        thread.join()


def _check_free(host: str, port: int) -> None:
    """Checks that a port is free before seconds are spent on loading models."""
    if not port:
        return
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, OverflowError) as error:
        raise _taken(host, port, error) from error


def _taken(host: str, port: int, error: Exception) -> UserError:
    reason = getattr(error, "strerror", None) or str(error).split("\n")[0]
    return UserError(
        f"cannot listen on {host} port {port} ({reason}): choose another --rest-port or --grpc-port"
    )


def _check_loaded(manager: ModelManager, configs: tuple[ModelConfig, ...]) -> None:
    for config in configs:
        try:
            versions = manager.status(config.name)
        except Exception:
            raise UserError(
                f"{config.base_path}: expected version folders such as {config.base_path / '1'} with a "
                "saved_model.pb; found none (python -m kind export writes them)"
            ) from None
        if not any(version.state is State.AVAILABLE for version in versions):
            failed = versions[0]
            raise UserError(f"{failed.folder}: cannot be served: {failed.error.message}")
