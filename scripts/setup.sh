#!/usr/bin/env bash
# Builds .venv from lock files, whose hashes every downloaded file must have:  scripts/setup.sh locks/run.txt ...
# PYTHON names the interpreter. Without it one is looked for, and where there is none, uv fetches one.
set -euo pipefail
cd "$(dirname "$0")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_REQUIRE_VIRTUALENV=0 PIP_USER=0
export PIP_REQUIRE_HASHES=1

say() { echo "setup: $*" >&2; }
stop() { say "$*" && exit 2; }

# Asks by running it: pyenv has shims for versions that are not switched on.
fits() {
    local answer
    answer=$("$1" -c 'import sys; print(sys.implementation.name, "%d.%d" % sys.version_info[:2])' 2>/dev/null) &&
        [[ $answer =~ ^cpython\ 3\.(9|10|11)$ ]]
}

first_that_fits() { # sets python
    for python in "$@"; do
        if fits "$python"; then return; fi
    done
    return 1
}

fetch_python() { # sets python
    local uv=uv any scratch
    scratch=$(mktemp -d) || return
    if ! uv --version; then
        uv=$scratch/bin/uv
        for any in python3 python; do
            if "$any" -m pip install --target "$scratch" --requirement=locks/uv.txt; then break; fi
        done
    fi
    UV_PYTHON_INSTALL_DIR=$PWD/.python-toolchain UV_PYTHON_INSTALL_BIN=0 "$uv" python install 3.11
    rm -rf "$scratch"
    first_that_fits .python-toolchain/cpython-3.11*/bin/python3.11
}

find_python() { # sets python
    if [[ -n ${PYTHON:-} ]]; then
        python=$PYTHON
        fits "$python" || stop "PYTHON=$PYTHON does not run Python 3.9, 3.10 or 3.11; name one that does, or none"
    else
        first_that_fits python3.11 python3.10 python3.9 python3 python \
            "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.{11,10,9}.*/bin/python \
            .python-toolchain/cpython-3.11*/bin/python3.11 ||
            fetch_python >/dev/null 2>&1 ||
            stop "needs Python 3.9, 3.10 or 3.11; none is here and uv could not fetch one. Install Python 3.11" \
                "(python.org, or your system's packages), or name one: make setup PYTHON=/path/to/python3.11"
    fi
}

install_pip() {
    local packages
    packages=$(.venv/bin/python -c 'import site; print(site.getsitepackages()[0])')
    .venv/bin/python -m pip --version >/dev/null 2>&1 ||
        .venv/bin/python -m ensurepip >/dev/null 2>&1 ||
        "$python" -m pip install -qq --target "$packages" --requirement=locks/tools.txt # Debian has no ensurepip
    .venv/bin/python -m pip install -qq --requirement=locks/tools.txt
}

# The server's page is tested in a real browser. A container's root may fetch one; nobody is asked for a password.
fetch_browser() {
    if command -v chromium && command -v chromedriver; then return; fi
    [[ $EUID == 0 ]] && command -v apt-get || return
    apt-get update && DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends chromium chromium-driver
}

case "$(uname -sm)" in
    "Linux x86_64" | Darwin*) ;;
    *) stop "needs Linux x86_64 or macOS, this is $(uname -sm): TensorFlow Addons has no other wheels" \
        "(Docker: --platform linux/amd64)" ;;
esac

# .venv/unfinished names the process at work in there. What a dead one left behind is thrown away.
if [[ -e .venv/unfinished ]]; then
    kill -0 "$(<.venv/unfinished)" 2>/dev/null && stop "another set-up is at work in .venv: wait for it, or remove .venv"
    rm -rf .venv
fi
python=.venv/bin/python
if ! fits "$python"; then
    find_python
    rm -rf .venv
fi
mkdir -p .venv
echo $$ >.venv/unfinished
rm -f .venv/*.stamp

say "installing the pinned packages into .venv (about 2 GB; minutes the first time)"
fits .venv/bin/python || "$python" -m venv --without-pip .venv
install_pip
# What comes as source is built by the setuptools of locks/tools.txt: an isolated build would fetch another, unchecked.
.venv/bin/python -m pip install -qq --no-build-isolation "${@/#/--requirement=}"
PIP_REQUIRE_HASHES=0 .venv/bin/python -m pip install -qq --no-deps --no-build-isolation --editable .
if [[ " $* " == *" locks/test.txt "* ]]; then
    fetch_browser >/dev/null 2>&1 || say "no chromium and chromedriver: the page's tests will be skipped"
fi
rm .venv/unfinished
