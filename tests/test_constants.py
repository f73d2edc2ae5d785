"""Rules that are stated once: nothing else in the package states them again."""

import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from kind import constants
from kind.data.darkening import DEFAULT_PRESET, PRESETS
from kind.detection.config import DetectionConfig

REPOSITORY = Path(__file__).resolve().parent.parent
ROOMS = ("kind", "data", "decom", "restoration", "illumination", "joint", "lite", "guided", "detection")
#: What a second statement looks like, and where else it may stand: a published value that differs and says
#: so, and a `Literal`, which cannot name a tuple.
STATEMENTS = {
    "luma weights": (r"0\.298?9\d*,\s*0\.587", {"kind/ops/colour.py"}),
    "α": (r"(?i)alpha\w*(: float)? = 5\.0|default=5\.0", set()),
    "pixel limit": (r"50_000_000|50e6|5e7", set()),
    "largest seed": (r"2 ?\*\* ?31|2147483647|2_147_483_647", set()),
    "ports": (r"(=|:) ?850[01]\b", set()),
    "darkening presets": (r"\"dusk\", \"moderate\"", {"detection/config.py"}),
    "confidence": (r"(?i)confidence\w*(: float)? ?= ?0\.25", set()),
    "confidence of mAP": (r"(?i)confidence\w*(: float)? ?= ?0\.001", set()),
    "validation split of pairs": (r"(?i)validation_every\w*(: int)? ?= ?(option\(\s*)?10\b", set()),
}


@pytest.mark.parametrize("rule", STATEMENTS)
def test_it_is_stated_once(rule):
    pattern, others = STATEMENTS[rule]
    own = {"kind/constants.py", *others}
    for room in ROOMS:
        for path in sorted((REPOSITORY / room).rglob("*.py")):
            name = path.relative_to(REPOSITORY).as_posix()
            code = re.sub(r'"""[\s\S]*?"""', "", path.read_text(encoding="utf-8"))
            assert name in own or not re.search(pattern, code), f"{name} states {rule} again"


def test_the_page_says_what_the_package_says():
    page = REPOSITORY / "kind/serving/server/page"
    (confidence,) = re.findall(r"LEAST_SCORE = ([\d.]+)", (page / "app.js").read_text(encoding="utf-8"))
    assert float(confidence) == constants.CONFIDENCE
    text = (page / "index.html").read_text(encoding="utf-8")
    alphas = re.findall(r'id="alpha(?:-value)?".*(?:value="|>)([\d.]+)', text)
    assert [float(alpha) for alpha in alphas] == [constants.DEFAULT_ALPHA] * 2


def test_the_names_of_the_darkening_presets_are_the_tables():
    assert set(get_args(get_type_hints(DetectionConfig)["darken"])) == {"none", *constants.DARKENING_PRESETS}
    assert tuple(PRESETS) == constants.DARKENING_PRESETS and DEFAULT_PRESET == constants.DEFAULT_DARKENING
