"""Serves an exported model on this machine: a page to look at, and TensorFlow Serving's REST and gRPC."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from kind.errors import UserError

BATCHING_FILE, MONITORING_FILE = "batching_params.pbtxt", "monitoring.config"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="what `kind export` wrote: holds the version folders"
    )
    parser.add_argument(
        "--model-name", metavar="NAME", help="how requests call it (default: the folder's name)"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 lets in whoever can reach this machine (default: 127.0.0.1)",
    )
    parser.add_argument(
        "--rest-port", type=int, default=8501, metavar="PORT", help="of page and REST (default: 8501)"
    )
    parser.add_argument("--grpc-port", type=int, default=8500, metavar="PORT", help="of gRPC (default: 8500)")
    parser.add_argument(
        "--batching-parameters-file",
        type=Path,
        metavar="FILE",
        help=f"as of the real server (default: DIR/{BATCHING_FILE} where there is one)",
    )
    parser.add_argument("--no-batching", action="store_true", help="run every request on its own")
    parser.add_argument(
        "--monitoring-config-file",
        type=Path,
        metavar="FILE",
        help=f"as of the real server (default: DIR/{MONITORING_FILE} where there is one)",
    )
    parser.add_argument(
        "--max-request-bytes",
        type=int,
        default=64 << 20,
        metavar="N",
        help="of one request (default: 64 MiB)",
    )
    parser.add_argument(
        "--max-pixels",
        type=int,
        default=50_000_000,
        metavar="N",
        help="of all images of one request (default: 50e6)",
    )
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="to answer one request (default: 60)"
    )
    parser.add_argument(
        "--poll-seconds",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="from one look for new versions to the next (default: 1)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serves until SIGTERM or Ctrl+C, answers what has arrived by then, and returns 0.

    Raises:
        UserError: when it cannot start.
    """
    _check(arguments)
    from kind.serving.server.app import Settings, serve
    from kind.serving.server.parameters import METRICS_PATH, UNBATCHED, read_batching, read_metrics_path
    from kind.serving.server.service import Limits
    from kind.serving.server.version_folders import ModelConfig

    folder = arguments.folder.resolve()
    batching_file = arguments.batching_parameters_file or _where_present(folder / BATCHING_FILE)
    monitoring_file = arguments.monitoring_config_file or _where_present(folder / MONITORING_FILE)
    batched = batching_file and not arguments.no_batching
    serve(
        Settings(
            models=(ModelConfig(arguments.model_name or folder.name, folder),),
            root=folder.parent,
            host=arguments.host,
            rest_port=arguments.rest_port,
            grpc_port=arguments.grpc_port,
            batching=read_batching(batching_file) if batched else UNBATCHED,
            metrics_path=read_metrics_path(monitoring_file) if monitoring_file else METRICS_PATH,
            limits=Limits(arguments.max_request_bytes, arguments.max_pixels, arguments.timeout),
            poll_seconds=arguments.poll_seconds,
        )
    )
    return 0


def _where_present(path: Path) -> Path | None:
    return path if path.is_file() else None


def _check(arguments: argparse.Namespace) -> None:
    if not arguments.folder.is_dir():
        raise UserError(f"{arguments.folder}: no such folder; python -m kind export writes one")
    if arguments.no_batching and arguments.batching_parameters_file:
        raise UserError("--no-batching and --batching-parameters-file disagree; leave one of them out")
    for name in ("rest_port", "grpc_port"):
        if not 0 <= getattr(arguments, name) <= 65535:
            raise UserError(
                f"--{name.replace('_', '-')} expects 0 to 65535, received {getattr(arguments, name)}"
            )
    if arguments.rest_port and arguments.rest_port == arguments.grpc_port:
        raise UserError("--rest-port and --grpc-port expect two different ports")
    for name in ("max_request_bytes", "max_pixels", "timeout", "poll_seconds"):
        value = getattr(arguments, name)
        if not (math.isfinite(value) and value > 0):
            raise UserError(f"--{name.replace('_', '-')} expects a number over 0, received {value}")
    if "/" in (arguments.model_name or "") or ":" in (arguments.model_name or ""):
        raise UserError(f"--model-name expects a name without / and :, received {arguments.model_name!r}")
