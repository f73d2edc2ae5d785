"""How far it is from the command line to a network: a reader has to follow every frame."""

import traceback

import numpy as np
from PIL import Image
from tensorflow import keras

from kind.cli.main import main


def test_the_first_network_is_called_within_seven_frames_of_the_entry(
    untrained_weights, tmp_path, monkeypatch
):
    photograph = tmp_path / "night.png"
    Image.fromarray(np.full((24, 32, 3), 20, np.uint8)).save(photograph)
    stacks = []
    call = keras.Model.__call__

    def recorded(self, *arguments, **settings):
        # By module and not by file: TensorFlow runs converted copies of what it puts into a graph.
        frames = [frame for frame, _ in traceback.walk_stack(None)]
        ours = [frame for frame in frames if frame.f_globals.get("__name__", "").startswith("kind.")]
        stacks.append([f"{frame.f_globals['__name__']}.{frame.f_code.co_name}" for frame in ours][::-1])
        return call(self, *arguments, **settings)

    monkeypatch.setattr(keras.Model, "__call__", recorded)
    weights = ["--weights", str(untrained_weights), "--precision", "float32"]
    assert main(["enhance", str(photograph), "--out", str(tmp_path / "out.png"), *weights]) == 0
    first = next(stack for stack in stacks if "kind.cli.relighting.relight" in stack)
    assert first[0] == "kind.cli.main.main" and len(first) < 8, first
