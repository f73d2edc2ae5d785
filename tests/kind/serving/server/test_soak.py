"""Honest and hostile clients together for ten minutes, or for KIND_SOAK_SECONDS."""

import itertools
import os
import re
import threading
import time

import pytest

from benchmarks.serving_attackers import attacks, body_of, picture, start

SECONDS = float(os.environ.get("KIND_SOAK_SECONDS", "600"))
MOST_KEPT = 100  # MiB


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc"), reason="reads memory in /proc")
def test_attacks_cost_honest_clients_nothing(model_folder):
    served = start(model_folder)
    body, stop, wrong = body_of(picture(60, 40)), threading.Event(), []

    def ask_honestly():
        while not stop.is_set():
            status = served.predict(body)
            if status != 200:
                wrong.append(status)

    def ask_health():
        while not stop.is_set():
            if served.ask("GET", "/healthz") != 200:
                wrong.append("health")
            time.sleep(0.05)

    try:
        for _ in range(50):
            assert served.predict(body) == 200
        before, end = served.memory(), time.monotonic() + SECONDS
        threads = [threading.Thread(target=work) for work in (ask_honestly, ask_honestly, ask_health)]
        for thread in threads:
            thread.start()
        for attack in itertools.cycle(attacks()):
            attack.send(served)
            if time.monotonic() > end:
                break
        stop.set()
        for thread in threads:
            thread.join()
        assert wrong == []
        time.sleep(2)
        assert served.memory() - before < MOST_KEPT
        served.process.terminate()
        assert served.process.wait(60) == 0
    finally:
        stop.set()
        served.process.kill()
        served.process.wait()
        served.process.stdout.close()


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc"), reason="reads memory in /proc")
@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("63 MiB of base64", r"400"),
        ("gRPC, 33 million empty strings in 63 MiB", r"INVALID_ARGUMENT"),
        ("`/v1/enhance`, 40 uploads of 60 MiB without an end", r"\d+ × 503.*"),
    ],
)
def test_refused_messages_leave_nothing(model_folder, name, answers):
    served, body = start(model_folder), body_of(picture(60, 40))
    try:
        (attack,) = (one for one in attacks() if one.name == name)
        memory = [served.memory()]
        for _ in range(4):
            assert re.fullmatch(answers, str(attack.send(served)))
            for _ in range(60):
                assert served.predict(body) == 200
            time.sleep(2)
            memory.append(served.memory())
        assert memory[-1] - memory[0] < MOST_KEPT  # of four messages of 63 MiB
    finally:
        served.process.kill()
        served.process.wait()
        served.process.stdout.close()
