"""Halves what the light network's restoration changes: less noise is taken away, and less colour with it.

The change is the output of two linear layers, so scaling their weights scales it exactly. 0.5 was chosen
among 0, 0.3, 0.5, 0.7 and 1 on the validation splits, see docs/lite.md.

usage: scripts/soften_lite.py RUN OUT.keras [SHARE]
"""

import sys
from pathlib import Path

from kind.nn.saving import load_net, save_net
from kind.training.run_folder import best_weights

HEADS = ("detail_folded", "gain_folded")


def main(run: str, out: str, share: str = "0.5") -> None:
    """Reads the network of a run folder or .keras file and writes the softened one."""
    net = load_net(best_weights(run), "lite")
    for name in HEADS:
        layer = net.get_layer(name)
        layer.set_weights([float(share) * weights for weights in layer.get_weights()])
    save_net(net, Path(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
