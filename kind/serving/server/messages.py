"""Messages about models that both protocols use: status, signatures and configurations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2
from tensorflow_serving.config import model_server_config_pb2

from kind.serving.server.errors import NUMBERS, ServingError, bad_request
from kind.serving.server.version_folders import ModelConfig
from kind.serving.server.versions import Version


def status_message(versions: Iterable[Version]) -> get_model_status_pb2.GetModelStatusResponse:
    """The answer to GetModelStatus."""
    message = get_model_status_pb2.GetModelStatusResponse()
    for version in versions:
        entry = message.model_version_status.add(version=version.number, state=version.state.value)
        entry.status.error_code = NUMBERS[version.error.code] if version.error else 0
        entry.status.error_message = version.error.message if version.error else ""
    return message


def signatures_message(definitions: Mapping) -> get_model_metadata_pb2.SignatureDefMap:
    """All signatures of a model, as its file has them."""
    message = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in definitions.items():
        message.signature_def[name].CopyFrom(definition)
    return message


def configs_of(message: model_server_config_pb2.ModelServerConfig, root: Path) -> list[ModelConfig]:
    """Reads the model configurations of a reload request.

    Args:
        message: with a `model_config_list`.
        root: base paths must lie in it; a SavedModel can do anything, so not every folder of the machine may
            be named over the network.

    Raises:
        ServingError: an entry is incomplete, twice there, or elsewhere.
    """
    if message.WhichOneof("config") != "model_config_list":
        raise bad_request("expects a model_config_list")
    configs = [_config(entry, root) for entry in message.model_config_list.config]
    if len({config.name for config in configs}) != len(configs):
        raise bad_request("expects every model name once")
    return configs


def _config(entry: model_server_config_pb2.ModelConfig, root: Path) -> ModelConfig:
    if not entry.name or not entry.base_path:
        raise bad_request("a model expects name and base_path")
    if entry.model_platform not in ("", "tensorflow"):
        raise ServingError(
            "UNIMPLEMENTED", f"model_platform expects 'tensorflow', received {entry.model_platform!r}"
        )
    try:
        base = Path(entry.base_path).resolve()
    except (OSError, ValueError) as error:
        raise bad_request(f"base_path {entry.base_path!r} is no path") from error
    if root != base and root not in base.parents:
        raise ServingError(
            "PERMISSION_DENIED", f"base_path expects a folder in {root}, received {entry.base_path}"
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
