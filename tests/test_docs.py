"""The documents tell the truth: their commands are understood, their links lead somewhere, their code runs.

The quick tests only parse commands; `-m slow` also runs them all, document by document, on small stand-ins
for the files that the documents name.
"""

import contextlib
import dataclasses
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from kind.cli.stages import STAGES
from kind.training.config import flag_of
from tests.kind.video.clips import write_clip

REPOSITORY = Path(__file__).resolve().parent.parent
DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
names = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
#: Documents about the repository itself: their commands are understood, and not run.
ABOUT = [REPOSITORY / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
all_names = pytest.mark.parametrize("document", [*DOCUMENTS, *ABOUT], ids=lambda path: path.name)

#: What makes a documented training run short, where its stage has the setting; the last of two flags counts.
SHORT = {
    **{"epochs": 1, "steps": 2, "batch": 2, "validate_epochs": 1},
    **{"patch": 64, "image_size": 64, "mosaic": 0},
}

#: The same for other commands.
SHORT_MIXTURE = ["--epochs", "1", "--steps", "2", "--batch", "2", "--patch", "64", "--validate-epochs", "1"]
SHORT_EXPERIMENT = ["--photographs", "1", "--lights", "bright", "dark-strong", "--enhancer", "lite"]
SHORT_FINE_TUNING = ["--fine-tune", "0", "--fine-tuned", "stretched", "--tuned-lights", "dark-strong"]
SHORT_FINE_TUNING += ["--epochs", "1", "--image-size", "64", "--twins", "1"]
SHORT_TABLE = ["--only", "default", "--epochs", "1", "--steps", "1", "--batch", "2"]
SHORT_PAIRS = ["--pairs", "2", "--image-size", "64"]
SHORT_SCENES = ["--count", "16", "--size", "64"]
SHORT_COMPARISON = ["--sizes", "64x64", "--rounds", "1", "--no-memory"]
SHORT_FLICKER = ["--frames", "8"]
SHORT_VIDEO = ["--frames", "4", "--size", "64x48"]
SHORT_FILES = ["--sizes", "64x64,400x600"]

#: Files that other people published, as the documents name them, and where the reference data has them.
PUBLISHED = {
    "checkpoint/decom_net_train": "kind/checkpoints/kind/decom",
    "checkpoint/illumination_adjust_net_train": "kind/checkpoints/kind/illumination",
    "checkpoint/decom_model": "kind/checkpoints/kind_plus/decom",
    "checkpoint/illu_model": "kind/checkpoints/kind_plus/illumination",
    "yolov8n.pt": "yolov8/yolov8n.pt",
    "yolox_nano.onnx": "yolox/yolox_nano.onnx",
}


def blocks(document, language):
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(encoding="utf-8"), re.S | re.M)


def commands(document):
    """Every command of a document as a list of words, without environment variables in front."""
    for block in blocks(document, "shell"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(re.sub(r"(^|\s)#.*", "", line))
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                words.pop(0)
            if words:
                yield words


def after_python(words):
    """What a command gives to Python, the console script being `-m kind`; None of other programs."""
    if words[0] in ("python", ".venv/bin/python"):
        return words[1:]
    return ["-m", "kind", *words[1:]] if words[0] in ("kind", ".venv/bin/kind") else None


def parser_of(arguments):
    """The argument parser of a Python command, and the arguments that it gets."""
    if arguments[:2] == ["-m", "kind"]:
        from kind.cli.main import make_parser

        return make_parser(), arguments[2:]
    if arguments[0] == "train_stage.py":
        from train_stage import make_parser

        return make_parser(), arguments[1:]
    if arguments[0] == "evaluate.py":
        from evaluate import make_parser

        return make_parser(), arguments[1:]
    return None, arguments


@all_names
def test_commands_are_understood(document):
    for words in commands(document):
        if words[0] == "make":
            subprocess.run(["make", "--dry-run", *words[1:]], cwd=REPOSITORY, check=True, capture_output=True)
        elif words[0].startswith("scripts/"):
            assert os.access(REPOSITORY / words[0], os.X_OK), words
        elif after_python(words):
            parser, arguments = parser_of(after_python(words))
            if parser:
                parser.parse_args(arguments)  # exits with the usage error when it is none
            elif arguments[:2] == ["-m", "pytest"]:
                assert all((REPOSITORY / word).exists() for word in arguments[2:] if "/" in word), words
            else:
                assert arguments[0] == "-m" and arguments[1].startswith("benchmarks."), words
                assert (REPOSITORY / (arguments[1].replace(".", "/") + ".py")).is_file(), words
        else:
            assert words[0] in (
                "git",
                "cd",
                "pip",
                "tensorboard",
                ".venv/bin/tensorboard",
                "docker",
                "curl",
            ), words


@names
def test_everything_is_called_in_one_way(document):
    """`kind …`, after one line that says how; the other ways work, and are not taught."""
    text = document.read_text(encoding="utf-8")
    typed = [" ".join(words[:3]) for words in commands(document)]
    assert [words for words in typed if ".venv/bin/" in words or "-m kind" in words or ".py" in words] == []
    if any(words.startswith("kind ") for words in typed):
        assert "source .venv/bin/activate" in text


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_a_documented_command(stage):
    assert stage in {trained_stage(words) for document in DOCUMENTS for words in commands(document)}


@names
def test_python_is_python(document):
    for block in blocks(document, "python"):
        compile(block, str(document), "exec")


@all_names
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", ABOUT, ids=lambda path: path.name)
def test_places_in_the_repository_exist(document):
    """Whatever is written like a path, `kind/errors.py` or `decom/`, is one."""
    places = re.findall(r"`([\w./-]+/[\w./-]*)`", document.read_text(encoding="utf-8"))
    assert [place for place in places if not (REPOSITORY / place).exists()] == []


@pytest.fixture
def desk(tmp_path, request):
    """A folder like the repository's, with the files that documents name."""
    from kind.data.samples import write_dark, write_pairs
    from kind.images.photo import write_photo

    for path in REPOSITORY.iterdir():
        if path.suffix == ".py" or (path / "__init__.py").is_file() or path.name == "benchmarks":
            (tmp_path / path.name).symlink_to(path)
    shutil.copytree(REPOSITORY / "docs", tmp_path / "docs")
    pairs = write_pairs(tmp_path / "pairs", tile=64)
    for side in ("low", "high"):
        for index, path in enumerate(sorted((pairs / side).iterdir())):
            if index % 24:  # twelve of all scenes
                path.unlink()
    for name in ("lol_train", "LOL", "lol_rest", "stacks", "sice"):
        (tmp_path / name).symlink_to(pairs)
    write_dark(tmp_path / "holiday")
    shutil.copy(next((pairs / "low").iterdir()), tmp_path / "night.png")
    (tmp_path / "night.png").rename(tmp_path / "night.jpg")  # content tells the format
    if importlib.util.find_spec("av"):
        write_clip(tmp_path / "clip.mp4", 6)
    noise = np.random.default_rng(0)
    write_photo(tmp_path / "photographs" / "noise.png", noise.random((672, 672, 3)))
    for number in range(16):  # as many as one period of training, validation and test
        for name in ("coco128", "vehicles"):
            write_photo(tmp_path / name / "images" / f"{number:02}.png", noise.random((72, 80, 3)))
    reference = Path(os.environ.get("KIND_REFERENCE", REPOSITORY.parent / "shared")) / "reference"
    for ours, published in PUBLISHED.items():
        if (reference / published).exists():
            (tmp_path / ours).parent.mkdir(exist_ok=True)
            (tmp_path / ours).symlink_to(reference / published)
    return tmp_path


@pytest.mark.slow
@names
def test_commands_run(document, desk):
    if document.name == "video.md":
        pytest.importorskip("av", reason="needs the extra `video`")
    if document.name == "speed.md":
        pytest.importorskip("openvino", reason="needs the extra `fast`")
    if document.name in ("detecting.md", "detection.md"):
        annotated_photographs(desk)
    if document.name == "changes.md":
        two_dates(desk)
    if document.name == "weights.md" and not all((desk / name).exists() for name in PUBLISHED):
        pytest.skip("needs the published weights among the reference data (set KIND_REFERENCE)")
    environment = {**os.environ, "XDG_CACHE_HOME": str(desk / "cache")}
    with contextlib.ExitStack() as servers:
        if any("serve" in words for words in commands(document)):
            servers.enter_context(documented_ports())
        run_commands(document, desk, environment, servers)
        for block in blocks(document, "python"):
            subprocess.run([sys.executable, "-c", block], cwd=desk, env=environment, check=True)


def two_dates(desk):
    """Two photographs of one place, and a data set of three such pairs with labels."""
    from kind.images.photo import write_photo

    random = np.random.default_rng(1)
    place = random.random((33, 38, 3)).repeat(8, axis=0).repeat(8, axis=1)
    write_photo(desk / "day.jpg", place)
    write_photo(desk / "later.jpg", place**2 / 4)
    for name, part in (("one", "train"), ("two", "train"), ("three", "val")):
        for side in ("A", "B", "label"):
            pixels = place if side != "label" else np.repeat(place[..., :1] > 0.7, 3, axis=-1).astype(float)
            write_photo(desk / "LEVIR-CD" / part / side / f"{name}.png", pixels)


def run_commands(document, desk, environment, servers):
    for words in commands(document):
        if words[0].startswith("scripts/train_"):
            command = [REPOSITORY / words[0], *words[1:], *SHORT_MIXTURE]
            subprocess.run(command, cwd=desk, env={**environment, "PYTHON": sys.executable}, check=True)
            continue
        arguments = after_python(words)
        if not arguments or "keras-cv" in words:  # a preset is downloaded
            continue
        if "serve" in words:  # runs until the others have asked it
            servers.enter_context(serving(words, desk, environment))
            continue
        done = subprocess.run(
            [sys.executable, *arguments, *shortening(words)],
            cwd=desk,
            env=environment,
            capture_output=True,
            text=True,
        )
        has_findings = "doctor" in words and done.returncode == 1  # which is what it is for
        assert done.returncode == 0 or has_findings, f"{shlex.join(words)}\n{done.stderr[-2000:]}"


def shortening(words):
    """What makes a documented command short."""
    stage = trained_stage(words)
    if stage and "--quick" not in words:
        settings = [field.name for field in dataclasses.fields(STAGES[stage].config) if field.name in SHORT]
        return [word for name in settings for word in (flag_of(name), str(SHORT[name]))]
    if "evaluate" in words and "change" in words:
        return SHORT_PAIRS
    if "benchmarks.detection_inputs" in words:
        return SHORT_EXPERIMENT + (SHORT_FINE_TUNING if "--fine-tune" in words else [])
    if "compare" in words or "--roofline" in words:
        return SHORT_COMPARISON
    if "ablate" in words:
        return ["--list"]
    if "benchmarks.losses" in words:
        return SHORT_TABLE
    if "profile" in words or "benchmarks.profile" in words:
        return SHORT_COMPARISON
    if "benchmarks.memory" in words and {"files", "images"} & set(words):
        return SHORT_FILES
    if "benchmarks.differing_sizes" in words:
        return ["--count", "10"]
    if "benchmarks.engines" in words:
        return ["--sizes", "64x64", "--rounds", "1", "--only", "kind's"]
    if "benchmarks.video" in words:
        return SHORT_FLICKER if "flicker" in words else SHORT_VIDEO
    return SHORT_SCENES if "scenes" in words else []


def annotated_photographs(desk):
    """Puts the annotated folders and the detectors that the documents name on the desk."""
    from kind.cli.main import main
    from kind.data.generated_scenes import write_scenes
    from kind.detection.predictor import SHIPPED_DETECTOR

    if not (desk / "yolov8n.pt").exists():
        pytest.skip("needs yolov8n.pt among the reference data (set KIND_REFERENCE)")
    assert main(["import", "yolov8", str(desk / "yolov8n.pt"), "--out", str(desk / "yolov8n.keras")]) == 0
    shutil.copy(SHIPPED_DETECTOR, desk / "my_detector.keras")
    for name in ("coco128", "vehicles"):
        shutil.rmtree(desk / name)
    for name in ("night", "day", "coco128", "vehicles", "photographs"):
        write_scenes(desk / name, 12, size=64)
        for labels in (desk / name / "labels").glob("0*.txt"):
            lines = [line.split() for line in labels.read_text().splitlines()]
            labels.write_text("".join(f"{int(first) % 3} {' '.join(rest)}\n" for first, *rest in lines))
        (desk / name / "labels" / "classes.txt").write_text("person\nbicycle\ncar\n")
    image = min((desk / "night" / "images").iterdir()).name
    lines = ["image,class,score,left,top,right,bottom", f"{image},car,0.9,1,2,30,40"]
    (desk / "theirs.csv").write_text("\n".join(lines) + "\n")
    faces = "".join(f"{number:06}.png\n1\n8 8 24 24 0 0 0 0 0 0\n" for number in range(8))
    for folder in ("WIDER_train/images", "DARK_FACE/image", "DARK_FACE/label", "wider_face_split"):
        (desk / folder).mkdir(parents=True)
    (desk / "wider_face_split/wider_face_train_bbx_gt.txt").write_text(faces)
    for number in range(8):
        shutil.copy(desk / "night" / "images" / image, desk / f"WIDER_train/images/{number:06}.png")
    shutil.copy(desk / "night" / "images" / image, desk / "DARK_FACE/image/1.png")
    (desk / "DARK_FACE/label/1.txt").write_text("1\n8 8 32 32\n")
    (desk / "runs" / "detection").mkdir(parents=True)
    shutil.copy(desk / "yolov8n.keras", desk / "runs" / "detection" / "best.keras")
    old = ["--out", str(desk / "old.keras"), "--classes", "person", "bicycle"]
    assert main(["import", "yolov8", str(desk / "yolov8n.pt"), *old]) == 0


def trained_stage(words):
    """The stage that a command trains; None of other commands."""
    before = next((word for word in words[:4] if word in ("train_stage.py", "train")), None)
    return words[words.index(before) + 1] if before else None


@contextlib.contextmanager
def documented_ports():
    """The ports that documents name, for one test at a time: other processes of pytest wait here."""
    fcntl = pytest.importorskip("fcntl", reason="file locks are POSIX's")
    with (Path(tempfile.gettempdir()) / "kind-documented-ports.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released with the file
        yield


@contextlib.contextmanager
def serving(words, desk, environment):
    """A server that a document starts, until the block ends."""
    with subprocess.Popen(
        [sys.executable, *after_python(words)], cwd=desk, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert any(line.startswith("gRPC") for line in process.stdout), shlex.join(words)
            yield
        finally:
            process.terminate()
    assert process.returncode == 0, shlex.join(words)
