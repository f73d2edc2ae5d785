#!/usr/bin/env bash
# Trains the three networks and the exposure head for photographs as the weights that ship were trained: hours on two
# cores; run it again to resume.
# usage: scripts/train_kind.sh DATA RUNS [FLAG ...]
#   DATA   folder with lol_train, lol_rest, stacks, sice, coco128 and vehicles (docs/mixture.md says what they hold)
#   RUNS   folder for the run folders; `kind enhance --variant kind --weights RUNS` uses them
#   FLAG   given to every run, after its own, such as --epochs 1 to try the script
set -euo pipefail
data=$1 runs=$2
shift 2
python=${PYTHON:-.venv/bin/python}

run() { # STAGE [FLAG ...]
  local stage=$1
  shift
  "$python" train_stage.py "$stage" --run "$runs/$stage" --schedule cosine \
    --data "lol=$data/lol_train:0.2" --data "lol_rest=$data/lol_rest:0.14:all" --data "stacks=$data/stacks:0.16" \
    --data "sice=$data/sice:0.1" --data "photographs=$data/coco128:0.24" --data "vehicles=$data/vehicles:0.16" "$@"
}
