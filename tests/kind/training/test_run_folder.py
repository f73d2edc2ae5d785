import json
import math
import subprocess
import sys
from dataclasses import dataclass

import pytest

from kind.errors import UserError
from kind.nn.saving import SHIPPED_WEIGHTS
from kind.training.manifest import (
    Manifest,
    damage,
    file_digest,
    manifest_file,
    read_manifest,
    run_digest,
    write_manifest,
)
from kind.training.run_changes import data_differences, differences, new_lengths
from kind.training.run_folder import (
    RunFolder,
    best_weights,
    describe,
    training_record,
    write_json,
)

DATA = {"training": {"a": "1", "b": "2"}, "validation": {"c": "3"}}


@dataclass(frozen=True)
class Config:
    epochs: int = 3
    steps: tuple = (1, 2)


CONFIG = describe("decom", Config(), monitor="val_loss")


def record(path):
    """A run of one epoch."""
    with RunFolder(path).opened(CONFIG, DATA):
        RunFolder(path).write_metrics([{"epoch": 1, "loss": 1.0}])


def test_a_description_is_what_json_gives_back():
    assert CONFIG == {"stage": "decom", "epochs": 3, "steps": [1, 2], "monitor": "val_loss"}


def test_a_new_folder_records_and_the_same_settings_open_it_again(tmp_path):
    folder = RunFolder(tmp_path / "new" / "run")
    with folder.opened(CONFIG, DATA):
        pass
    assert json.loads(folder.config_file.read_text()) == CONFIG
    assert json.loads(folder.data_file.read_text()) == DATA
    with RunFolder(tmp_path / "new" / "run").opened(CONFIG, DATA):
        assert folder.read_metrics() == []


def refusal(path, config, data):
    with pytest.raises(UserError) as caught, RunFolder(path).opened(config, data):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_other_settings_are_refused_with_what_changed(tmp_path):
    record(tmp_path)
    message = refusal(tmp_path, {**CONFIG, "epochs": 2, "more": True}, DATA)
    assert f"{tmp_path}: belongs to another run: epochs was 3, now 2; more was None, now True." in message
    assert message.endswith("Give the same settings and data to go on, or --run NEW to start anew")
    (tmp_path / "best.keras").touch()
    assert f"--run NEW --init-from {tmp_path}" in refusal(tmp_path, {**CONFIG, "epochs": 2}, DATA)
    assert json.loads((tmp_path / "config.json").read_text()) == CONFIG


@pytest.mark.parametrize("written_by", [run_digest, file_digest], ids=["this version", "an earlier one"])
def test_more_epochs_go_on_with_the_same_checkpoints(tmp_path, capsys, written_by):
    record(tmp_path)
    run, longer = RunFolder(tmp_path), {**CONFIG, "epochs": 9, "early_stop": 2}
    run.backup.mkdir()
    write_manifest(run.backup, Manifest(1, written_by(run.config_file), {}, {}, {}, []))
    with run.opened(longer, DATA):
        assert damage(read_manifest(run.backup, 1), run.backup, run.path) is None
    assert json.loads(run.config_file.read_text()) == longer
    assert f"{tmp_path}: epochs was 3, now 9; early_stop was None, now 2\n" in capsys.readouterr().err
    write_json(run.config_file, {**longer, "steps": 1})
    assert damage(read_manifest(run.backup, 1), run.backup, run.path) == "it belongs to another run"


def test_what_changes_earlier_epochs_is_no_new_length():
    assert new_lengths({"epochs": 3}, {"epochs": 2}) == {}  # its last epoch may never have been validated
    assert new_lengths({"epochs": 3, "schedule": "cosine"}, {"epochs": 4, "schedule": "cosine"}) == {}
    begun, now = (
        {"epochs": 3, "schedule": "cosine"},
        {"epochs": 4, "schedule": "cosine", "schedule_epochs": 3},
    )
    assert new_lengths(begun, now) == {"epochs": 4, "schedule_epochs": 3}
    assert new_lengths({**begun, "schedule_epochs": 3}, now) == {"epochs": 4}
    assert new_lengths(begun, {**now, "schedule_epochs": 2}) == {}
    assert new_lengths({"epochs": "3"}, {"epochs": 4}) == {}
    assert new_lengths({"epochs": 3, "early_stop": 5}, {"epochs": 3}) == {"early_stop": None}


def test_other_data_are_refused_with_what_changed(tmp_path):
    record(tmp_path)
    other = {"training": {"a": "1", "b": "9", "d": "4", "e": "5"}, "validation": {}}
    message = refusal(tmp_path, CONFIG, other)
    assert "training data: 2 added (d, e), 1 changed (b); validation data: 1 removed (c)" in message


@pytest.mark.parametrize("epochs", [[], [0], [0, 1], [1]])
def test_a_run_without_a_finished_epoch_may_be_redefined(tmp_path, capsys, epochs):
    folder, other = RunFolder(tmp_path), {**CONFIG, "steps": 4}
    with folder.opened(CONFIG, DATA):
        folder.write_metrics([])
    folder.backup.mkdir()
    for epoch in epochs:
        (folder.backup / f"ckpt-{epoch}.index").touch()
    if any(epochs):
        assert "belongs to another run: steps was [1, 2], now 4" in refusal(tmp_path, other, DATA)
        return
    with folder.opened(other, {"training": {}, "validation": {}}):
        pass
    assert json.loads(folder.config_file.read_text()) == other
    assert json.loads(folder.data_file.read_text()) == {"training": {}, "validation": {}}
    told = "redefined, no epoch was finished: steps was [1, 2], now 4; training data: 2 removed (a, b); "
    assert capsys.readouterr().err.startswith(f"{tmp_path}: {told}")


@pytest.mark.parametrize(
    "change",
    [
        {"networks": {"../../best.keras": "best-1.keras"}},
        {"networks": {"best.keras": "/etc/passwd.keras"}},
        {"files": {"../ckpt-1.index": "0"}},
        {"files": ["ckpt-1.index"]},
        {"digests": {"best.keras": 3}},
        {"digests": {}},
        {"history": [{"epoch": "1"}]},
        {"history": [1]},
        {"epoch": 2},
    ],
)
def test_a_manifest_names_files_of_its_run_only(tmp_path, change):
    """Whoever writes the file can write its digest too; what it names is read and written."""
    whole = Manifest(1, None, {"ckpt-1.index": "0"}, {"best.keras": "best-1.keras"}, {"best.keras": "0"}, [])
    write_manifest(tmp_path, whole)
    assert read_manifest(tmp_path, 1) == whole
    write_manifest(tmp_path, whole._replace(**change))
    manifest_file(tmp_path, whole._replace(**change).epoch).rename(manifest_file(tmp_path, 1))
    with pytest.raises(ValueError, match=r"^ckpt-1\.json is damaged$"):
        read_manifest(tmp_path, 1)


def test_a_damaged_record_of_the_data_is_another_data_set():
    assert data_differences({"training": [1]}, {"training": {"a": "1"}}) == ["training data: 1 added (a)"]


def test_long_lists_of_changes_are_cut():
    after = {"training": {str(number): "" for number in range(9)}}
    assert data_differences({"training": {}}, after) == ["training data: 9 added (0, 1, 2 and 6 more)"]
    assert data_differences(after, after) == [] and differences(CONFIG, CONFIG) == []


def test_a_folder_of_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    assert "holds files but no config.json" in refusal(tmp_path, CONFIG, DATA)


def test_a_kill_before_the_config_was_written_does_not_matter(tmp_path):
    (tmp_path / "data.json").write_text("{}")
    (tmp_path / ".config.x.json").write_text("{")
    record(tmp_path)
    assert json.loads((tmp_path / "data.json").read_text()) == DATA


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    assert f"{tmp_path / 'file' / 'run'}: cannot be written to" in refusal(
        tmp_path / "file" / "run", CONFIG, DATA
    )


def test_damaged_json_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{")
    assert f"{tmp_path / 'config.json'}: not a readable JSON file" in refusal(tmp_path, CONFIG, DATA)


def test_two_processes_cannot_share_a_folder(tmp_path):
    pytest.importorskip("fcntl", reason="file locks are POSIX's")
    script = (
        "import sys; from kind.training.run_folder import RunFolder; folder = RunFolder(sys.argv[1]); "
        f"held = folder.opened({CONFIG!r}, {DATA!r}); held.__enter__(); "
        "print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "open\n"
        assert "another process is training in this folder" in refusal(tmp_path, CONFIG, DATA)
        other.kill()
    record(tmp_path)


def test_metrics_survive_a_line_cut_off_by_a_kill(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.read_metrics() == []
    for epoch in (1, 2, 3):
        folder.append_metrics({"epoch": epoch, "loss": epoch / 3})
    whole = folder.metrics_file.read_bytes()
    folder.metrics_file.write_bytes(whole + b'{"epoch": 4, "lo')
    assert [record["epoch"] for record in folder.read_metrics()] == [1, 2, 3]
    folder.forget_after(3)
    assert folder.metrics_file.read_bytes() == whole
    folder.forget_after(1)
    assert folder.metrics_file.read_bytes() == whole.splitlines(keepends=True)[0]


def test_the_best_is_the_first_of_the_best_finite_ones(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.best("val_psnr", True) is None
    for epoch, value in enumerate([math.nan, 2.0, 3.0, 3.0, -math.inf, 1.0], start=1):
        folder.append_metrics({"epoch": epoch, "val_psnr": value})
        folder.append_metrics({"epoch": epoch, "loss": 0.0})
    assert folder.best("val_psnr", True) == (3, 3.0)
    assert folder.best("val_psnr", False) == (6, 1.0)


def test_weights_are_meant_by_a_run_folder_or_a_file(tmp_path):
    with pytest.raises(UserError, match=r"expected a \.keras file or a run folder that holds best\.keras"):
        best_weights(tmp_path)
    (tmp_path / "best.keras").write_text("")
    assert best_weights(tmp_path) == best_weights(str(tmp_path / "best.keras")) == tmp_path / "best.keras"


def test_old_names_of_settings_are_the_new_ones(tmp_path):
    """A run folder that was recorded before settings got the field's names goes on."""
    old = {
        "stage": "restoration", "rates": ["a=1"], "optimiser": "adam", "patch": 48, "variant": "unet",
        "fork": None, "fork_partly": False, "dissimilarity_weight": 4.0,
    }  # fmt: skip
    now = {
        "stage": "restoration", "learning_rate_multipliers": ["a=1"], "optimizer": "adam", "patch": 48,
        "network": "unet", "init_from": None, "init_partly": False, "ssim_weight": 4.0,
    }  # fmt: skip
    with RunFolder(tmp_path).opened(old, DATA):
        RunFolder(tmp_path).write_metrics([{"epoch": 1}])
    with RunFolder(tmp_path).opened(now, DATA):
        pass
    message = refusal(tmp_path, {**now, "network": "msia"}, DATA)
    assert "network was 'unet', now 'msia'. Give" in message
    assert differences({"patch": 640}, {"image_size": 640}) == []  # of a detector
    assert differences({"patch": 48}, {"patch": 48}) == [] != differences({"patch": 48}, {"patch": 49})


def make_run(path, every, data=DATA):
    with RunFolder(path).opened({**CONFIG, "validation_every": every}, data):
        (path / "best.keras").write_text("")


def test_packing_keeps_what_a_run_was_trained_with(tmp_path):
    make_run(tmp_path / "run", 7)
    record = training_record(tmp_path / "run")
    assert record["validation_every"] == 7 and len(record["data"]) == 24
    assert training_record(tmp_path / "run" / "best.keras") == record
    make_run(tmp_path / "other", 7, {"training": {}, "validation": {}})
    assert training_record(tmp_path / "other")["data"] != record["data"]
    write_json(tmp_path / "packed" / "training.json", {"decom": record})
    (tmp_path / "packed" / "decom.keras").write_text("")
    assert training_record(tmp_path / "packed" / "decom.keras") == record
    assert training_record(tmp_path / "packed" / "lite.keras") == {}
    (tmp_path / "packed" / "training.json").write_text("[]")
    with pytest.raises(UserError, match=r"training\.json: not a readable JSON file"):
        training_record(tmp_path / "packed" / "decom.keras")


def test_the_shipped_weights_say_what_they_were_trained_with():
    for stage in ("decom", "restoration", "illumination", "lite"):
        assert training_record(SHIPPED_WEIGHTS / f"{stage}.keras")["validation_every"] == 10
