"""How much memory the restoration networks take: `python -m benchmarks.memory` (Linux).

Each network restores one image in a process of its own, as one graph for all sizes, the way the enhancer
runs it. What is counted is the process's largest resident memory less what it held with TensorFlow
loaded and no network built, so the weights are included.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

_VARIANTS = ("unet", "msia")
_RUNS = 3


def main() -> int:
    """Measures every variant and prints a table in MiB, with the ratio of the two."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--height", type=int, default=400, help="of the image, default %(default)s")
    parser.add_argument("--width", type=int, default=600, help="of the image, default %(default)s")
    parser.add_argument("--variant", choices=_VARIANTS, help="measure only this one and print the number")
    arguments = parser.parse_args()
    if arguments.variant:
        print(_measure(arguments.variant, arguments.height, arguments.width))
        return 0

    size = [f"--height={arguments.height}", f"--width={arguments.width}"]
    peaks = {}
    for variant in _VARIANTS:
        print(f"measuring {variant} …", file=sys.stderr)
        command = [sys.executable, "-m", "benchmarks.memory", *size, "--variant", variant]
        repository = Path(__file__).resolve().parent.parent
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=repository)
        peaks[variant] = float(output.stdout)
    print(
        f"peak memory for one image of {arguments.height}×{arguments.width}, float32, {os.cpu_count()} CPUs"
    )
    for variant, peak in peaks.items():
        print(f"  {variant:<12}{peak:8.0f} MiB")
    print(f"  {'msia / unet':<12}{peaks['msia'] / peaks['unet']:8.1f}")
    return 0


def _measure(variant: str, height: int, width: int) -> float:
    """Peak memory in MiB of restoring one image, over what TensorFlow alone takes."""
    import kind  # noqa: F401  (sets TensorFlow's environment before it is imported)

    import tensorflow as tf  # isort: skip

    from restoration.msia import msia
    from restoration.unet import unet

    signature = [tf.TensorSpec([None, None, None, 3]), tf.TensorSpec([None, None, None, 1])]
    tf.zeros(1) + 1.0  # starts TensorFlow's threads
    before = _resident("VmRSS")
    net = {"unet": unet, "msia": msia}[variant]()
    restore = tf.function(
        lambda reflectance, illumination: net([reflectance, illumination], training=False),
        input_signature=signature,
    )
    inputs = tf.random.uniform((1, height, width, 3)), tf.random.uniform((1, height, width, 1))
    for _ in range(_RUNS):
        restore(*inputs)
    return _resident("VmHWM") - before


def _resident(field: str) -> float:
    """The process's resident memory now (VmRSS) or at its largest (VmHWM), in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
