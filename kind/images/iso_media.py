"""AVIF and HEIC, which both lie in the boxes of ISO's media files; HEIC needs the extra `photos`."""

from __future__ import annotations

import importlib.util

from PIL import Image

from kind.errors import UserError

AVIF, HEIC = "AVIF", "HEIF"  # as Pillow names the formats
_PACKAGE = "pillow_heif"
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), AVIF),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), HEIC),
}


def suffixes() -> tuple[str, ...]:
    """Suffixes of those formats that this installation reads and writes."""
    found = (".avif",) if importlib.util.find_spec("PIL._avif") else ()
    return (*found, ".heic", ".heif") if importlib.util.find_spec(_PACKAGE) else found


def format_of(start: bytes) -> str | None:
    """Pillow's name for the format of a file that begins like this; None when it is neither.

    Raises:
        UserError: the format is known, and what reads it is not installed.
    """
    found = _BRANDS.get(start[8:12]) if start[4:8] == b"ftyp" else None
    if found == AVIF and ".avif" not in suffixes():
        raise UserError("reading AVIF needs a Pillow that was built with it: install pillow from its wheels")
    if found == HEIC:
        register_heic()
    return found


def register_heic() -> None:
    """Makes HEIC known to Pillow.

    Raises:
        UserError: the package is not installed.
    """
    if HEIC in Image.OPEN:
        return
    if not importlib.util.find_spec(_PACKAGE):
        raise UserError("reading HEIC needs pillow-heif: install with pip install 'kind[photos]'")
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False)
