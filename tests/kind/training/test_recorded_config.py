"""Settings that a run's `config.json` gives to another run."""

import argparse
import json

import pytest

from kind.cli.setting_flags import add_flags, config_from_flags
from kind.errors import UserError
from kind.restoration.config import RestorationConfig
from kind.training.recorded_config import read_recorded
from kind.training.run_folder import describe


def read(path):
    return read_recorded(path, "restoration", RestorationConfig)


def config_of(recorded, words):
    parser = argparse.ArgumentParser()
    add_flags(parser, RestorationConfig)
    return config_from_flags(RestorationConfig, parser.parse_args(words), recorded.settings)


def test_a_run_gives_its_settings_and_flags_go_first(tmp_path):
    config = RestorationConfig(epochs=7, learning_rate=2e-3, precision="mixed_bfloat16", loss=("l1=0.1",))
    description = describe("restoration", config, init_from="runs/a", init_partly=True, monitor="val_loss",
                           decom="a digest")  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(description))
    recorded = read(tmp_path)
    assert recorded == read(tmp_path / "config.json")
    assert config_of(recorded, []) == config
    assert config_of(recorded, ["--epochs", "9"]).epochs == 9
    assert recorded.more == {"init_from": "runs/a", "init_partly": True}


@pytest.mark.parametrize(
    "content, reason",
    [
        ({"stage": "decom"}, "is of the stage 'decom'; this one is 'restoration'"),
        ({"epochs": "7"}, "epochs expects int, received '7'"),
        ({"epochs": True}, "epochs expects int, received 'True'"),
        ({"schedule": "sine"}, "schedule expects one of constant, step, cosine, plateau, received 'sine'"),
        ({"step_epochs": 3}, "step_epochs expects .*, received '3'"),
        ({"learning_rat": 1.0}, "learning_rat is no setting of restoration; did you mean learning_rate"),
        ({"mixture": [1]}, "mixture expects str, received '1'"),
    ],
)
def test_what_is_no_setting_is_named(tmp_path, content, reason):
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=f"config.json: {reason}"):
        read(tmp_path)


def test_a_missing_file_and_old_names(tmp_path):
    with pytest.raises(UserError, match="--config expects a run's config.json, or its folder"):
        read(tmp_path)
    (tmp_path / "config.json").write_text('{"optimiser": "radam", "learning_rate": 1}')
    assert read(tmp_path).settings == {"optimizer": "radam", "learning_rate": 1.0}
