# INPUT and OUT reach the recipe through the environment: blanks, quotes and dollars arrive as they are.
override INPUT := $(value INPUT)
override OUT := $(or $(value OUT),out)
export INPUT OUT

pins := requirements.txt constraints.txt pyproject.toml setup.py scripts/setup.sh
python := .venv/bin/python

.PHONY: help setup run test lint
help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: .venv/run.stamp ## .venv with the pinned packages; PYTHON=... names the interpreter for a new one

run: setup ## enhance INPUT=folder-or-file (without it: five built-in dark photographs) into OUT=out
	@$(python) -m kind demo --out "$$OUT" $${INPUT:+"$$INPUT"}

test: lint ## lint, then the tests
	@$(python) -m pytest

lint: .venv/test.stamp ## style and format
	@$(python) -m ruff check .
	@$(python) -m ruff format --check .

.venv/run.stamp: $(pins)
	@scripts/setup.sh requirements.txt
	@touch $@

.venv/test.stamp: $(pins) requirements-test.txt
	@scripts/setup.sh requirements.txt requirements-test.txt
	@touch .venv/run.stamp $@
