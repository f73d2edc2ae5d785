"""A relit image file in another format, blended with its photograph, and with that one's metadata."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from kind.images.encoding import DEFAULT_QUALITY
from kind.images.header import FORMATS as KNOWN
from kind.images.header import read_header_and_metadata
from kind.images.metadata import Metadata, metadata_of, save_options
from kind.images.pixels import ImageError

FORMATS = {"png": "PNG", "jpeg": "JPEG", "jpg": "JPEG", "webp": "WEBP", "same": ""}
"""Names, and Pillow's names; "same" is the photograph's own format, or PNG where that is another."""

_OPTIONS = {
    "PNG": {"compress_level": 4},
    "JPEG": {"quality": DEFAULT_QUALITY, "subsampling": 0},
    "WEBP": {"quality": DEFAULT_QUALITY},
}


def reencoded(
    relit: bytes, photograph: bytes, wanted: str, strength: float = 1.0, strip: bool = False
) -> tuple[bytes, str]:
    """Makes an image file of a PNG and the photograph that it was made of.

    Args:
        relit: the PNG, 8 bits, upright.
        photograph: the file that it was made of.
        wanted: a key of `FORMATS`.
        strength: how much of the result, in [0, 1]; the rest is the photograph.
        strip: whether to leave out EXIF, XMP, colour profile and resolution.

    Returns:
        The file and its media type.

    Raises:
        ImageError: the format cannot hold the picture, or one of the two cannot be decoded.
    """
    try:
        own, metadata, profile = _described(photograph)
        file_format = FORMATS[wanted] or (own if own in _OPTIONS else "PNG")
        kept = {} if strip else save_options(metadata, file_format.lower())
        if profile and not strip:
            kept["icc_profile"] = profile
        media_type = f"image/{file_format.lower()}"
        if file_format == "PNG" and strength == 1.0 and not kept:
            return relit, media_type
        with Image.open(io.BytesIO(relit), formats=["PNG"]) as opened:
            image = opened if strength == 1.0 else _blended(opened, photograph, strength)
            file = io.BytesIO()
            image.save(file, file_format, **_OPTIONS[file_format], **kept)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ImageError(f"the result cannot be made as {wanted}: {reason}") from error
    return file.getvalue(), media_type


def _blended(relit: Image.Image, photograph: bytes, strength: float) -> Image.Image:
    with Image.open(io.BytesIO(photograph), formats=KNOWN) as before:
        upright = ImageOps.exif_transpose(before)
        if upright.mode.startswith("I;16"):
            upright = upright.point(lambda level: level / 256).convert("L")
        return Image.blend(upright.convert(relit.mode), relit, strength)


def _described(photograph: bytes) -> tuple[str, Metadata, bytes | None]:
    """The photograph's format by Pillow's name, its metadata and its colour profile; no pixel is decoded."""
    file = io.BytesIO(photograph)
    try:
        with Image.open(file, formats=KNOWN) as image:  # reads the header only
            profile, own = image.info.get("icc_profile"), image.format or ""
            header, exif, xmp = read_header_and_metadata(io.BytesIO(photograph))
            metadata = metadata_of(image, io.BytesIO(photograph), exif, xmp, header.upright_size[::-1])
    except Exception:  # the model could read it, and nothing but metadata is lost
        return "", Metadata(), None
    return ("JPEG" if own == "MPO" else own), metadata, profile
