# INPUT and OUT reach the recipe through the environment: blanks, quotes and dollars arrive as they are.
override INPUT := $(value INPUT)
override OUT := $(or $(value OUT),out)
export INPUT OUT

pins := locks/tools.txt pyproject.toml setup.py scripts/setup.sh
python := .venv/bin/python
# Two processes share the tests; one that has none left takes half of what the other still has.
pytest := $(python) -m pytest -n 2 --dist worksteal

.PHONY: help setup run test test-all lint docs lock
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: .venv/run.stamp ## .venv with the pinned packages; PYTHON=... names the interpreter for a new one

run: setup ## enhance INPUT=folder-or-file (without it: five built-in dark photographs) into OUT=out
	@$(python) -m kind demo --out "$$OUT" $${INPUT:+"$$INPUT"}

test: lint ## style, format and the default tests: minutes; what CI runs
	@$(pytest)

# The slow tests run in processes of their own: what TensorFlow keeps of thousands of tests would take 13 GB.
test-all: lint .venv/onnx.stamp ## the same, then the slow tests: documented commands, exports (ONNX too), two workers, kills
	@code=0; $(pytest) || code=1; $(pytest) -m slow || code=1; exit $$code

lint: .venv/test.stamp ## style and format
	@$(python) -m ruff check .
	@$(python) -m ruff format --check .

docs: .venv/test.stamp ## reference pages of the Python interface in site/, made of the docstrings; every link is looked after
	@$(python) scripts/build_docs.py

lock: .venv/run.stamp ## constraints.txt and locks/ made anew from requirements*.txt, after these were edited
	@scripts/lock.sh

.venv/run.stamp: $(pins) locks/run.txt
	@scripts/setup.sh locks/run.txt
	@touch $@

.venv/test.stamp: $(pins) locks/test.txt
	@scripts/setup.sh locks/test.txt
	@touch .venv/run.stamp $@

# ONNX needs Python 3.10 or 3.11; on 3.9 its tests are skipped.
.venv/onnx.stamp: .venv/test.stamp locks/onnx.txt
	@! $(python) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || scripts/setup.sh locks/test.txt locks/onnx.txt
	@touch .venv/run.stamp .venv/test.stamp $@
