"""The table of variants, and loading by what it says."""

import pkgutil
import shutil
import subprocess
import sys

import pytest

from kind.cli.main import make_parser
from kind.enhancing import variants
from kind.enhancing.enhancer import Enhancer
from kind.enhancing.variants import VARIANTS
from kind.errors import UserError


@pytest.mark.parametrize("name", variants.shipped_variants())
def test_every_line_of_the_table_is_what_is_loaded(name, untrained_weights):
    enhancer = Enhancer.load(untrained_weights, variant=name)
    assert type(enhancer) is pkgutil.resolve_name(VARIANTS[name].enhancer)
    assert enhancer.variant == name
    assert tuple(enhancer.originals) == VARIANTS[name].stages
    assert VARIANTS[name].own_alpha.endswith(enhancer.own_alpha)
    for stage in VARIANTS[name].stages:
        assert getattr(make_parser().parse_args(["pack", f"--{stage}", "run", "--out", "x"]), stage)


def test_a_preset_is_a_variant_or_a_folder_of_one(untrained_weights, tmp_path):
    for name in variants.shipped_variants():
        assert Enhancer.from_preset(name).variant == name
    assert Enhancer.from_preset(untrained_weights).variant == "lite"  # it holds both
    shutil.copy(untrained_weights / "decom.keras", tmp_path)
    assert Enhancer.from_preset(str(tmp_path)).variant == "kind"
    for wrong in (tmp_path / "none", "brightest"):
        with pytest.raises(
            UserError,
            match="one of the presets lite, kind, guided, guided-y, guided-y-shared, or a folder of weights",
        ):
            Enhancer.from_preset(wrong)
    with pytest.raises(
        ValueError,
        match="variant expects one of lite, kind, guided, guided-y, guided-y-shared; received 'brightest'",
    ):
        Enhancer.load(variant="brightest")


def test_the_table_needs_no_tensorflow():
    script = "import sys, kind.enhancing.variants; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
