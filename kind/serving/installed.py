"""The packages of the extra `serve`, which an installation may lack."""

from __future__ import annotations

import importlib.util

from kind.errors import UserError

REST_CLIENT = ("urllib3",)
GRPC_CLIENT = ("grpc", "tensorflow_serving")
WARMUP_WRITER = ("tensorflow_serving",)
SERVER = ("aiohttp", "grpc", "prometheus_client", "tensorflow_serving")


def check_installed(modules: tuple[str, ...], what: str) -> None:
    """Refuses to go on where packages of the extra are missing.

    Args:
        modules: what will be imported, such as `SERVER`.
        what: needs them, such as "kind serve".

    Raises:
        UserError: one line that says how to install them.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"{what} needs {', '.join(missing)}: install with pip install 'kind[serve]'")
