"""Messages about models: their status, which both protocols give, and their configurations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from google.protobuf.message import Message

from kind.serving.errors import echoed
from kind.serving.limits import LONGEST_NAME
from kind.serving.protos import ModelServerConfig, get_model_status_pb2
from kind.serving.server.errors import NUMBERS, ServingError, bad_request, without_folders
from kind.serving.server.version_folders import ModelConfig
from kind.serving.server.versions import Version

_MOST_MODELS = 64  # each version of one is a process
_LONGEST_PATH = 4096


def status_message(versions: Iterable[Version]) -> get_model_status_pb2.GetModelStatusResponse:
    """The answer to GetModelStatus."""
    message = get_model_status_pb2.GetModelStatusResponse()
    for version in versions:
        entry = message.model_version_status.add(version=version.number, state=version.state.value)
        entry.status.error_code = NUMBERS[version.error.code] if version.error else 0
        entry.status.error_message = without_folders(version.error.message) if version.error else ""
    return message


def configs_of(message: ModelServerConfig, roots: Sequence[Path] | None) -> list[ModelConfig]:
    """Reads the model configurations of a reload request.

    Args:
        message: with a `model_config_list`.
        roots: base paths must be or lie in one of these folders: not every folder of the machine may be named
            over the network. None refuses all.

    Raises:
        ServingError: there is no entry, or one is incomplete, twice there, or elsewhere.
    """
    if roots is None:
        raise ServingError("PERMISSION_DENIED", "kind serve reloads by request only with --allow-reload")
    if message.WhichOneof("config") != "model_config_list":
        raise bad_request("expects a model_config_list")
    if not message.model_config_list.config:
        raise bad_request("expects at least one model: an empty list would unload all")
    if len(message.model_config_list.config) > _MOST_MODELS:
        raise bad_request(f"expects at most {_MOST_MODELS} models")
    configs = [_config(entry, roots) for entry in message.model_config_list.config]
    if len({config.name for config in configs}) != len(configs):
        raise bad_request("expects every model name once")
    return configs


def _config(entry: Message, roots: Sequence[Path]) -> ModelConfig:
    if not entry.name or not entry.base_path:
        raise bad_request("a model expects name and base_path")
    if len(entry.name) > LONGEST_NAME or not entry.name.isprintable() or len(entry.base_path) > _LONGEST_PATH:
        raise bad_request(
            f"a model expects a printable name of at most {LONGEST_NAME} characters, and a base_path of at "
            f"most {_LONGEST_PATH}; received {echoed(entry.name)}"
        )
    if entry.model_platform not in ("", "tensorflow"):
        raise ServingError(
            "UNIMPLEMENTED", f"model_platform expects 'tensorflow', received {echoed(entry.model_platform)}"
        )
    try:
        base = Path(entry.base_path).resolve()
    except (OSError, ValueError) as error:
        raise bad_request(f"base_path {echoed(entry.base_path)} is no path") from error
    if not any(root == base or root in base.parents for root in roots):
        raise ServingError(
            "PERMISSION_DENIED",
            "base_path expects the folder that the server was started with; received "
            f"{echoed(entry.base_path)}",
        )
    policy = entry.model_version_policy
    kind = policy.WhichOneof("policy_choice") or "latest"
    return ModelConfig(
        name=entry.name,
        base_path=base,
        policy=kind,
        count=max(policy.latest.num_versions, 1),
        numbers=tuple(policy.specific.versions),
        labels=dict(entry.version_labels),
    )
