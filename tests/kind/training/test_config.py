import argparse
import dataclasses

import pytest

from kind.cli.setting_flags import add_flags, config_from_flags
from kind.cli.stages import STAGES
from kind.decom.config import DecompositionConfig
from kind.detection.adaptation.config import WEIGHTS, AdaptationConfig
from kind.detection.change.config import ChangeConfig
from kind.detection.config import DetectionConfig
from kind.errors import UserError
from kind.guided.config import GuidedConfig
from kind.illumination.config import AdjustmentConfig
from kind.joint.config import JointConfig
from kind.lite.config import LiteConfig
from kind.restoration.config import RestorationConfig
from kind.training.config import TrainingConfig

CONFIGS = [TrainingConfig, *(entry.config for entry in STAGES.values())]


def parsed(config_class, *arguments, **replaced):
    parser = argparse.ArgumentParser()
    add_flags(parser, config_class)
    return config_from_flags(config_class, parser.parse_args(arguments), **replaced)


@pytest.mark.parametrize("config_class", CONFIGS)
def test_no_flag_leaves_the_defaults(config_class):
    assert parsed(config_class) == config_class()


def test_the_papers_schedules_are_the_defaults():
    for config in (DecompositionConfig(), AdjustmentConfig()):
        assert (config.epochs, config.batch, config.patch, config.learning_rate) == (2000, 10, 48, 1e-4)
    restoration = RestorationConfig()
    assert (restoration.epochs, restoration.batch, restoration.patch) == (1000, 4, 384)
    assert (restoration.schedule, restoration.step_epochs, restoration.step_factor) == ("step", (800,), 0.5)
    msia = parsed(RestorationConfig, "--network", "msia", "--epochs", "5")
    assert (msia.epochs, msia.batch, msia.step_epochs) == (5, 10, (300, 500, 1500))


@pytest.mark.parametrize("config_class", CONFIGS)
def test_every_field_has_a_flag_that_sets_it(config_class):
    examples = {
        "seed": 3, "epochs": 7, "batch": 3, "patch": 33, "learning_rate": 0.5, "schedule": "cosine",
        "step_epochs": (3, 4), "step_factor": 0.25, "warmup_epochs": 2, "optimizer": "radam",
        "weight_decay": 0.125, "lookahead": True, "clip_norm": 2.0, "average_decay": 0.75,
        "freeze": ("a", "b*"), "learning_rate_multipliers": ("a=2",), "precision": "mixed_bfloat16",
        "per_image": True,
        "validation_every": 4, "validate_epochs": 6, "similarity_weight": 0.375, "mutual_weight": 0.375,
        "smoothness_weight": 0.375, "network": "msia", "target_power": 1.5, "target_scale": 0.875,
        "gradient_term": False, "signed_gradient": True, "reconstruction_weight": 0.375,
        "log_error_weight": 0.375, "ssim_weight": 0.375, "exposure_weight": 0.375, "pattern_weight": 0.375,
        "input": "reflectance",
        "alpha": 2.5, "joint": False, "darken": "dusk", "twins": 2, "image_size": 96, "freeze_epochs": 1,
        "mosaic": 0.5, "plain_epochs": 2, "scale": 0.25, "flip": 0.25, "jitter": 0.125, "box_weight": 0.375,
        "class_weight": 0.375, "distribution_weight": 0.375, "feature_weight": 0.375,
        "response_weight": 0.375, "loss": ("l1=0.5", "ssim=1"), "loss_weight": ("mse=0",),
        "steps": 5, "feature_detector": "yolo.keras", "only_exposure": True, "decode_side": 300,
        "loader_threads": 3, "plateau": 2, "early_stop": 3, "scale_from_batch": 8,
        "adversarial_weight": 0.375, "adversarial": "minimax", "box_response_weight": 0.375,
        "box_temperature": 2.0, "alignment_weight": 0.375, "reference": "retinex", "decoder_epochs": 2,
        "decoder_rate": 0.5, **dict.fromkeys((*WEIGHTS, "reconstruction_weight"), 0.375),
        "schedule_epochs": 5, "training_scores": 2, "norm": "adaptive", "guide": "none", "radius": 2,
        "scale_factor": 0.5, "conditioning": "constant", "brightness_weight": 0.375,
    }  # fmt: skip
    words = {"precision": "bfloat16"}  # where the command line names another value
    if config_class is DetectionConfig:
        examples.update(optimizer="adamw", lookahead=False, joint=True, twins=0)
    if config_class is AdaptationConfig:
        examples.update(optimizer="adamw", lookahead=False, input="raw", twins=0, freeze_epochs=0)
        examples.update(similarity_weight=0.0, box_response_weight=0.0)
    if config_class is ChangeConfig:
        examples.update(input="raw", darken="after", encoder="early", block="state-space", edges="none")
        examples.update(difference="signed", join="fusion", attention=False, deep_supervision=True)
        examples.update(
            objective="iou-cross-entropy", side_weight=0.375, focal_weight=0.375, focal_alpha=0.25
        )
        examples.update(cross_entropy_weight=0.375, lovasz_weight=0.375, validation_pairs=9)
    if config_class is GuidedConfig:
        examples.update(network="guided-y")
    if config_class is LiteConfig:
        examples.update(patch=96, only_exposure=False)
    arguments = []
    for field in dataclasses.fields(config_class):
        flag, value = "--" + field.name.replace("_", "-"), {**examples, **words}[field.name]
        if isinstance(value, bool):
            arguments.append(flag if value else f"--no-{flag[2:]}")
        else:
            arguments += [flag, *map(str, value if isinstance(value, tuple) else [value])]
    config = parsed(config_class, *arguments)
    assert dataclasses.asdict(config) == {f.name: examples[f.name] for f in dataclasses.fields(config_class)}


@pytest.mark.parametrize(("has_bfloat16", "policy"), [(True, "mixed_bfloat16"), (False, "float32")])
def test_the_automatic_precision_is_recorded_as_what_it_is_here(monkeypatch, has_bfloat16, policy):
    monkeypatch.setattr("kind.enhancing.precision.cpu_has_bfloat16", lambda: has_bfloat16)
    assert parsed(TrainingConfig, "--precision", "auto").precision == policy


def test_an_earlier_name_of_a_precision_still_works(capsys):
    assert parsed(TrainingConfig, "--precision", "mixed_bfloat16").precision == "mixed_bfloat16"
    assert "--precision mixed_bfloat16 is deprecated; use bfloat16" in capsys.readouterr().err


@pytest.mark.parametrize("config_class", CONFIGS)
def test_patches_and_image_sizes_have_bounds(config_class):
    field = "image_size" if issubclass(config_class, DetectionConfig) else "patch"
    with pytest.raises(UserError, match=f"--{field.replace('_', '-')} expects"):
        config_class(**{field: 0})


def test_replaced_defaults_give_way_to_flags():
    config = parsed(TrainingConfig, "--epochs", "3", epochs=60, batch=2)
    assert (config.epochs, config.batch) == (3, 2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": 0}, "--epochs expects at least 1, received 0"),
        ({"decode_side": 0}, "--decode-side expects at least 1, received 0"),
        ({"loader_threads": -1}, "--loader-threads expects at least 0, received -1"),
        ({"batch": 0}, "--batch"),
        ({"patch": -1}, "--patch"),
        ({"validate_epochs": 0}, "--validate-epochs"),
        ({"validation_every": 1}, "--validation-every expects at least 2, received 1"),
        ({"learning_rate": 0.0}, "--learning-rate expects more than 0, received 0.0"),
        ({"learning_rate": float("nan")}, "--learning-rate"),
        ({"seed": -1}, "--seed"),
        ({"clip_norm": -1.0}, "--clip-norm"),
        ({"warmup_epochs": -1}, "--warmup-epochs"),
        ({"average_decay": 1.0}, "--average-decay"),
        ({"lookahead": True}, "--lookahead expects --optimizer radam, received adam"),
        ({"weight_decay": 0.1}, "--weight-decay expects --optimizer adamw or radam, received adam"),
    ],
)
def test_values_that_cannot_be_used_are_refused_with_their_flag(settings, words):
    with pytest.raises(UserError) as caught:
        TrainingConfig(**settings)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config_class", "least"), [(RestorationConfig, 11), (JointConfig, 11), (LiteConfig, 64)]
)
def test_patches_smaller_than_the_losses_need_are_refused(config_class, least):
    with pytest.raises(UserError, match=f"--patch expects at least {least}"):
        config_class(patch=10)
