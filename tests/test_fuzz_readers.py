"""Damaged files of every kind through every reader: nothing but a UserError, in bounded memory and time.

The readers run in a process of its own, so that its memory is theirs and a crash does not end the tests:
`python -m tests.test_fuzz_readers SECONDS [GROUP …]` runs them by hand.
"""

import faulthandler
import io
import json
import random
import re
import resource
import struct
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest

SEED = 20261129
SECONDS = 8  # of each group
LONGEST = 20  # seconds that one file may take; on a busy machine most of them is waiting
PIXELS = 1_000_000  # the limit here, so that what a header claims may be as large as the limit
MEMORY = 300 << 20  # bytes of the whole process, libraries included

ANNOTATIONS = (
    "yolo",
    "coco",
    "voc",
    "exdark",
    "dark face",
    "wider face",
    "data.yaml",
    "classes.txt",
    "found boxes",
)
GROUPS = ("images", *ANNOTATIONS, "metrics", "configs")

_LONG = ["9" * 700, "9" * 5000, "x" * 5000, "<a>" * 40]
_NUMBERS_IN_WORDS = "0 -1 nan inf -inf 1e400 0x10 ٣ 1_0 null true".split()
_MARKS = "../../x /etc/passwd [] {} [[ &a *a % , <!DOCTYPE &#0; ]]> !!python/tuple".split()
WORDS = [*_NUMBERS_IN_WORDS, *_MARKS, *_LONG, "", "\0", "\ufeff", "\x1b[2J", "\u202e", "\n", "\t", "- - -"]


def pictures():
    """Files of every format and layout, by name."""
    import tifffile
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (40, 56, 4), dtype=np.uint8)
    found = {}

    def save(name, mode, kind, **options):
        file = io.BytesIO()
        Image.fromarray(noise).convert(mode).save(file, kind, **options)
        found[name] = file.getvalue()

    exif = Image.Exif()
    exif[0x0112] = 6
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        save(f"{mode}.png", mode, "PNG")
    save("exif.png", "RGB", "PNG", exif=exif)
    for name, options in {"plain": {}, "progressive": {"progressive": True}, "exif": {"exif": exif}}.items():
        save(f"{name}.jpg", "RGB", "JPEG", **options)
    save("cmyk.jpg", "CMYK", "JPEG")
    save("gray.jpg", "L", "JPEG")
    save("lossy.webp", "RGB", "WEBP", exif=exif)
    save("lossless.webp", "RGBA", "WEBP", lossless=True)
    for mode in ("1", "L", "P", "RGB"):
        save(f"{mode}.bmp", mode, "BMP")
    save("plain.gif", "P", "GIF")
    save("moving.gif", "P", "GIF", save_all=True, append_images=[Image.new("P", (56, 40), 3)])
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        save(f"{compression}.tif", "RGB", "TIFF", compression=compression)
    colours = noise[..., :3]
    planes = np.moveaxis(colours, -1, 0).astype("u2")
    for name, pixels, options in (
        ("16", colours.astype(">u2") * 257, {"photometric": "rgb"}),
        ("planes", planes, {"photometric": "rgb", "planarconfig": "separate"}),
        ("float", colours.astype("f4") / 255, {"photometric": "rgb"}),
        ("half", colours[..., 0].astype("f2") / 255, {"photometric": "miniswhite"}),
        ("tiles", colours, {"photometric": "rgb", "tile": (16, 16)}),
        ("big", colours, {"photometric": "rgb", "bigtiff": True}),
        ("deflated float", colours.astype("f4") / 255, {"photometric": "rgb", "compression": "zlib"}),
    ):
        file = io.BytesIO()
        tifffile.imwrite(file, pixels, **options)
        found[f"{name}.tif"] = file.getvalue()
    return found


def damaged_bytes(data, chance):
    """A copy with some bytes, numbers or parts exchanged, cut or repeated."""
    data = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        place = chance.randrange(len(data) or 1)
        # Headers are where damage does most.
        place = place if chance.random() < 0.4 else min(place, chance.randrange(128))
        number, order = chance.choice(_NUMBERS), chance.choice("<>")
        damage = chance.randrange(7)
        if damage == 0:
            data[place : place + 1] = bytes([chance.randrange(256)])
        elif damage == 1:
            data[place : place + 4] = struct.pack(order + "I", number)
        elif damage == 2:
            data[place : place + 2] = struct.pack(order + "H", number & 0xFFFF)
        elif damage == 3:
            del data[place : place + chance.choice((1, 2, 16, 1000))]
        elif damage == 4:
            del data[max(place, 16) :]
        elif damage == 5:
            data[place:place] = data[place : place + chance.choice((1, 8, 100, 2000))]
        else:
            data[place:place] = bytes(chance.choice((1, 8, 300)))
    return bytes(data)


_NUMBERS = (0, 1, 2, 7, 127, 128, 255, 256, 1000, 32767, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def mended_png(data):
    """The same with right checksums, so that damage reaches what is behind them."""
    parts, place = [data[:8]], 8
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        content = data[place + 8 : place + 8 + length]
        parts.append(data[place : place + 8] + content + struct.pack(">I", zlib.crc32(kind + content)))
        place += 12 + length
    return b"".join(parts)


def damaged_text(text, chance):
    """A copy with words exchanged, lines repeated, or bytes damaged."""
    if chance.random() < 0.2:
        return damaged_bytes(text.encode(), chance)
    words, share = [], chance.choice((0.005, 0.02, 0.08))
    for word in text.replace("\n", " \n ").split(" "):
        words.append(chance.choice(WORDS) if chance.random() < share else word)
        if chance.random() < share / 4:
            words += words[-chance.randrange(1, 6) :]
    text = " ".join(words)
    place = chance.randrange(len(text) or 1)
    if chance.random() < 0.3:
        text = text[:place] + chance.choice(WORDS) + text[place:]
    if chance.random() < 0.1:
        text = text[:place]
    return text.encode("utf-8", "surrogatepass")


class Fuzzing:
    """Feeds the readers of one group, and keeps what went wrong."""

    def __init__(self, folder, seconds):
        self.folder, self.seconds = folder, seconds
        self.counts, self.faults = {}, []

    def run(self, group):
        samples = list(self.samples(group).items())
        end, count, refused = time.monotonic() + self.seconds, 0, 0
        while time.monotonic() < end:
            chance = random.Random(f"{SEED} {group} {count}")
            name, content = samples[count % len(samples)]
            is_text = isinstance(content, str)
            data = damaged_text(content, chance) if is_text else damaged_bytes(content, chance)
            if name.endswith(".png") and chance.random() < 0.7:
                data = mended_png(data)
            refused += self.one(group, count, name, data)
            self.place(group, name).write_bytes(content.encode() if is_text else content)
            count += 1
        self.counts[group] = (count, refused)

    def one(self, group, count, name, data):
        from kind.errors import UserError

        faulthandler.dump_traceback_later(LONGEST, exit=True)
        self.place(group, name).write_bytes(data)
        try:
            self.read(group, name)
        except UserError as error:
            if "\n" in str(error) or not str(error).isprintable():
                self.faults.append(f"{group} {count} {name}: more than one line: {ascii(str(error))[:300]}")
            return 1
        except MemoryError:
            self.faults.append(f"{group} {count} {name}: MemoryError")
        except Exception as error:
            self.faults.append(f"{group} {count} {name}: {type(error).__name__}: {str(error)[:300]}")
        finally:
            faulthandler.cancel_dump_traceback_later()
        return 0

    def samples(self, group):
        """Sound files of a group by name; text is str."""
        boxes = "0 .5 .5 .4 .4\n1 0.25 .5 0.1 0.2\n0 .1 .1 .2 .1 .2 .2 .1 .2\n"
        coco = {
            "images": [{"id": 1, "file_name": "a.png", "width": 56, "height": 40}],
            "categories": [{"id": 1, "name": "car"}, {"id": 3, "name": "bus"}],
            "annotations": [
                {"id": n, "image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4], "area": 12.5, "iscrowd": 0}
                for n in range(3)
            ],
        }
        voc = (
            "<annotation>\n<size> <width> 56 </width> <height> 40 </height> </size>\n"
            "<object> <name> car </name> <difficult> 0 </difficult> <bndbox> <xmin> 1 </xmin> "
            "<ymin> 2 </ymin> <xmax> 30 </xmax> <ymax> 20 </ymax> </bndbox> </object>\n</annotation>\n"
        )
        found = [{"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4], "score": 0.5}] * 2
        texts = {
            "yolo": {"labels/a.txt": boxes},
            "coco": {"coco.json": json.dumps(coco, indent=1)},
            "voc": {
                "Annotations/a.xml": '<?xml version="1.0" encoding="utf-8"?>\n' + voc,
                "Annotations/b.xml": voc,
            },
            "exdark": {"ExDark_Anno/a.png.txt": "% bbGt version=3\nCar 1 2 30 20 0 0 0 0 0 0 0\n" * 2},
            "dark face": {"label/a.txt": "2\n1 2 30 20\n3 4 10 12\n"},
            "wider face": {"faces.txt": "a.png\n2\n1 2 30 20 0 0 0 0 0 0\n3 4 9 9\nb.png\n0\n0 0 0 0\n"},
            "data.yaml": {
                "data.yaml": "path: .\ntrain: images\nval: list.txt\nnc: 2\n"
                "names: [ car , bus ]\nkpt_shape: [ 2 , 3 ]\n",
                "list.txt": "./images/a.png\nimages/b.png\n",
            },
            "classes.txt": {"labels/classes.txt": "car\nbus\n"},
            "found boxes": {
                "found.json": json.dumps(found, indent=1),
                "images.json": json.dumps(coco, indent=1),
                "found.csv": "image,class,score,left,top,right,bottom\na.png , car , 0.5 , 1 , 2 , 3 , 4\n"
                * 2,
                "texts/a.txt": "1 .2 .3 .1 .1 .5\n0 .5 .5 .4 .4 .9\n",
                "texts/classes.txt": "car\nbus\n",
            },
            "metrics": {
                "run/metrics.jsonl": '{"epoch": 1, "val_loss": 0.5}\n{"epoch": 2, "val_loss": 0.25}\n',
                "results.jsonl": '{"key": "k", "image": "a", "method": "m", "metrics": {"psnr": 20.5}}\n' * 2,
            },
            "configs": {
                "run/config.json": json.dumps(
                    {"stage": "lite", "config": {"epochs": 2, "patch": 64}}, indent=1
                ),
                "run/data.json": json.dumps({"training": {"a": "b"}}, indent=1),
                "run/sessions.jsonl": '{"command": "kind train", "seconds": 2.5}\n',
                "run/training.json": json.dumps({"lite": {"stage": "lite"}}, indent=1),
            },
        }
        return pictures() if group == "images" else texts[group]

    def place(self, group, name):
        return self.folder / ("picture" if group == "images" else f"{group}/{name}")

    def prepare(self, group):
        """Everything around the damaged file, whole."""
        root = self.folder / group
        pixels = pictures()["RGB.png"]
        for folder in ("images", "JPEGImages", "ExDark", "image", "labels", "texts", "run", "Annotations"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        if group in ANNOTATIONS:
            for name in (
                "images/a.png",
                "images/b.png",
                "JPEGImages/a.png",
                "JPEGImages/b.png",
                "ExDark/a.png",
            ):
                (root / name).write_bytes(pixels)
            (root / "image/a.png").write_bytes(pixels)
        for name, content in self.samples(group).items():
            path = self.place(group, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def read(self, group, name):
        root = self.folder / group
        if group == "images":
            _read_picture(self.folder / "picture")
        elif group in ANNOTATIONS:
            _read_annotations(group, root, name)
        else:
            _read_records(root, name)


def _read_picture(path):
    from kind.errors import UserError
    from kind.images.photo import decode_photo, photo_size, read_stored_photo

    try:
        told = photo_size(path)
    except UserError:
        told = None
    photo = read_stored_photo(path)
    if told != photo.size:
        raise AssertionError(f"its size is {photo.size}, but photo_size says {told}")
    if 0 in photo.levels.shape or photo.levels.ndim != 3:
        raise AssertionError(f"a picture of shape {photo.levels.shape}")
    floats = decode_photo(path.read_bytes(), "x")
    if not (0 <= floats.pixels.min() and floats.pixels.max() <= 1):
        raise AssertionError("values beyond [0, 1], or none")


def _read_annotations(group, root, name):
    from kind.data.annotations import layouts
    from kind.data.annotations.yolo_text import read_yolo_text
    from kind.detection.evaluation.found_files import read_found
    from kind.errors import UserError

    if group == "found boxes":
        images = read_yolo_text(root / "images", root / "labels", ["car", "bus"]).images
        read_found(
            root / ("texts" if name.startswith("texts") else name.replace("images", "found")), images, ["car"]
        )
        return
    read = {
        "yolo": lambda **how: layouts.read_yolo_folder(root, ["car", "bus"], **how),
        "coco": lambda **how: layouts.read_coco_folder(root, root / name, **how),
        "voc": lambda **how: layouts.read_voc_folder(root, **how),
        "exdark": lambda **how: layouts.read_exdark_folder(root, **how),
        "dark face": lambda **how: layouts.read_dark_face_folder(root, **how),
        "wider face": lambda **how: layouts.read_wider_face_folder(root, root / name, **how),
        "data.yaml": lambda **how: layouts.read_yolo_folder(root, **how),
        "classes.txt": lambda **how: layouts.read_yolo_folder(root, **how),
    }[group]
    try:
        _check(read(repair=True))
    except UserError:  # of what cannot be repaired, the other reading tells
        pass
    _check(read(repair=False))


def _check(annotations):
    for image in annotations.images:
        height, width = image.size
        boxes = image.boxes
        sound = np.isfinite(boxes).all() and (boxes >= 0).all() and (boxes <= [width, height] * 2).all()
        if not sound or not np.isfinite(image.areas).all() or (image.areas < 0).any():
            raise AssertionError(f"boxes {boxes.tolist()}, areas {image.areas.tolist()}")
    if not all(line.isprintable() for line in annotations.problems):
        raise AssertionError(f"a problem that cannot be printed: {ascii(annotations.problems)[:300]}")


def _read_records(root, name):
    from kind.reports.results import Results
    from kind.training.run_folder import RunFolder, read_json, read_sessions, read_training_json

    if name == "results.jsonl":
        Results(root / name, field="metrics", parse=lambda kept: {str(key): float(kept[key]) for key in kept})
    elif name == "run/metrics.jsonl":
        RunFolder(root / "run").read_metrics()
        RunFolder(root / "run").read_metrics(strict=True)
    elif name == "run/sessions.jsonl":
        read_sessions(RunFolder(root / "run"))
    elif name == "run/training.json":
        read_training_json(root / "run")
    else:
        read_json(root / name)


def main(seconds, groups):
    from kind.images import photo

    warnings.simplefilter("ignore")
    photo.PIXEL_LIMIT = PIXELS
    with tempfile.TemporaryDirectory() as folder:
        fuzzing = Fuzzing(Path(folder), seconds)
        for group in groups:
            fuzzing.prepare(group)
            fuzzing.run(group)
    print(json.dumps({"counts": fuzzing.counts, "faults": fuzzing.faults[:50], "peak": peak_memory()}))


def peak_memory():
    """Bytes; on Linux `ru_maxrss` would count the process that started this one, too."""
    if Path("/proc/self/status").is_file():
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_every_reader_takes_every_file(group):
    command = [sys.executable, "-m", "tests.test_fuzz_readers", str(SECONDS), group]
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=root)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    count, refused = found["counts"][group]
    assert not found["faults"]
    assert count > 20 and 0 < refused < count, "the damage is too small, or too large, to try the reader"
    assert found["peak"] < MEMORY


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:] or GROUPS)
