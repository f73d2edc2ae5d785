"""Draws docs/pictures/twins.jpg, dark twins of each preset: `.venv/bin/python scripts/draw_twins.py`."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from skimage import data

from kind.data.dark_twins import PRESETS, twin
from kind.images.contact_sheet import contact_sheet
from kind.images.photo import write_photo
from kind.images.pixels import in_unit_range

TARGET = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "twins.jpg"
SIDE = 150

rows = []
for number, photograph in enumerate((data.astronaut(), data.coffee(), data.chelsea())):
    bright = tf.constant(in_unit_range(photograph))
    twins = [twin(bright, tf.constant([0, number]), preset).numpy() for preset in PRESETS.values()]
    rows.append([np.asarray(bright), *twins])
write_photo(TARGET, contact_sheet(rows, ["photograph", *PRESETS], SIDE), quality=80)
