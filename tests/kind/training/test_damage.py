"""Run folders whose files are damaged: a run goes on to the same end, or refuses and touches nothing."""

import shutil

import pytest
import tensorflow as tf

from kind.errors import UserError
from kind.training.checkpoint import TrainingCheckpoint
from kind.training.loop import train
from kind.training.run_folder import RunFolder, describe

EPOCHS, KILLED_AFTER = 4, 3
DATA = {"training": {"a": "1"}, "validation": {}}
FILES = (
    "config.json", "data.json", "metrics.jsonl", "best.keras", "last.keras", "curves.png", ".lock",
    "samples/epoch_00001.png", "backup/checkpoint", "backup/ckpt-3.json", "backup/ckpt-3.index",
    "backup/ckpt-3.data-00000-of-00001", "backup/ckpt-2.json", "backup/ckpt-2.index",
    "backup/ckpt-2.data-00000-of-00001", "backup/BEST", "backup", "samples", "train", "validation",
)  # fmt: skip
CHANGES = ("missing", "cut", "empty", "flipped", "foreign", "other kind")
#: What is looked at in each test run; all others are slow.
QUICK = {
    ("metrics.jsonl", "missing"), ("metrics.jsonl", "flipped"), ("metrics.jsonl", "other kind"),
    ("best.keras", "missing"), ("best.keras", "foreign"), ("backup/checkpoint", "empty"),
    ("backup/ckpt-3.index", "missing"), ("backup/ckpt-3.data-00000-of-00001", "flipped"),
    ("backup/ckpt-3.json", "cut"), ("backup/ckpt-2.index", "other kind"), ("backup", "missing"),
    ("backup/BEST", "empty"), ("config.json", "empty"), ("backup", "foreign"),
}  # fmt: skip


class Killed(BaseException):
    """Stands for a process that ends without a word."""


@pytest.fixture(autouse=True)
def without_curves(monkeypatch):
    monkeypatch.setattr("kind.training.callbacks.draw_curves", lambda records, path: path.touch())


def run(tiny, path, seed=0, datasets=None):
    """What the command does once its data are read; the first network counts as the best."""

    class Early(tiny.stage):
        higher_is_better = True

    config = tiny.config(epochs=EPOCHS, validate_epochs=1, seed=seed)
    folder = RunFolder(path)
    with folder.opened(describe("tiny", config, monitor="val_loss", higher_is_better=True), DATA):
        train(lambda: Early(tiny.net(seed), config), datasets or tiny.datasets(), folder)
    return folder


def killed(tiny, path, monkeypatch, seed=0):
    """A run that ends after some epochs."""
    save = TrainingCheckpoint.save

    def save_and_die(self, epoch):
        save(self, epoch)
        if epoch == KILLED_AFTER:
            raise Killed

    with monkeypatch.context() as context:
        context.setattr(TrainingCheckpoint, "save", save_and_die)
        with pytest.raises(Killed):
            run(tiny, path, seed)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Run folders that are made once: whole, killed, and the killed one of another seed."""
    return {"folder": tmp_path_factory.mktemp("runs")}


@pytest.fixture
def runs(tiny, made, monkeypatch):
    folder = made["folder"]
    if not (folder / "other").exists():
        run(tiny, folder / "whole")
        killed(tiny, folder / "killed", monkeypatch)
        killed(tiny, folder / "other", monkeypatch, seed=1)
    return folder


def state(folder):
    """Every file's content but for TensorBoard's, which are begun anew by each process."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if "tfevents" not in path.name}


def best_of(folder):
    """The name of the best network among the checkpoints."""
    return max((folder / "backup").glob("best-*.keras"), key=lambda path: int(path.stem[5:])).name


def spoil(folder, other, file, change):
    path = folder / file.replace("BEST", best_of(folder))
    source = other / file.replace("BEST", best_of(other))
    if path.is_dir():
        shutil.rmtree(path)
        if change == "foreign" and source.exists():
            shutil.copytree(source, path)
        elif change not in ("missing", "foreign"):
            path.write_text("a file")
        return
    content = path.read_bytes()
    path.unlink()
    if change == "other kind":
        path.mkdir()
    elif change == "foreign":
        shutil.copy(source, path)
    elif change != "missing":
        flipped = bytearray(content)
        if flipped:
            flipped[len(flipped) // 2] ^= 4
        path.write_bytes(
            {"cut": content[: len(content) // 2], "empty": b"", "flipped": bytes(flipped)}[change]
        )


def cases():
    for file in FILES:
        for change in CHANGES:
            marks = () if (file, change) in QUICK else (pytest.mark.slow,)
            yield pytest.param(file, change, marks=marks, id=f"{file}-{change}")


@pytest.mark.parametrize("file, change", list(cases()))
def test_a_damaged_run_ends_like_a_whole_one_or_stays_as_it_is(tiny, runs, tmp_path, capsys, file, change):
    folder = tmp_path / "run"
    shutil.copytree(runs / "killed", folder)
    spoil(folder, runs / "other", file, change)
    before = state(folder)
    begun = []
    datasets = tiny.datasets(batches=lambda epoch, *rest: begun.append(epoch) or tiny.stream(epoch, *rest))
    try:
        run(tiny, folder, datasets=datasets)
    except UserError as error:
        assert "\n" not in str(error) and str(folder) in str(error)
        assert state(folder) == before
        return
    assert begun[0] >= KILLED_AFTER - 1, "it began anew"
    assert "resuming after epoch" in capsys.readouterr().err
    whole = runs / "whole"
    assert (folder / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert RunFolder(whole).best("val_loss", True)[0] == 1
    ours, its = tiny.contents(folder), tiny.contents(whole)
    assert {name for name in {*ours, *its} if ours.get(name) != its.get(name)} == set()


def test_without_any_whole_checkpoint_nothing_is_begun_anew(tiny, runs, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(runs / "killed", folder)
    for path in (folder / "backup").glob("*.index"):
        path.write_bytes(path.read_bytes()[:50])
    before = state(folder)
    with pytest.raises(UserError, match=r"backup: no whole checkpoint .*ckpt-3\.index is missing or damaged"):
        run(tiny, folder)
    assert state(folder) == before


def test_a_folder_of_before_there_were_manifests_goes_on(tiny, runs, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(runs / "killed", folder)
    stage = tiny.stage(tiny.net(), tiny.config(epochs=EPOCHS, validate_epochs=1))
    stage.set_up(tiny.steps)
    epoch = tf.Variable(KILLED_AFTER, dtype=tf.int64)
    state_of = tf.train.Checkpoint(**stage.state(), epoch=epoch)
    state_of.read(str(folder / "backup" / "ckpt-3")).assert_existing_objects_matched()
    shutil.rmtree(folder / "backup")
    tf.train.CheckpointManager(state_of, str(folder / "backup"), 2).save(checkpoint_number=KILLED_AFTER)
    run(tiny, folder)
    assert f"{folder}: resuming after epoch 3\n" in capsys.readouterr().err
    ours, its = tiny.contents(folder), tiny.contents(runs / "whole")
    assert {name for name in its if ours[name] != its[name]} == set()
    assert (folder / "backup" / "ckpt-4.json").is_file()


def test_of_such_a_folder_too_the_newest_whole_checkpoint_is_taken(tiny, runs, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(runs / "killed", folder)
    for path in (folder / "backup").glob("*.json"):
        path.unlink()
    data = folder / "backup" / "ckpt-3.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:100])
    run(tiny, folder)
    assert "resuming after epoch 2 (ckpt-3: cannot be restored" in capsys.readouterr().err
    ours, its = tiny.contents(folder), tiny.contents(runs / "whole")
    assert {name for name in its if ours[name] != its[name]} == set()


def test_a_finished_run_gets_its_networks_back(tiny, runs, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(runs / "whole", folder)
    (folder / "best.keras").unlink()
    (folder / "last.keras").write_bytes(b"PK")
    (folder / "metrics.jsonl").write_text("[1]\n")
    run(tiny, folder)
    assert "resuming after epoch 4 (best.keras put back; last.keras put back)" in capsys.readouterr().err
    ours, its = tiny.contents(folder), tiny.contents(runs / "whole")
    assert {name for name in its if ours[name] != its[name]} == set()


def test_what_a_killed_process_left_is_removed(tiny, runs, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(runs / "killed", folder)
    left = [".last.4711-ab12cd34.keras", ".curves.ab12cd_4.png", "samples/.epoch_00004.4711-ab12cd34.png"]
    for name in [*left, ".notes.md", "backup/.ckpt-4.4711-ab12cd34.json"]:
        (folder / name).write_text("")
    (folder / "backup" / "ckpt-4_temp").mkdir()
    run(tiny, folder)
    hidden = {path.name for path in folder.rglob(".*")}
    assert hidden == {".lock", ".notes.md"} and not list(folder.rglob("*_temp"))
