#!/usr/bin/env bash
# Pins everything for all supported Pythons and platforms: constraints.txt has the versions, locks/ has the hashes too.
# Versions that still fit stay; scripts/lock.sh --upgrade takes the newest ones. uv resolves: from PATH, or fetched.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if ! command -v uv >/dev/null; then
    .venv/bin/python -m pip install -qq --target "$scratch" --require-hashes --requirement locks/uv.txt
    PATH=$scratch/bin:$PATH
fi

compile() { # python, output, sources and options
    local python=$1 output=$2
    shift 2
    uv pip compile --quiet --universal --python-version "$python" --custom-compile-command "make lock" \
        --output-file "$output" "$@" >/dev/null
}

compile 3.9.2 constraints.txt --annotation-style line requirements.txt requirements-test.txt "$@"
lock() { compile "$1" "locks/$2.txt" --generate-hashes --no-annotate --constraint constraints.txt "${@:3}"; }
lock 3.9.2 run requirements.txt
lock 3.9.2 test requirements.txt requirements-test.txt
lock 3.10 onnx requirements.txt requirements-onnx.txt
lock 3.9.2 tools scripts/tools.txt
compile 3.9.2 locks/uv.txt --generate-hashes --no-annotate scripts/uv.txt
