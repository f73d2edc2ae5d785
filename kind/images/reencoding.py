"""A relit image file in another format, blended with its photograph, and with that one's metadata."""

from __future__ import annotations

import io
import re

from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from kind.images.header import FORMATS as KNOWN
from kind.images.pixels import ImageError

FORMATS = {"png": "PNG", "jpeg": "JPEG", "jpg": "JPEG", "webp": "WEBP", "same": ""}
"""Names, and Pillow's names; "same" is the photograph's own format, or PNG where that is another."""

_OPTIONS = {
    "PNG": {"compress_level": 4},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
}
_ORIENTATION, _UPRIGHT = 0x0112, 1
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:>|=[\"']))[2-8]")
_MOST_METADATA = 1 << 20


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
        own, metadata = _metadata(photograph)
        file_format = FORMATS[wanted] or (own if own in _OPTIONS else "PNG")
        metadata = {} if strip else metadata
        media_type = f"image/{file_format.lower()}"
        if file_format == "PNG" and strength == 1.0 and not metadata:
            return relit, media_type
        with Image.open(io.BytesIO(relit), formats=["PNG"]) as opened:
            image = opened if strength == 1.0 else _blended(opened, photograph, strength)
            file = io.BytesIO()
            image.save(file, file_format, **_OPTIONS[file_format], **_accepted(metadata, file_format))
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


def _metadata(photograph: bytes) -> tuple[str, dict[str, object]]:
    """The photograph's format by Pillow's name, and what its header says besides the picture."""
    try:
        with Image.open(io.BytesIO(photograph), formats=KNOWN) as image:  # reads the header only
            info, own = dict(image.info), image.format or ""
    except Exception:  # the model could read it, and nothing but metadata is lost
        return "", {}
    kept = {key: info[key] for key in ("icc_profile", "dpi") if info.get(key)}
    xmp = info.get("xmp")
    if isinstance(xmp, bytes) and len(xmp) <= _MOST_METADATA:
        kept["xmp"] = _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)
    if isinstance(info.get("exif"), bytes) or "xmp" in kept:
        exif = Image.Exif()
        try:
            exif.load(info.get("exif", b""))
            exif[_ORIENTATION] = _UPRIGHT  # as the pixels now are
            kept["exif"] = exif.tobytes()
        except Exception:  # damaged
            kept.pop("exif", None)
    return ("JPEG" if own == "MPO" else own), kept


def _accepted(metadata: dict[str, object], file_format: str) -> dict[str, object]:
    """The metadata in the form that Pillow's writer of this format takes."""
    if file_format == "PNG" and "xmp" in metadata:
        texts = PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", metadata["xmp"].decode("utf-8", "replace"))
        return {**{key: value for key, value in metadata.items() if key != "xmp"}, "pnginfo": texts}
    return {key: value for key, value in metadata.items() if (file_format, key) != ("WEBP", "dpi")}
