"""Serves an exported model: a page for the browser, and TensorFlow Serving's REST and gRPC."""

from __future__ import annotations

import argparse
from pathlib import Path

from kind.cli.options import Checked, add_max_pixels_argument, add_seconds_argument
from kind.constants import GRPC_PORT, REST_PORT
from kind.errors import UserError
from kind.serving.installed import SERVER, check_installed
from kind.serving.limits import GRACE, REQUEST_BYTES, SECONDS, Limits

BATCHING_FILE, MONITORING_FILE = "batching_params.pbtxt", "monitoring.config"

_HOST = "127.0.0.1"
_POLL_SECONDS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="a model's folder as `kind export` writes it; of several, the page and ?model=NAME choose one",
    )
    parser.add_argument(
        "--model-name",
        metavar="NAME",
        help="the model's name in requests, for one DIR (default: the folder's name)",
    )
    parser.add_argument(
        "--host",
        default=_HOST,
        help="address to listen on; with 0.0.0.0 every machine that reaches this one can send requests "
        f"(default: {_HOST})",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="name by which the server may be asked, such as that of a proxy in front of it; may be repeated "
        "(default on a loopback address: localhost and loopback addresses; elsewhere every name)",
    )
    _add_port_argument(parser, "--rest-port", REST_PORT, "port of REST and of the page")
    _add_port_argument(parser, "--grpc-port", GRPC_PORT, "port of gRPC")
    parser.add_argument(
        "--trust",
        action="store_true",
        help="also run models with operations that no export of kind holds; they can read and write files "
        "and do anything else that you can do",
    )
    parser.add_argument(
        "--allow-reload",
        action="store_true",
        help="let everybody who reaches the gRPC port choose which versions below DIR are served",
    )
    _add_file_arguments(parser)
    _add_limit_arguments(parser)
    text = "interval at which the folder is checked for new versions"
    add_seconds_argument(parser, "--poll-seconds", text, _POLL_SECONDS)


def _add_port_argument(parser: argparse.ArgumentParser, name: str, default: int, text: str) -> None:
    parser.add_argument(
        name,
        action=Checked,
        type=int,
        accepts=lambda port: 0 <= port <= 65535,
        expected="0 to 65535",
        default=default,
        metavar="PORT",
        help=f"{text}; 0 takes a free one (default: {default})",
    )


def _add_file_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--batching-parameters-file",
        type=Path,
        metavar="FILE",
        help=f"TensorFlow Serving's batching parameters (default: {BATCHING_FILE} of the first DIR with one)",
    )
    parser.add_argument("--no-batching", action="store_true", help="run every request on its own")
    parser.add_argument(
        "--monitoring-config-file",
        type=Path,
        metavar="FILE",
        help="TensorFlow Serving's monitoring configuration "
        f"(default: {MONITORING_FILE} of the first DIR with one)",
    )


def _add_limit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-request-bytes",
        action=Checked,
        type=int,
        accepts=lambda number: number >= 1,
        expected="1 or more",
        default=REQUEST_BYTES,
        metavar="N",
        help=f"largest size of a request (default: {REQUEST_BYTES >> 20} MiB)",
    )
    add_max_pixels_argument(parser, "largest number of pixels in all images of a request together")
    text = "time limit for a request, from its arrival to the answer; a model that takes longer is ended"
    add_seconds_argument(parser, "--timeout", text, SECONDS)
    text = "time limit after SIGTERM for requests that have arrived"
    add_seconds_argument(parser, "--grace", text, GRACE)


def run(arguments: argparse.Namespace) -> int:
    """Serves until SIGTERM or Ctrl+C, answers what has arrived by then, and ends the process with code 0.

    Raises:
        UserError: when it cannot start.
    """
    _check(arguments)
    check_installed(SERVER, "kind serve")
    from kind.serving.server.app import Settings, serve
    from kind.serving.server.parameters import METRICS_PATH, UNBATCHED, read_batching, read_metrics_path
    from kind.serving.server.version_folders import ModelConfig

    folders = [folder.resolve() for folder in arguments.folders]
    batching_file = arguments.batching_parameters_file or _first_file(folders, BATCHING_FILE)
    monitoring_file = arguments.monitoring_config_file or _first_file(folders, MONITORING_FILE)
    batched = batching_file and not arguments.no_batching
    serve(
        Settings(
            models=tuple(ModelConfig(arguments.model_name or folder.name, folder) for folder in folders),
            host=arguments.host,
            allow_hosts=tuple(arguments.allow_host),
            allow_reload=arguments.allow_reload,
            rest_port=arguments.rest_port,
            grpc_port=arguments.grpc_port,
            batching=read_batching(batching_file) if batched else UNBATCHED,
            metrics_path=read_metrics_path(monitoring_file) if monitoring_file else METRICS_PATH,
            limits=Limits(arguments.max_request_bytes, arguments.max_pixels, arguments.timeout),
            poll_seconds=arguments.poll_seconds,
            trust=arguments.trust,
            grace=arguments.grace,
        )
    )
    return 0


def _first_file(folders: list[Path], name: str) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _check(arguments: argparse.Namespace) -> None:
    for folder in arguments.folders:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; kind export writes one")
    if len({folder.resolve().name for folder in arguments.folders}) < len(arguments.folders):
        raise UserError("several DIR expect different names, since a model's name is its folder's")
    if arguments.model_name and len(arguments.folders) > 1:
        raise UserError("--model-name names one model; leave it out with several DIR")
    if arguments.no_batching and arguments.batching_parameters_file:
        raise UserError("--no-batching and --batching-parameters-file disagree; leave one of them out")
    if arguments.rest_port and arguments.rest_port == arguments.grpc_port:
        raise UserError("--rest-port and --grpc-port expect two different ports")
    if "/" in (arguments.model_name or "") or ":" in (arguments.model_name or ""):
        raise UserError(f"--model-name expects a name without / and :, received {arguments.model_name!r}")
