"""The pipeline as a SavedModel: written, checked, compared, and only then published as a version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kind.constants import DEFAULT_ALPHA, MAX_PIXELS
from kind.enhancing.enhancer import Enhancer
from kind.export.changes import ServedChanges
from kind.export.detections import ServedDetector
from kind.export.eight_bits import write_eight_bits
from kind.export.operations import check_operations, read_graph
from kind.export.parity import Deviation, deviations, warmup_photograph
from kind.export.signatures import make_signatures
from kind.export.versions import publish, staging
from kind.export.warmup import write_warmup_requests
from kind.images.photo import encode_photo

if TYPE_CHECKING:
    from kind.enhancing.fast.enhancer import FastEnhancer


def export_saved_model(
    folder: Path,
    enhancer: Enhancer,
    detector: ServedDetector | None = None,
    *,
    photograph: np.ndarray,
    changes: ServedChanges | None = None,
    max_pixels: int = MAX_PIXELS,
    fast: FastEnhancer | None = None,
    review: Callable[[list[Deviation]], None] = lambda deviations: None,
) -> Path:
    """Adds a version of the pipeline to a model's folder, with its warm-up requests.

    Args:
        folder: of the model, as a server watches it.
        enhancer: the pipeline.
        detector: see `make_signatures`.
        photograph: float [H, W, 3] in [0, 1], on which the saved model is compared with the pipeline.
        changes: see `make_signatures`.
        max_pixels: likewise.
        fast: the same networks in 8 bits, see `kind.export.eight_bits`; None leaves them out.
        review: called with the comparison before the version is published; raise in it to abort.

    Returns:
        The version's folder.

    Raises:
        ForeignOperations: the graph holds operations that `kind serve` would refuse, see `OPERATIONS`.
        OSError: when the folder cannot be written.
    """
    with staging(folder) as temporary:
        make_signatures(enhancer, detector, max_pixels, changes).save(str(temporary))
        check_operations(read_graph(temporary))
        if fast:
            write_eight_bits(temporary, fast, max_pixels)
        requests = _warmup_requests(detector is not None, changes is not None)
        write_warmup_requests(temporary, folder.resolve().name, requests)
        review(deviations(temporary, enhancer, detector, photograph, changes))
        return publish(temporary, folder)


def _warmup_requests(with_detector: bool, with_changes: bool) -> dict[str, dict]:
    photograph = warmup_photograph()
    image_bytes, alpha = [encode_photo(photograph)], [DEFAULT_ALPHA]
    requests = {
        "serving_default": {"image_bytes": image_bytes},
        "enhance": {"image_bytes": image_bytes, "alpha": alpha},
        "enhance_to_brightness": {"image_bytes": image_bytes, "brightness": [0.5]},
        "blend": {"image_bytes": image_bytes, "strength": [0.5]},
        "decompose": {"image_bytes": image_bytes},
        "enhance_tensor": {"images": photograph[None], "alpha": alpha},
    }
    if with_detector:
        requests["detect"] = {"image_bytes": image_bytes}
    if with_changes:
        requests["detect_changes"] = {"before_bytes": image_bytes, "after_bytes": image_bytes}
    return requests
