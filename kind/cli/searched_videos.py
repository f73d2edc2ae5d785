"""Objects in videos: boxes drawn on each frame, and a line of JSON for each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import kind
from kind.cli.jobs import Job
from kind.cli.videos import VideoWork, make_videos
from kind.errors import UserError
from kind.files import atomic_write

if TYPE_CHECKING:
    from kind.detection.model import Detector
    from kind.detection.predictor import Thresholds
    from kind.enhancing.enhancer import Enhancer
    from kind.metrics.boxes import Predictions
    from kind.video.making import Made
    from kind.video.moving import Moving

LINES = ".jsonl"
_PIXEL_DIGITS, _SCORE_DIGITS, _TIME_DIGITS = 2, 5, 4


class FrameSearch:
    """Finds objects in frames; `kind.video.making.FrameWork`."""

    at_once = 1

    def __init__(
        self,
        net: Detector,
        thresholds: Thresholds,
        enhancer: Enhancer | None,
        input: str,
        alpha: float | None = None,
    ) -> None:
        """Takes what `kind.cli.detect.search` takes."""
        from kind.detection.inputs import enhanced_parts
        from kind.detection.predictor import Predictor
        from kind.enhancing.frames import FrameEnhancer

        self._find, self._names, self._input = Predictor(net, thresholds), net.class_names, input
        parts = enhanced_parts([input])
        self._enhance = FrameEnhancer(enhancer, alpha, part=parts[0]) if parts else None
        self.own_statistics = self._enhance.own_statistics if self._enhance else ()

    def statistics(self, frame: np.ndarray) -> tuple[np.ndarray, ...]:
        """See `FrameWork`: those of the enhancement, where there is one."""
        return self._enhance.statistics(frame) if self._enhance else ()

    def __call__(
        self, frame: np.ndarray, statistics: tuple[np.ndarray, ...]
    ) -> tuple[np.ndarray, list[dict[str, Any]]]:
        """What the detector sees with boxes on it, uint8 [H, W, 3], and the objects."""
        from kind.detection.drawing import draw_predictions

        seen = self._seen(frame, statistics)
        found = self._find(seen)
        drawn = draw_predictions(seen, found, self._names)
        return np.rint(drawn * 255).astype(np.uint8), _objects(found, self._names)

    def _seen(self, frame: np.ndarray, statistics: tuple[np.ndarray, ...]) -> np.ndarray:
        """The detector's input, float32 [H, W, 3]."""
        from kind.detection.inputs import detector_input

        if self._enhance:
            return self._enhance(frame, statistics)[0] / np.float32(255)
        return np.asarray(detector_input(None, frame[np.newaxis] / np.float32(255), self._input)[0])


def search_videos(
    jobs: Sequence[Job],
    net: Detector,
    thresholds: Thresholds,
    enhancer: Enhancer | None,
    *,
    input: str,
    alpha: float | None = None,
    quality: int | None = None,
) -> int:
    """Draws what is found in videos and animations, and writes the objects of each frame to NAME.jsonl.

    Args:
        jobs: at least one; all of them move.
        net: see `kind.cli.detect.search`, as are the others.
        thresholds: which detections become boxes.
        enhancer: makes the detector's input; None for inputs that need none.
        input: one of `kind.detection.inputs.INPUTS`.
        alpha: of the input "relit".
        quality: of the videos, 1 to 100.

    Returns:
        0 when all were done, 1 when some could not be, 2 when none could.
    """
    from kind.nn.saving import weights_digest

    settings = {
        "kind": kind.__version__,
        "detector": weights_digest(net),
        "classes": list(net.class_names),
        "thresholds": asdict(thresholds),
        "networks": enhancer.digests() if enhancer else None,
        "precision": enhancer.precision if enhancer else None,
        "input": input,
        "alpha": alpha,
    }
    frames = FrameSearch(net, thresholds, enhancer, input, alpha)
    return make_videos(jobs, VideoWork(frames, settings, "boxes", _count, _write_lines), quality)


def lines_file(target: Path) -> Path:
    """Where the objects of a video's frames are written."""
    return target.with_suffix(LINES)


def _count(records: list[list[dict[str, Any]]]) -> str:
    return str(sum(map(len, records)))


def _objects(found: Predictions, class_names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "class": class_names[label],
            "score": round(float(score), _SCORE_DIGITS),
            "box": [round(float(side), _PIXEL_DIGITS) for side in box],
        }
        for box, score, label in zip(*found)
    ]


def _write_lines(job: Job, moving: Moving, made: Made) -> None:
    """A line for each frame: its number, its time in seconds, and its objects."""
    path = lines_file(job.target)
    try:
        with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            for number, objects in zip(made.numbers, made.records):
                line = {
                    "frame": number,
                    "time": round(moving.seconds(number), _TIME_DIGITS),
                    "objects": objects,
                }
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error
