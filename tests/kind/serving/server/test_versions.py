"""Versions come, go and are swapped under requests; with stand-ins for models."""

import threading
import time
from pathlib import Path

import pytest

from kind.serving.server.errors import ServingError
from kind.serving.server.version_folders import ModelConfig
from kind.serving.server.versions import ModelManager, State


class Loaded:
    is_usable = True

    def __init__(self, folder):
        self.content = (folder / "saved_model.pb").read_text()
        self.warmed = False
        if self.content == "broken":
            raise ValueError("cannot be parsed")

    def warm_up(self):
        if self.content == "cold":
            raise ValueError("a warm-up request failed")
        self.warmed = True
        return 0

    def close(self):
        self.closed = True


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "kind"
    folder.mkdir()
    return folder


@pytest.fixture
def add(base):
    def add(number, content="good", folder=None):
        staged = base.parent / f"staged-{number}"
        staged.mkdir()
        (staged / "saved_model.pb").write_text(content)
        return staged.rename((folder or base) / str(number))

    return add


@pytest.fixture
def manager(base):
    return ModelManager([ModelConfig("kind", base)], Loaded)


def states(manager, name="kind"):
    return {version.number: version.state.name for version in manager.status(name)}


def test_the_highest_version_is_served(manager, add):
    for number in (2, 10, 9):
        add(number)
    manager.poll()
    assert states(manager) == {10: "AVAILABLE"} and manager.is_ready()
    version = manager.acquire("kind")
    assert version.number == 10 and version.model.warmed
    for number in (0, 9):
        with pytest.raises(ServingError, match=rf"Specific\(kind, {number}\); available: 10$"):
            manager.acquire("kind", number)
    with pytest.raises(ServingError, match="Could not find version 0 of model kind; available: 10$"):
        manager.status("kind", 0)


def test_a_server_is_not_ready_while_a_model_cannot_be_asked(manager, add):
    add(1)
    manager.poll()
    model = manager.acquire("kind").model
    for model.is_usable in (False, True):
        assert manager.is_ready() is model.is_usable


def test_other_folders_are_no_versions(manager, add, base):
    (base / "assets").mkdir()
    (base / ".export.x1").mkdir()
    (base / "7").mkdir()  # without a model in it
    (base / "8").write_text("")
    manager.poll()
    assert not manager.is_ready()
    with pytest.raises(ServingError) as caught:
        manager.status("kind")
    assert caught.value.code == "NOT_FOUND"
    with pytest.raises(ServingError, match=r"Servable not found for request: Latest\(kind\)"):
        manager.acquire("kind")


def test_a_version_in_use_stays_until_the_request_ends(manager, add):
    add(1)
    manager.poll()
    old = manager.acquire("kind")
    assert manager.acquire("kind") is old
    add(2)
    manager.poll()
    assert states(manager) == {2: "AVAILABLE", 1: "UNLOADING"}
    assert old.model is not None and manager.acquire("kind").number == 2
    manager.release(old)
    assert old.model is not None
    manager.release(old)
    assert old.model is None and states(manager) == {2: "AVAILABLE", 1: "END"}


@pytest.mark.parametrize("content", ["broken", "cold"])
def test_a_version_that_fails_leaves_the_old_one_until_it_is_mended(manager, add, content, capsys):
    add(1)
    manager.poll()
    folder = add(2, content)
    for _ in range(3):
        manager.poll()
    assert states(manager) == {2: "END", 1: "AVAILABLE"}
    assert manager.acquire("kind").number == 1
    assert capsys.readouterr().err.count("cannot be served") == 1  # not tried again for nothing
    (folder / "saved_model.pb").write_text("mended")
    manager.poll()
    assert manager.acquire("kind").number == 2


def test_what_is_in_memory_survives_its_folder(manager, add):
    folder = add(1)
    manager.poll()
    (folder / "saved_model.pb").unlink()
    manager.poll()
    assert states(manager) == {1: "AVAILABLE"}


def test_going_back_to_an_older_version(manager, add, base):
    add(1)
    folder = add(2)
    manager.poll()
    folder.rename(base / "away")
    manager.poll()
    assert states(manager) == {2: "END", 1: "AVAILABLE"}
    (base / "away").rename(folder)
    manager.poll()
    assert states(manager) == {2: "AVAILABLE", 1: "END"}


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        ({"policy": "all"}, {1, 2, 3}),
        ({"policy": "latest", "count": 2}, {2, 3}),
        ({"policy": "specific", "numbers": (1, 7)}, {1}),
    ],
)
def test_policies(base, add, policy, served):
    for number in (1, 2, 3):
        add(number)
    manager = ModelManager([ModelConfig("kind", base, **policy)], Loaded)
    manager.poll()
    assert set(states(manager)) == served


def test_labels_name_available_versions(manager, base, add):
    for number in (1, 2):
        add(number)
    manager.poll()
    both = {"policy": "all"}
    manager.reconfigure([ModelConfig("kind", base, **both, labels={"stable": 1, "canary": 2})])
    assert manager.acquire("kind", label="stable").number == 1
    assert manager.acquire("kind", label="canary").number == 2
    with pytest.raises(ServingError, match="label"):
        manager.acquire("kind", label="other")
    with pytest.raises(ServingError, match="both"):
        manager.acquire("kind", 1, "stable")
    with pytest.raises(ServingError) as caught:
        manager.reconfigure([ModelConfig("kind", base, **both, labels={"next": 3})])
    assert caught.value.code == "FAILED_PRECONDITION"


def test_models_come_and_go(manager, base, add, tmp_path):
    add(1)
    manager.poll()
    other = tmp_path / "other"
    other.mkdir()
    add(5, folder=other)
    manager.reconfigure([ModelConfig("kind", base), ModelConfig("other", other)])
    assert manager.acquire("other").number == 5 and manager.names() == ["kind", "other"]
    manager.reconfigure([ModelConfig("other", other)])
    with pytest.raises(ServingError):
        manager.acquire("kind")
    with pytest.raises(ServingError, match="no version folder"):
        manager.reconfigure([ModelConfig("none", tmp_path / "none")])
    assert manager.acquire("other").number == 5  # a refused wish changes nothing


def test_a_model_moves_to_another_folder(manager, base, add, tmp_path):
    add(1, "old")
    manager.poll()
    other = tmp_path / "other"
    other.mkdir()
    add(1, "new", folder=other)
    with pytest.raises(ServingError, match="no version folder"):
        manager.reconfigure([ModelConfig("kind", tmp_path / "none")])
    assert manager.acquire("kind").model.content == "old"
    manager.reconfigure([ModelConfig("kind", other)])
    assert manager.acquire("kind").model.content == "new"


@pytest.mark.parametrize("numbers", [(1,), (1, 2, 3)])
def test_a_label_of_what_is_not_wanted_or_cannot_be_loaded_changes_nothing(manager, base, add, numbers):
    add(1)
    add(2)
    manager.poll()
    met = manager.acquire("kind")
    add(3, "broken")
    label = 2 if numbers == (1,) else 3
    with pytest.raises(ServingError, match=f"names version {label}, which is not available"):
        manager.reconfigure([ModelConfig("kind", base, "specific", 1, numbers, {"stable": label})])
    assert met.state is State.AVAILABLE and met.model is not None
    assert manager.acquire("kind") is met
    manager.poll()
    assert met.state is State.AVAILABLE and manager.acquire("kind").number == 2


def test_one_model_that_cannot_be_served_keeps_the_others_as_they_are(manager, base, add, tmp_path):
    add(1)
    add(2)
    manager.poll()
    with pytest.raises(ServingError, match="model other cannot be served"):
        manager.reconfigure(
            [ModelConfig("kind", base, "specific", 1, (1,)), ModelConfig("other", tmp_path / "none")]
        )
    assert states(manager) == {2: "AVAILABLE"} and manager.names() == ["kind"]


def test_what_was_loaded_for_a_wish_that_fails_in_any_way_is_closed(manager, base, add, monkeypatch):
    closed = []
    monkeypatch.setattr(Loaded, "close", lambda self: closed.append(self.content))
    add(1)

    def fail(config, loaded):
        raise OSError("no such disk")

    monkeypatch.setattr(manager, "_check_config", fail)
    with pytest.raises(OSError, match="no such disk"):
        manager.reconfigure([ModelConfig("kind", base)])
    assert closed == ["good"]
    with pytest.raises(ServingError, match="Could not find any versions"):
        manager.status("kind")


def test_a_folder_that_nobody_may_enter_is_no_version(manager, add, monkeypatch):
    add(1)
    closed, whole = add(2), Path.is_file

    def is_file(path):
        if path.parent == closed:
            raise PermissionError(13, "Permission denied")
        return whole(path)

    monkeypatch.setattr(Path, "is_file", is_file)
    manager.poll()
    assert states(manager) == {1: "AVAILABLE"}


def test_a_folder_that_vanishes_while_it_is_looked_through_is_one_that_cannot_be_loaded(
    manager, add, monkeypatch
):
    add(1, "broken")

    def vanish(*_):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Path, "rglob", vanish)
    manager.poll()
    assert states(manager) == {1: "END"}


def test_a_number_beyond_64_bits_is_no_version(manager, add):
    add(1)
    add(2**63 - 1)
    add(2**63)
    add("9" * 200)
    manager.poll()
    assert states(manager) == {2**63 - 1: "AVAILABLE"}


def test_the_folder_is_watched(manager, add):
    add(1)
    manager.poll()
    manager.watch(0.02)
    try:
        add(2)
        end = time.monotonic() + 10
        while manager.acquire("kind").number != 2:
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        manager.stop()


def test_no_request_is_dropped_while_versions_change(manager, add, base):
    add(1)
    manager.poll()
    stop, failures, seen = threading.Event(), [], set()

    def ask():
        while not stop.is_set():
            try:
                version = manager.acquire("kind")
                assert version.model is not None and version.state in (State.AVAILABLE, State.UNLOADING)
                time.sleep(0.0005)
                assert version.model is not None
                seen.add(version.number)
                manager.release(version)
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2, 22):
        add(number)
        manager.poll()
        time.sleep(0.005)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == [] and len(seen) > 5
    assert states(manager)[21] == "AVAILABLE" and set(list(states(manager).values())[1:]) == {"END"}
