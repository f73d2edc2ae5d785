"""How lean exported SavedModels are: `python -m benchmarks.exports exports/lite/1 exports/kind/1` (Linux).

For each version folder: nodes of the graph and of its functions, convolutions among them, what the file and
the variables weigh, and what `kind serve`'s worker takes to load it, in a process of its own in which
TensorFlow is loaded already: seconds, and resident memory. The smallest figures of several runs count.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from kind.cli.markdown_option import add_markdown_argument
from kind.errors import UserError
from kind.profiling.memory import resident

_MIB = 2**20
_HEADINGS = ("export", "nodes", "convolutions", "graph, MiB", "variables, MiB", "seconds", "MiB")


def main() -> int:
    """Measures and prints a line for each version folder; 2 when something must be mended by the user."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("versions", nargs="+", type=Path, metavar="DIR", help="version folders, or one above")
    parser.add_argument("--runs", type=int, default=5, help="of each (default: %(default)s)")
    add_markdown_argument(parser, "exports")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # a process of its own
    flags = parser.parse_args()
    if flags.one:
        print(json.dumps(_loaded(flags.versions[0])))
        return 0
    try:
        if flags.markdown:
            flags.markdown.check()
        table = _table([_version(folder) for folder in flags.versions], flags.runs)
    except UserError as error:
        print(f"exports: {error}", file=sys.stderr)
        return 2
    print(table)
    if flags.markdown:
        flags.markdown.write(table)
    return 0


def _version(folder: Path) -> Path:
    """The folder itself, or the newest version in it."""
    versions = [each for each in folder.glob("*/saved_model.pb") if each.parent.name.isdigit()]
    if not (folder / "saved_model.pb").is_file() and not versions:
        raise UserError(f"{folder}: holds no saved_model.pb; make one with kind export")
    return max((each.parent for each in versions), key=lambda each: int(each.name), default=folder)


def _table(versions: list[Path], runs: int) -> str:
    lines = [f"| {' | '.join(_HEADINGS)} |", "| --- |" + " ---: |" * (len(_HEADINGS) - 1)]
    for version in versions:
        command = [sys.executable, "-m", "benchmarks.exports", "--one", str(version)]
        found = [
            json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            for _ in range(runs)
        ]
        seconds, memory = (min(each[name] for each in found) for name in ("seconds", "memory"))
        counts = f"{found[0]['nodes']:,} | {found[0]['convolutions']}"
        lines.append(
            f"| {version.parent.name} | {counts} | {found[0]['graph']:.1f} | {found[0]['variables']:.1f} | "
            f"{seconds:.2f} | {memory:.0f} |"
        )
    return "\n".join(
        [*lines, "", f"- seconds and MiB: the smallest of {runs} runs; TensorFlow is loaded before"]
    )


def _loaded(version: Path) -> dict[str, float]:
    """What a version is, and what loading it takes."""
    from kind.export.operations import read_graph
    from kind.serving.worker.loading import LoadedModel

    graph = read_graph(version).meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    found = {
        "nodes": len(nodes),
        "convolutions": sum("Conv" in node.op for node in nodes),
        "graph": (version / "saved_model.pb").stat().st_size / _MIB,
        "variables": sum(each.stat().st_size for each in version.glob("variables/*")) / _MIB,
    }
    del graph, nodes
    before, started = resident("VmRSS"), time.perf_counter()
    model = LoadedModel(version)
    seconds = time.perf_counter() - started
    found |= {"seconds": seconds, "memory": resident("VmRSS") - before}
    model.close()
    return found


if __name__ == "__main__":
    import kind  # noqa: F401  (sets TensorFlow's environment before it is imported)

    sys.exit(main())
