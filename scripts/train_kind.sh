#!/usr/bin/env bash
# Trains the three networks and the exposure head for photographs of all kinds: hours on two cores; run it again to
# resume.
# usage: scripts/train_kind.sh DATA RUNS [FLAG ...]
#   DATA   folder with lol_train, lol_rest, stacks, sice, coco128 and vehicles (docs/mixture.md says what they hold)
#   RUNS   folder for the run folders, which is a folder of weights then
#   FLAG   given to every run, after its own, such as --epochs 1 to try the script
set -euo pipefail
data=$1 runs=$2
shift 2
python=${PYTHON:-.venv/bin/python}

run() { # STAGE [FLAG ...]
  local stage=$1
  shift
  "$python" train_stage.py "$stage" --run "$runs/$stage" --schedule cosine --clip-norm 1 \
    --data "lol=$data/lol_train:0.2" --data "lol_rest=$data/lol_rest:0.14:all" --data "stacks=$data/stacks:0.16" \
    --data "sice=$data/sice:0.1" --data "photographs=$data/coco128:0.24" --data "vehicles=$data/vehicles:0.16" "$@"
}

# Each of the three begins with the weights that LOL alone gave.
run decom --init-from kind/weights/lol/decom.keras --patch 96 --batch 8 --epochs 12 --learning-rate 3e-4 \
  --average-decay 0.99 --similarity-weight 0.05 --validate-epochs 6 "$@"
