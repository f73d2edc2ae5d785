import pytest

from kind.detection.config import QUICK, DetectionConfig
from kind.errors import UserError


@pytest.mark.parametrize(
    "wrong,message",
    [
        ({"image_size": 100}, "--image-size expects a multiple of 32, received 100"),
        ({"twins": -1}, "--twins expects 0 or more, received -1"),
        ({"freeze_epochs": -2}, "--freeze-epochs expects 0 or more, received -2"),
        ({"mosaic": 1.5}, "--mosaic expects 0 to 1, received 1.5"),
        ({"scale": 1.0}, "--scale expects at least 0 and less than 1, received 1.0"),
        ({"joint": True, "input": "raw"}, "--joint expects --input reflectance, received raw"),
        ({"joint": True, "twins": 2}, "--joint expects --twins 0: its networks change; received 2"),
    ],
)
def test_what_cannot_be_trained_is_refused(wrong, message):
    with pytest.raises(UserError) as caught:
        DetectionConfig(**wrong)
    assert str(caught.value) == message


def test_defaults_are_the_published_recipe():
    config = DetectionConfig()
    assert (config.optimizer, config.learning_rate, config.weight_decay) == ("sgd", 0.01, 5e-4)
    assert (config.box_weight, config.class_weight, config.distribution_weight) == (7.5, 0.5, 1.5)
    assert config.defaults({"optimizer": "adamw"}) == {"learning_rate": 5e-4}
    DetectionConfig(**QUICK)


def test_images_are_prepared_unless_networks_or_twins_change():
    assert not DetectionConfig().prepared
    assert DetectionConfig(twins=2).prepared and DetectionConfig(darken="none").prepared
    assert not DetectionConfig(darken="none", joint=True).prepared
