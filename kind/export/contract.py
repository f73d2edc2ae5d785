"""What an export, its servers and their clients agree on; needs no TensorFlow."""

from __future__ import annotations

from pathlib import Path

IMAGE_BYTES = "image_bytes"
"""The input that holds image files."""

BEFORE_BYTES, AFTER_BYTES = "before_bytes", "after_bytes"
"""Those of the signature that compares two photographs."""

IMAGE_INPUTS = frozenset({IMAGE_BYTES, BEFORE_BYTES, AFTER_BYTES})

NO_CLASS = -1
"""The class of rows that hold no box."""

WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
"""Where TensorFlow Serving looks for the requests that a new version answers first, inside a SavedModel."""
