"""Numbered versions, and what lies beside them."""

import os
import re

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from kind.errors import UserError
from kind.export import start_files
from kind.export.start_files import start_commands, write_start_files
from kind.export.versions import check_model_folder, publish, staging


def publish_one(folder, content="model"):
    with staging(folder) as temporary:
        (temporary / "saved_model.pb").write_text(content)
        return publish(temporary, folder)


def test_versions_count_on(tmp_path):
    folder = tmp_path / "new" / "kind"
    assert publish_one(folder).name == "1" and publish_one(folder).name == "2"
    (folder / "7").mkdir()
    (folder / "7" / "something").touch()
    (folder / "12.old").mkdir()
    assert publish_one(folder).name == "8"
    assert (folder / "8" / "saved_model.pb").read_text() == "model"


def test_a_version_that_somebody_else_took_meanwhile_is_left_alone(tmp_path, monkeypatch):
    publish_one(tmp_path, "first")
    monkeypatch.setattr(type(tmp_path), "iterdir", lambda _: iter(()))  # both looked at the same time
    assert publish_one(tmp_path, "second").name == "2"
    assert (tmp_path / "1" / "saved_model.pb").read_text() == "first"


def test_what_is_not_finished_is_no_version(tmp_path):
    with staging(tmp_path) as temporary:
        assert temporary.parent == tmp_path and temporary.name.startswith(".")
        assert not temporary.name.isdecimal()
        (temporary / "half").touch()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyboardInterrupt), staging(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_server_of_another_user_may_read_a_version(tmp_path):
    os.chmod(tmp_path, 0o755)
    assert publish_one(tmp_path).stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("name", ["-kind", "my model", "kïnd"])
def test_names_that_servers_cannot_take_are_refused(tmp_path, name):
    with pytest.raises(UserError, match="its name becomes the model's"):
        check_model_folder(tmp_path / name)


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "kind").touch()
    with pytest.raises(UserError, match="kind: is a file; give --out a folder"):
        check_model_folder(tmp_path / "kind")
    check_model_folder(tmp_path / "kind-2.0")


def test_the_models_file_is_what_the_server_reads(tmp_path):
    folder = tmp_path / "night"
    write_start_files(folder)
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((folder / "models.config").read_text(), config)
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("night", "/models/night", "tensorflow")


def test_the_largest_batch_is_the_last_allowed_one(tmp_path):
    write_start_files(tmp_path / "night")
    text = (tmp_path / "night" / "batching_params.pbtxt").read_text()
    allowed = [int(size) for size in re.findall(r"^allowed_batch_sizes: (\d+)$", text, re.M)]
    (largest,) = re.findall(r"^max_batch_size \{ value: (\d+) \}$", text, re.M)
    assert allowed == list(range(1, int(largest) + 1))
    for name in ("batch_timeout_micros", "max_enqueued_batches", "num_batch_threads"):
        assert re.search(rf"^{name} \{{ value: \d+ \}}$", text, re.M), name
    assert 'path: "/monitoring/prometheus/metrics"' in (tmp_path / "night" / "monitoring.config").read_text()


def test_compose_and_docker_start_the_same(tmp_path):
    folder = tmp_path / "a night"
    folder = folder / "night"
    write_start_files(folder)
    (service,) = yaml.safe_load((folder / "docker-compose.yml").read_text())["services"].values()
    commands = start_commands(folder)
    docker = commands["TensorFlow Serving"]
    assert service["image"] == start_files.IMAGE and f" {start_files.IMAGE} " in docker
    assert docker.endswith(" ".join(service["command"]))
    for argument in service["command"]:
        if "/models/night/" in argument:
            assert (folder / argument.rpartition("/")[2]).is_file()
    for port in service["ports"]:
        assert port.startswith("127.0.0.1:") and f"-p {port}" in docker
    assert service["volumes"] == [".:/models/night:ro"]
    assert f"-v '{folder}:/models/night:ro'" in docker
    assert commands["embedded server"] == f"python -m kind serve '{folder}'"


def test_what_was_tuned_is_kept(tmp_path):
    assert len(write_start_files(tmp_path)) == 4
    (tmp_path / "batching_params.pbtxt").write_text("tuned")
    (tmp_path / "models.config").unlink()
    assert [path.name for path in write_start_files(tmp_path)] == ["models.config"]
    assert (tmp_path / "batching_params.pbtxt").read_text() == "tuned"
