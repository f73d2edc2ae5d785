"""Versions come, go and are swapped under requests; with stand-ins for models."""

import threading
import time

import pytest

from kind.serving.server.errors import Refused
from kind.serving.server.versions import Catalogue, ModelConfig, State


class Loaded:
    def __init__(self, folder):
        self.content = (folder / "saved_model.pb").read_text()
        self.warmed = False
        if self.content == "broken":
            raise ValueError("cannot be parsed")

    def warm_up(self, folder):
        if self.content == "cold":
            raise ValueError("a warm-up request failed")
        self.warmed = True
        return 0


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
def catalogue(base):
    return Catalogue([ModelConfig("kind", base)], Loaded)


def states(catalogue, name="kind"):
    return {version.number: version.state.name for version in catalogue.status(name)}


def test_the_highest_version_is_served(catalogue, add):
    for number in (2, 10, 9):
        add(number)
    catalogue.poll()
    assert states(catalogue) == {10: "AVAILABLE"} and catalogue.is_ready()
    version = catalogue.acquire("kind")
    assert version.number == 10 and version.model.warmed
    with pytest.raises(Refused, match=r"Specific\(kind, 9\)"):
        catalogue.acquire("kind", 9)


def test_other_folders_are_no_versions(catalogue, add, base):
    (base / "assets").mkdir()
    (base / ".export.x1").mkdir()
    (base / "7").mkdir()  # without a model in it
    (base / "8").write_text("")
    catalogue.poll()
    assert not catalogue.is_ready()
    with pytest.raises(Refused) as caught:
        catalogue.status("kind")
    assert caught.value.code == "NOT_FOUND"
    with pytest.raises(Refused, match=r"Servable not found for request: Latest\(kind\)"):
        catalogue.acquire("kind")


def test_a_version_in_use_stays_until_the_request_ends(catalogue, add):
    add(1)
    catalogue.poll()
    old = catalogue.acquire("kind")
    catalogue.hold(old)
    add(2)
    catalogue.poll()
    assert states(catalogue) == {2: "AVAILABLE", 1: "UNLOADING"}
    assert old.model is not None and catalogue.acquire("kind").number == 2
    catalogue.release(old)
    assert old.model is not None
    catalogue.release(old)
    assert old.model is None and states(catalogue) == {2: "AVAILABLE", 1: "END"}


@pytest.mark.parametrize("content", ["broken", "cold"])
def test_a_version_that_fails_leaves_the_old_one_until_it_is_mended(catalogue, add, content, capsys):
    add(1)
    catalogue.poll()
    folder = add(2, content)
    for _ in range(3):
        catalogue.poll()
    assert states(catalogue) == {2: "END", 1: "AVAILABLE"}
    assert catalogue.acquire("kind").number == 1
    assert capsys.readouterr().err.count("cannot be served") == 1  # not tried again for nothing
    (folder / "saved_model.pb").write_text("mended")
    catalogue.poll()
    assert catalogue.acquire("kind").number == 2


def test_what_is_in_memory_survives_its_folder(catalogue, add):
    folder = add(1)
    catalogue.poll()
    (folder / "saved_model.pb").unlink()
    catalogue.poll()
    assert states(catalogue) == {1: "AVAILABLE"}


def test_going_back_to_an_older_version(catalogue, add, base):
    add(1)
    folder = add(2)
    catalogue.poll()
    folder.rename(base / "away")
    catalogue.poll()
    assert states(catalogue) == {2: "END", 1: "AVAILABLE"}
    (base / "away").rename(folder)
    catalogue.poll()
    assert states(catalogue) == {2: "AVAILABLE", 1: "END"}


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
    catalogue = Catalogue([ModelConfig("kind", base, **policy)], Loaded)
    catalogue.poll()
    assert set(states(catalogue)) == served


def test_labels_name_available_versions(catalogue, base, add):
    for number in (1, 2):
        add(number)
    catalogue.poll()
    both = {"policy": "all"}
    catalogue.reconfigure([ModelConfig("kind", base, **both, labels={"stable": 1, "canary": 2})])
    assert catalogue.acquire("kind", label="stable").number == 1
    assert catalogue.acquire("kind", label="canary").number == 2
    with pytest.raises(Refused, match="label"):
        catalogue.acquire("kind", label="other")
    with pytest.raises(Refused, match="both"):
        catalogue.acquire("kind", 1, "stable")
    with pytest.raises(Refused) as caught:
        catalogue.reconfigure([ModelConfig("kind", base, **both, labels={"next": 3})])
    assert caught.value.code == "FAILED_PRECONDITION"


def test_models_come_and_go(catalogue, base, add, tmp_path):
    add(1)
    catalogue.poll()
    other = tmp_path / "other"
    other.mkdir()
    add(5, folder=other)
    catalogue.reconfigure([ModelConfig("kind", base), ModelConfig("other", other)])
    assert catalogue.acquire("other").number == 5 and catalogue.names() == ["kind", "other"]
    catalogue.reconfigure([ModelConfig("other", other)])
    with pytest.raises(Refused):
        catalogue.acquire("kind")
    with pytest.raises(Refused, match="no version folder"):
        catalogue.reconfigure([ModelConfig("none", tmp_path / "none")])
    assert catalogue.acquire("other").number == 5  # a refused wish changes nothing


def test_a_model_moves_to_another_folder(catalogue, base, add, tmp_path):
    add(1, "old")
    catalogue.poll()
    other = tmp_path / "other"
    other.mkdir()
    add(1, "new", folder=other)
    with pytest.raises(Refused, match="no version folder"):
        catalogue.reconfigure([ModelConfig("kind", tmp_path / "none")])
    assert catalogue.acquire("kind").model.content == "old"
    catalogue.reconfigure([ModelConfig("kind", other)])
    assert catalogue.acquire("kind").model.content == "new"


def test_the_folder_is_watched(catalogue, add):
    add(1)
    catalogue.poll()
    catalogue.watch(0.02)
    try:
        add(2)
        end = time.monotonic() + 10
        while catalogue.acquire("kind").number != 2:
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        catalogue.stop()


def test_no_request_is_dropped_while_versions_change(catalogue, add, base):
    add(1)
    catalogue.poll()
    stop, failures, seen = threading.Event(), [], set()

    def ask():
        while not stop.is_set():
            try:
                version = catalogue.acquire("kind")
                assert version.model is not None and version.state in (State.AVAILABLE, State.UNLOADING)
                time.sleep(0.0005)
                assert version.model is not None
                seen.add(version.number)
                catalogue.release(version)
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2, 22):
        add(number)
        catalogue.poll()
        time.sleep(0.005)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == [] and len(seen) > 5
    assert states(catalogue)[21] == "AVAILABLE" and set(list(states(catalogue).values())[1:]) == {"END"}
