"""Which files move: MP4, MOV, WebM and Matroska, which need the extra `video`, and animations."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from kind.images.animation import ANIMATION_SUFFIXES, is_animation
from kind.images.pixels import ImageError

CLIP_SUFFIXES = (".mp4", ".m4v", ".mov", ".webm", ".mkv")
"""Of what PyAV reads and writes."""

MOVING_SUFFIXES = (*CLIP_SUFFIXES, *ANIMATION_SUFFIXES)
"""Of videos, and of what may be an animation."""

HINT = "videos need pip install 'kind[video]'"


def can_read_clips() -> bool:
    """Whether PyAV is there."""
    return importlib.util.find_spec("av") is not None


def check_installed(name: str) -> None:
    """Refuses a video where PyAV is missing.

    Args:
        name: of the video.

    Raises:
        ImageError: one line that says how to install it.
    """
    if not can_read_clips():
        raise ImageError(f"{name}: reading videos needs av: install with pip install 'kind[video]'")


def is_moving(path: Path) -> bool:
    """Whether a file is a video, by its suffix, or an animation, by its content."""
    return path.suffix.lower() in CLIP_SUFFIXES or is_animation(path)


def check_target(source: Path, target: Path) -> None:
    """Refuses formats that videos or animations cannot be written in.

    Raises:
        ImageError: one line that says what can be.
    """
    suffixes = CLIP_SUFFIXES if source.suffix.lower() in CLIP_SUFFIXES else ANIMATION_SUFFIXES
    if target.suffix.lower() not in suffixes:
        raise ImageError(f"{target}: {source.name} cannot be written as this: expects {' '.join(suffixes)}")
