"""The server as a whole: start, run until told to stop, and stop without dropping a request."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc

from kind.constants import GRPC_PORT, REST_PORT
from kind.enhancing.tiling.freed_memory import keep_small_pieces
from kind.errors import UserError
from kind.serving.limits import GRACE, Limits
from kind.serving.server.batching import Scheduler
from kind.serving.server.connections import (
    Connections,
    connections_within_handles,
    end_crowded,
    report_of_loop,
    said,
)
from kind.serving.server.front import Front
from kind.serving.server.metrics import Metrics
from kind.serving.server.origins import Sites, is_loopback
from kind.serving.server.page_files import page_handlers
from kind.serving.server.parameters import METRICS_PATH, UNBATCHED, Batching
from kind.serving.server.rest import RestApi
from kind.serving.server.rpc import add_services
from kind.serving.server.service import Service
from kind.serving.server.trimming import trim_in_background
from kind.serving.server.version_folders import ModelConfig, version_folders
from kind.serving.server.version_process import VersionProcess, Workers
from kind.serving.server.versions import ModelManager, State

_LONGEST_CLOSING, _LEAST_CLOSING = 0.5, 0.05  # seconds for connections to close once everything is answered
_MOVED = 8 << 20  # bytes after which freed memory is given back: many half uploads leave holes in the heap
_BETWEEN_COUNTS = 0.1  # seconds between two looks at gRPC's connections
_OPEN = 20  # times as long as a new gRPC connection may be silent, it may stay open


@dataclass(frozen=True)
class Settings:
    """How to serve.

    Attributes:
        models: at least one.
        host: the address to listen on.
        allow_hosts: further names of the server, see `Sites`.
        allow_reload: whether clients may choose other versions, in the folders of the models.
        rest_port: 0 takes a free one.
        grpc_port: likewise.
        batching: see `Batching`.
        metrics_path: on the REST port; None for no metrics.
        limits: of a request, and of all together.
        poll_seconds: interval at which the version folders are checked.
        trust: whether models may hold operations that no export holds, see
            `kind.serving.worker.loading.LoadedModel`.
        grace: seconds for the requests that have arrived when the server is told to stop.
        load: loads a version folder; None makes a process for each version.
    """

    models: tuple[ModelConfig, ...]
    host: str = "127.0.0.1"
    allow_hosts: tuple[str, ...] = ()
    allow_reload: bool = False
    rest_port: int = REST_PORT
    grpc_port: int = GRPC_PORT
    batching: Batching = UNBATCHED
    metrics_path: str | None = METRICS_PATH
    limits: Limits = Limits()
    poll_seconds: float = 1.0
    trust: bool = False
    grace: float = GRACE
    load: Callable[[Path], VersionProcess] | None = None


class Server:
    """Serves one set of models over REST and gRPC, with the page; for one event loop.

    Attributes:
        rest_port: the port in use, once started.
        grpc_port: likewise.
    """

    def __init__(self, settings: Settings) -> None:
        """Prepares the parts."""
        self.settings = settings
        self.metrics = Metrics()
        self._workers = Workers(settings.trust, settings.limits.seconds)
        load = settings.load or self._workers.load
        self.manager = ModelManager(settings.models, load, self.metrics.loaded)
        self.rest_port = self.grpc_port = 0
        self._connections: Connections | None = None
        self._rpc: grpc.aio.Server | None = None
        self._watcher: asyncio.Task | None = None

    async def listen(self) -> None:
        """Listens; requests wait for `load`.

        Raises:
            UserError: a port is taken, or a model has no version.
        """
        settings = self.settings
        for config in settings.models:
            if not version_folders(config.base_path):
                raise UserError(
                    f"{config.base_path}: expected version folders such as {config.base_path / '1'} with a "
                    "saved_model.pb; found none (kind export writes them)"
                )
        scheduler = Scheduler(settings.batching, self.metrics)
        self.service = Service(self.manager, scheduler, self.metrics, settings.limits)
        await self._start_rest()
        await self._start_rpc()

    async def load(self) -> None:
        """Loads the models; raises UserError when one has no version that can be loaded."""
        await asyncio.get_running_loop().run_in_executor(None, self.manager.poll)
        for config in self.settings.models:
            newest, *older = self.manager.status(config.name)
            if not any(version.state is State.AVAILABLE for version in (newest, *older)):
                raise UserError(f"{newest.folder}: cannot be served: {newest.error.message}")
        self.manager.watch(self.settings.poll_seconds)
        self.service.loaded.set()

    async def _start_rest(self) -> None:
        settings = self.settings
        api = RestApi(self.service)
        pages = {**page_handlers(self.service), **api.pages(settings.metrics_path)}
        sites = Sites(settings.host, settings.allow_hosts)
        self._connections = Connections(Front(sites, api.answer, pages), settings.limits)
        try:
            self.rest_port = await self._connections.listen(settings.host, settings.rest_port)
        except OSError as error:
            raise _taken(settings.host, settings.rest_port, error) from error

    async def _start_rpc(self) -> None:
        settings, limits = self.settings, self.settings.limits
        connections = connections_within_handles(limits.connections)
        # Without so_reuseport: 0 a second server would share the port in silence.
        options = [
            ("grpc.so_reuseport", 0),
            ("grpc.max_allowed_incoming_connections", connections),
            ("grpc.server_handshake_timeout_ms", int(limits.silence * 1000)),
            ("grpc.max_connection_idle_ms", int(limits.silence * 1000 * _OPEN)),
            # Clients connect again by themselves; only who does not take an answer notices.
            ("grpc.max_connection_age_ms", int(limits.silence * 1000 * _OPEN)),
            ("grpc.max_connection_age_grace_ms", int((limits.seconds + limits.silence) * 1000)),
            ("grpc.max_receive_message_length", limits.request_bytes),
            ("grpc.max_send_message_length", -1),
        ]
        self._rpc = grpc.aio.server(options=options)
        roots = [config.base_path.resolve() for config in settings.models] if settings.allow_reload else None
        add_services(self._rpc, self.service, roots)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        try:
            self.grpc_port = self._rpc.add_insecure_port(f"{host}:{settings.grpc_port}")
        except RuntimeError as error:
            raise _taken(settings.host, settings.grpc_port, error) from error
        await self._rpc.start()
        self._watcher = asyncio.create_task(self._watch_rpc(connections // 2))

    async def _watch_rpc(self, most: int) -> None:
        while True:
            await asyncio.sleep(_BETWEEN_COUNTS)
            with contextlib.suppress(OSError):  # no file handle left: another time
                end_crowded(self.grpc_port, most, self.service.calls.ports())

    async def stop(self) -> None:
        """Refuses new requests, answers those that have arrived, then closes; within the grace period."""
        if self._connections is None:
            return
        self.service.stop()
        loop, grace = asyncio.get_running_loop(), self.settings.grace
        end = loop.time() + grace
        self._connections.stop_listening()  # no new connections
        if self._watcher:
            self._watcher.cancel()
        calls = [self._rpc.stop(grace)] if self._rpc else []
        await asyncio.gather(self._until_answered(end), *calls)
        await self._connections.close(max(end - loop.time(), _LEAST_CLOSING))
        self._connections = None
        for part in (self._workers, self.service.parser, self.manager, self.service.scheduler):
            await loop.run_in_executor(None, part.stop)

    async def _until_answered(self, end: float) -> None:
        loop = asyncio.get_running_loop()
        while self.service.calls.number() and loop.time() < end:
            await asyncio.sleep(0.02)


def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, and prints where; then the process ends with code 0.

    Raises:
        UserError: see `Server.listen` and `Server.load`.
    """
    asyncio.run(_serve(settings))
    sys.stdout.flush()
    os._exit(0)  # all is closed; taking Python's modules apart may take as long as all of that


async def _serve(settings: Settings) -> None:
    server, told = Server(settings), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(report_of_loop())
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, told.set)
        await server.listen()
        _say_where(server)
        # What is there now stays. Looking through it for garbage would stop everybody for some 30 ms.
        gc.collect()
        gc.freeze()
        keep_small_pieces()
        trim_in_background(_MOVED)
        loading = loop.create_task(server.load())
        stopping = asyncio.create_task(told.wait())
        await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if loading.done():
            loading.result()
            said("ready")
        await stopping
        said("stopping: answering what has arrived")
        loading.cancel()
        _end_after(settings.grace + _LONGEST_CLOSING)
    finally:
        await server.stop()


def _say_where(server: Server) -> None:
    host, everywhere = server.settings.host, {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
    # Nobody can open a link to the address that stands for all of them.
    reached = everywhere.get(host, host)
    link = f"[{reached}]" if ":" in reached else reached
    print(f"page    http://{link}:{server.rest_port}/")
    for name in server.manager.names():
        print(f"REST    http://{link}:{server.rest_port}/v1/models/{name}")
    print(f"gRPC    {link}:{server.grpc_port}", flush=True)
    if not is_loopback(host):
        name = socket.gethostname() if host in everywhere else link
        said(
            f"everybody who reaches http://{name}:{server.rest_port}/ or port {server.grpc_port} of this "
            "machine can send requests, without a password"
        )


def _end_after(seconds: float) -> None:
    """Ends this process in some seconds, however slow the machine is; the others end with it."""
    timer = threading.Timer(seconds, os._exit, (0,))
    timer.daemon = True
    timer.start()


def _taken(host: str, port: int, error: Exception) -> UserError:
    reason = getattr(error, "strerror", None) or str(error).split("\n")[0]
    return UserError(
        f"cannot listen on {host} port {port} ({reason}): choose another --rest-port or --grpc-port"
    )
