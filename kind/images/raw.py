"""Raw files of cameras (NEF, CR2, CR3, ARW, DNG, RAF, ORF, RW2, …), by LibRaw; needs the extra `raw`."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np

from kind.errors import UserError
from kind.images.header import read_header_and_metadata
from kind.images.metadata import Metadata, described_by_tiff, tolerant, upright_exif, upright_xmp
from kind.images.tiff_tags import PHOTOMETRIC, directories

RAW = "RAW"
RAW_SUFFIXES = (
    *(".nef", ".nrw", ".cr2", ".cr3", ".arw", ".sr2", ".dng", ".raf"),
    *(".orf", ".rw2", ".pef", ".srw", ".3fr", ".iiq"),
)

_PACKAGE = "rawpy"
_STARTS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0")  # RAF, ORF, RW2
_CANON_2, _CANON_3 = b"CR", b"ftypcrx "  # from bytes 8 and 4 on
_TIFF = (b"II*\0", b"MM\0*")
_SENSOR_VALUES = (32803, 34892)  # photometric interpretations: a colour filter array, linear raw
_SRGB_CURVE = (2.4, 12.92)
_FUJI_PREVIEW = 84  # where a RAF says where its JPEG is
_ITS_WORDS = b"unknown file: "
_stderr = threading.Lock()
_MOST_PREVIEW = 1 << 20  # bytes of the JPEG that are looked at for EXIF


def suffixes() -> tuple[str, ...]:
    """Suffixes of raw files, where this installation reads them."""
    return RAW_SUFFIXES if importlib.util.find_spec(_PACKAGE) else ()


def is_raw(file: BinaryIO) -> bool:
    """Whether a file holds values of a sensor, by its content: many raw files begin like a TIFF."""
    file.seek(0)
    start = file.read(16)
    if start.startswith(_STARTS) or start[4:12] == _CANON_3:
        return True
    if not start.startswith(_TIFF):
        return False
    if start[8:10] == _CANON_2:
        return True
    file.seek(0)
    with contextlib.suppress(ValueError, OverflowError, struct.error):  # a damaged one is no raw file
        return any(tags.get(PHOTOMETRIC) in _SENSOR_VALUES for tags in directories(file, (PHOTOMETRIC,)))
    return False


def raw_size(file: BinaryIO) -> tuple[int, int]:
    """Height and width of the picture, upright; the sensor's values are not unpacked.

    Raises:
        UserError: rawpy is not installed.
        OSError: LibRaw cannot read it.
    """
    with _opened(file) as raw:
        return _upright_size(raw.sizes)


def raw_samples(file: BinaryIO, check_size: Callable[[int, int], None]) -> tuple[np.ndarray, Metadata]:
    """Develops a raw file: linear demosaicing, the camera's white balance, no automatic brightness.

    White is the sensor's white, so that the picture is as dark as the exposure was.

    Args:
        file: the whole file.
        check_size: called with width and height before anything is unpacked; raises what refuses them.

    Returns:
        uint16 [H, W, 3], sRGB, upright, and what the file says of the photograph.

    Raises:
        UserError: rawpy is not installed, or what `check_size` raises.
        OSError: LibRaw cannot read it.
    """
    with _opened(file) as raw:
        import rawpy

        check_size(raw.sizes.raw_width, raw.sizes.raw_height)
        height, width = _upright_size(raw.sizes)
        check_size(width, height)
        samples = raw.postprocess(
            demosaic_algorithm=rawpy.DemosaicAlgorithm.LINEAR,
            use_camera_wb=True,
            no_auto_bright=True,
            output_color=rawpy.ColorSpace.sRGB,
            output_bps=16,
            gamma=_SRGB_CURVE,
        )
    return samples, _metadata(file, samples.shape[1::-1])


@contextlib.contextmanager
def _opened(file: BinaryIO) -> Iterator:
    """The file as `rawpy.RawPy`; what LibRaw raises in the block becomes an OSError with its words."""
    if not importlib.util.find_spec(_PACKAGE):
        raise UserError("reading raw files needs rawpy: install with pip install 'kind[raw]'")
    import rawpy

    file.seek(0)
    try:
        with _without_its_words(), rawpy.imread(file) as raw:
            yield raw
    except rawpy.LibRawError as error:
        reason = error.args[0] if error.args else type(error).__name__
        raise OSError(reason.decode() if isinstance(reason, bytes) else reason) from error


@contextlib.contextmanager
def _without_its_words() -> Iterator[None]:
    """Leaves out what LibRaw prints on stderr, past Python; what others print there comes after it."""
    with _stderr, tempfile.TemporaryFile() as kept:
        saved = os.dup(2)
        try:
            os.dup2(kept.fileno(), 2)
            yield
        finally:
            os.dup2(saved, 2)
            kept.seek(0)
            for line in kept:
                if not line.startswith(_ITS_WORDS):
                    os.write(saved, line)
            os.close(saved)


def _upright_size(sizes) -> tuple[int, int]:
    size = sizes.iheight, sizes.iwidth
    return size[::-1] if sizes.flip in (5, 6) else size


def _metadata(file: BinaryIO, size: tuple[int, int]) -> Metadata:
    """EXIF and XMP: of a TIFF structure its own, of a RAF those of the JPEG in it, otherwise none."""
    exif = xmp = b""
    file.seek(0)
    start = file.read(_FUJI_PREVIEW + 8)
    with tolerant():
        if start.startswith(_STARTS[0]):
            place, length = struct.unpack_from(">LL", start, _FUJI_PREVIEW)
            file.seek(place)
            _, exif, xmp = read_header_and_metadata(io.BytesIO(file.read(min(length, _MOST_PREVIEW))))
        elif start[:2] in (b"II", b"MM"):
            exif, xmp = described_by_tiff(file)
    return Metadata(upright_exif(exif, size), upright_xmp(xmp))
