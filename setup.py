"""Maps the top-level rooms into the one package `kind`: `data/` is `kind.data`."""

from pathlib import Path

from setuptools import find_packages, setup

rooms = sorted(path.parent.name for path in Path().glob("*/__init__.py") if path.parent.name != "kind")

setup(
    packages=[
        "kind",
        *(f"kind.{name}" for name in find_packages("kind")),
        *(f"kind.{room}" for room in rooms),
        *(f"kind.{room}.{name}" for room in rooms for name in find_packages(room)),
    ],
    package_dir={"kind": "kind", **{f"kind.{room}": room for room in rooms}},
)
